"""List, create and revoke API keys. A new key is shown once and kept nowhere in the clear."""

import argparse

from core.cli.client import add_action, add_where, reach, segment
from core.cli.out import OK, json_line, line, note, table
from core.contract.keys import SCOPES


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong keys`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|create|revoke")
    add_action(actions, "list", "every key (the default)")
    create = add_action(actions, "create", "a new key")
    create.add_argument(
        "--scope", action="append", required=True, choices=sorted(SCOPES), help="may be repeated"
    )
    create.add_argument("--tenant", help="default: the tenant of the key in use")
    revoke = add_action(actions, "revoke", "stop a key within a second")
    revoke.add_argument("id", help="the 12 characters after gt_live_")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given, admin=True)
    if given.action == "create":
        body = {"scopes": given.scope}
        if given.tenant:
            body["tenant"] = given.tenant
        made = api.call("POST", "/v1/keys", body)
        if given.json:
            json_line(made)
        else:
            note(f"Key {made['id']} of {made['tenant']}; this is the only time it is shown:")
            line(made["key"])
        return OK
    if given.action == "revoke":
        answer = api.call("DELETE", f"/v1/keys/{segment(given.id)}")
        if given.json:
            json_line(answer or {"id": given.id, "revoked": True})
        else:
            note(f"Key {given.id} is revoked.")
        return OK
    found = list(api.pages("/v1/keys"))
    if given.json:
        json_line({"data": found})
    else:
        rows = [
            (key["id"], key["tenant"], " ".join(key["scopes"]), "revoked" * key["revoked"])
            for key in found
        ]
        table(rows, ("ID", "TENANT", "SCOPES", ""))
    return OK
