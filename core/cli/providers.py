"""List and change provider accounts. Credentials are written and never shown."""

import argparse
from typing import Any

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.files import edited, json_of
from core.cli.out import OK, json_line, line, note, table

_WRITTEN = (
    *("id", "wire", "channel", "enabled", "settings", "priority"),
    *("price", "destinations", "limits", "location"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong providers`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|show|put|enable|disable|delete")
    add_action(actions, "list", "every account (the default)")
    for name, what in (
        ("show", "one account, whole"),
        ("enable", "use an account again"),
        ("disable", "send nothing more through an account"),
        ("delete", "take an account away, with its credentials"),
    ):
        add_action(actions, name, what).add_argument("id")
    put = add_action(actions, "put", "create or replace an account")
    put.add_argument(
        "file",
        help="JSON with id, wire, channel, settings, ..., as `show` shows it; - reads it here",
    )


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given, admin=True)
    if given.action in (None, "list"):
        return _list(api, given.json)
    if given.action == "delete":
        api.call("DELETE", f"/v1/providers/{segment(given.id)}")
        if given.json:
            json_line({"id": given.id, "deleted": True})
        else:
            note(f"Account {given.id} is deleted.")
        return OK
    if given.action == "show":
        account = api.call("GET", f"/v1/providers/{segment(given.id)}")
    elif given.action == "put":
        body, seen = edited(json_of(given.file), "state")
        if isinstance(body.get("secrets"), list):
            del body["secrets"]  # names only: those that are there stay
        account = api.call("PUT", f"/v1/providers/{segment(str(body.get('id', '')))}", body, seen)
    else:
        account = _switch(api, given.id, given.action == "enable")
    if given.json or given.action == "show":
        json_line(account)
    else:
        note(f"Account {account['id']} is {'enabled' if account['enabled'] else 'disabled'}.")
    return OK


def _list(api: Api, as_json: bool) -> int:
    found = list(api.pages("/v1/providers"))
    if as_json:
        json_line({"data": found})
        return OK
    if not found:
        line("No provider accounts.")
        return OK
    rows = [
        (each["id"], each["wire"], each["channel"], each["priority"], each["state"])
        for each in found
    ]
    table(rows, ("ID", "WIRE", "CHANNEL", "PRIORITY", "STATE"))
    return OK


def _switch(api: Api, account_id: str, enabled: bool) -> Any:
    """Change the switch of an account, and nothing that somebody else changes meanwhile."""
    path = f"/v1/providers/{segment(account_id)}"
    now = api.call("GET", path)
    body = {name: now[name] for name in _WRITTEN} | {"enabled": enabled}
    return api.call("PUT", path, body, {"If-Match": f'"{now["version"]}"'})
