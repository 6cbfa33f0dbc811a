"""List and change templates."""

import argparse

from core.cli.client import add_action, add_where, reach, segment
from core.cli.files import json_of
from core.cli.out import OK, json_line, line, note, table


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong templates`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|show|put")
    add_action(actions, "list", "every template (the default)")
    add_action(actions, "show", "one template, whole").add_argument("name")
    put = add_action(actions, "put", "create or replace a template")
    put.add_argument("file", help="JSON with name and bodies; - reads it here")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given, admin=True)
    if given.action == "show":
        json_line(api.call("GET", f"/v1/templates/{segment(given.name)}"))
        return OK
    if given.action == "put":
        body = json_of(given.file)
        made = api.call("PUT", f"/v1/templates/{segment(str(body.get('name', '')))}", body)
        if given.json:
            json_line(made)
        else:
            note(f"Template {made['name']} is at version {made['version']}.")
        return OK
    found = list(api.pages("/v1/templates"))
    if given.json:
        json_line({"data": found})
    elif not found:
        line("No templates.")
    else:
        rows = [
            (
                each["name"],
                each["version"],
                each["default_locale"],
                " ".join(sorted(each["bodies"])),
            )
            for each in found
        ]
        table(rows, ("NAME", "VERSION", "LOCALE", "CHANNELS"))
    return OK
