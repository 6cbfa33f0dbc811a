"""List and change routing policies.

A policy is JSON, for example:
{"name": "cheap-bulk", "match": {"classes": ["bulk"]}, "weights": {"cost": 2, "success": 1}}
"""

import argparse
from collections.abc import Mapping
from typing import Any

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.files import edited, json_of
from core.cli.out import OK, json_line, line, note, table


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong policies`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|get|put|delete")
    add_action(actions, "list", "every policy (the default)")
    add_action(actions, "get", "one policy, whole").add_argument("name")
    put = add_action(actions, "put", "create or replace a policy")
    put.add_argument(
        "file",
        help="JSON with name, match, order, weights..., as `get` shows it; - reads it here",
    )
    add_action(actions, "delete", "take a policy away").add_argument("name")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given, admin=True)
    if given.action == "get":
        json_line(api.call("GET", f"/v1/policies/{segment(given.name)}"))
    elif given.action == "put":
        body, seen = edited(json_of(given.file), "missing")
        made = api.call("PUT", f"/v1/policies/{segment(str(body.get('name', '')))}", body, seen)
        if given.json:
            json_line(made)
        else:
            note(f"Policy {made['name']} is at version {made['version']}.")
    elif given.action == "delete":
        api.call("DELETE", f"/v1/policies/{segment(given.name)}")
        note(f"Policy {given.name} is deleted.")
    else:
        _list(api, given.json)
    return OK


def _list(api: Api, as_json: bool) -> None:
    found = list(api.pages("/v1/policies"))
    if as_json:
        json_line({"data": found})
    elif not found:
        line("No policies: accounts go by priority, then by success.")
    else:
        rows = [
            (
                each["name"],
                each["version"],
                _match(each["match"]),
                " ".join(each["order"]) or "-",
                " ".join(f"{name}:{w:g}" for name, w in each["weights"].items() if w),
                each["when_none"],
            )
            for each in found
        ]
        table(rows, ("NAME", "VERSION", "SERVES", "ORDER", "WEIGHTS", "WHEN NONE"))


def _match(match: Mapping[str, Any]) -> str:
    named = [f"{name}={','.join(values)}" for name, values in match.items() if values]
    return " ".join(named) or "everything"
