"""Write, publish, compare and preview templates.

goutong templates put FILE --draft      save a draft; nothing is sent with it
goutong templates diff NAME             what it would change
goutong templates preview NAME --draft --set name=Ada
goutong templates publish NAME          put the draft in force
goutong templates rollback NAME 3       put version 3 in force again
"""

import argparse
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.files import json_of
from core.cli.out import FAILED, OK, USAGE, CommandError, json_line, line, note, table
from core.cli.templates_shown import (
    difference_lines,
    editable,
    preview_lines,
    template_row,
    version_row,
)
from core.cli.words import pair_of

_PREVIEWED = ("bodies", "default_locale", "schema")
_ACTIONS = "list|show|get|put|publish|versions|diff|rollback|preview|delete"


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong templates`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar=_ACTIONS)
    add_action(actions, "list", "every template (the default)")
    add_action(actions, "show", "all that is known about a template, as JSON").add_argument("name")
    get = add_action(actions, "get", "a template's content, to be edited and put again")
    get.add_argument("name")
    _add_which(get)
    put = add_action(actions, "put", "create or replace a template, in force at once")
    put.add_argument("file", help="JSON with name and bodies; - reads it here")
    put.add_argument("--draft", action="store_true", help="save it as the draft only")
    publish = add_action(actions, "publish", "put the draft in force")
    publish.add_argument("name", nargs="?")
    publish.add_argument("--all-using", metavar="NAME", help="publish its users again with it")
    add_action(actions, "versions", "published versions").add_argument("name")
    diff = add_action(actions, "diff", "what differs: from what is in force to the draft")
    diff.add_argument("name")
    diff.add_argument("--from", dest="from_", metavar="VERSION", help="a version, or draft")
    diff.add_argument("--to", metavar="VERSION", help="a version, or draft")
    rollback = add_action(actions, "rollback", "put an older version in force again")
    rollback.add_argument("name")
    rollback.add_argument("version", type=int)
    _add_preview(actions)
    delete = add_action(actions, "delete", "take a template out of use; versions stay readable")
    delete.add_argument("name")
    delete.add_argument("--draft", action="store_true", help="drop its draft only")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    work = _WORK[given.action or "list"]
    return work(reach(given, admin=True), given)


def _add_which(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--draft", action="store_true", help="the draft")
    which.add_argument("--version", type=int, help="a published version")


def _add_preview(actions: Any) -> None:
    preview = add_action(actions, "preview", "what each channel would get, its parts and price")
    preview.add_argument("name")
    _add_which(preview)
    option = preview.add_argument
    option("--file", help="preview the bodies of this file, which are not stored; - reads it here")
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="template data")
    option("--values", metavar="FILE", help="template data as JSON")
    option("--channel", choices=("sms", "email", "webhook"))
    option("--locale")
    option("--to", metavar="COUNTRY", help="two capitals, for the price")


def _list(api: Api, given: argparse.Namespace) -> int:
    found = list(api.pages("/v1/templates"))
    if given.json:
        json_line({"data": found})
    elif not found:
        line("No templates.")
    else:
        head = ("NAME", "KIND", "VERSION", "DRAFT", "LOCALE", "CHANNELS")
        table(map(template_row, found), head)
    return OK


def _show(api: Api, given: argparse.Namespace) -> int:
    json_line(api.call("GET", _path(given.name)))
    return OK


def _get(api: Api, given: argparse.Namespace) -> int:
    rest = "/draft" if given.draft else f"/versions/{given.version}" if given.version else ""
    found = api.call("GET", _path(given.name, rest))
    if given.json:
        json_line(found)
        return OK
    if not found["version"]:
        raise CommandError(
            f"of {given.name} there is only a draft", "`--draft` shows it, `publish` publishes it."
        )
    line(editable(found))
    return OK


def _put(api: Api, given: argparse.Namespace) -> int:
    body = json_of(given.file)
    if given.draft:
        body["publish"] = False
    made = api.call("PUT", _path(str(body.get("name", ""))), body)
    if given.json:
        json_line(made)
    elif given.draft or body.get("publish") is False:
        note(f"The draft of {made['name']} is saved; `publish` puts it in force.")
    else:
        note(f"Template {made['name']} is at version {made['version']}.")
    return OK


def _publish(api: Api, given: argparse.Namespace) -> int:
    if bool(given.name) == bool(given.all_using):
        raise CommandError("give either a template's name or --all-using NAME", code=USAGE)
    if given.all_using:
        return _publish_users(api, given)
    made = api.call("POST", _path(given.name, "/publish"), {})
    if given.json:
        json_line(made)
    else:
        note(f"Template {made['name']} is at version {made['version']}.")
    return OK


def _publish_users(api: Api, given: argparse.Namespace) -> int:
    """Publish again whatever uses this partial or layout. One that fails stops no other."""
    done: list[dict[str, Any]] = []
    users = [
        each
        for each in api.pages("/v1/templates")
        if given.all_using in [used["name"] for used in each["uses"]]
    ]
    for each in users:
        result = {"name": each["name"], "from": each["version"]}
        condition = {"If-Match": f'"{each["revision"]}"'}
        path = _path(each["name"], "/publish")
        try:
            made = api.call("POST", path, {"from": "in_force"}, condition)
            done.append(result | {"to": made["version"]})
        except CommandError as error:
            done.append(result | {"error": error.what, "mend": error.mend})
    if given.json:
        json_line({"data": done})
    elif not done:
        note(f"No template in force uses {given.all_using}.")
    for each in [] if given.json else done:
        if "error" in each:
            note(f"{each['name']} stays at version {each['from']}: {each['error']}")
            note(f"  {each['mend']}")
        else:
            note(f"{each['name']}: version {each['from']} → {each['to']}")
    return FAILED if any("error" in each for each in done) else OK


def _versions(api: Api, given: argparse.Namespace) -> int:
    path = _path(given.name, "/versions")
    found = list(api.pages(path))
    if given.json:
        json_line({"data": found, "history": api.call("GET", path)["history"]})
    else:
        table(map(version_row, found), ("VERSION", "", "PUBLISHED", "BY", "USES"))
    return OK


def _diff(api: Api, given: argparse.Namespace) -> int:
    asked = {"from": given.from_, "to": given.to}
    query = urlencode({name: value for name, value in asked.items() if value})
    found = api.call("GET", _path(given.name, f"/diff?{query}" if query else "/diff"))
    if given.json:
        json_line(found)
    elif not found["changes"]:
        note(f"Nothing differs between {found['from']} and {found['to']}.")
    else:
        line("\n".join(difference_lines(found)))
    return OK


def _rollback(api: Api, given: argparse.Namespace) -> int:
    made = api.call("POST", _path(given.name, "/rollback"), {"version": given.version})
    if given.json:
        json_line(made)
    else:
        note(f"Version {made['version']} of {made['name']} is in force again.")
    return OK


def _preview(api: Api, given: argparse.Namespace) -> int:
    asked: dict[str, Any] = {"data": json_of(given.values) if given.values else {}}
    asked["data"] |= dict(pair_of(word) for word in given.set)
    if given.file:
        if given.draft or given.version:
            raise CommandError("--file is previewed in place of --draft or --version", code=USAGE)
        read = json_of(given.file)
        asked |= {
            name: read[name] for name in ("bodies", "default_locale", "schema") if name in read
        }
    for name in ("draft", "version", "channel", "locale", "to"):
        if value := getattr(given, name):
            asked[name] = value
    found = api.call("POST", _path(given.name, "/preview"), asked)
    if given.json:
        json_line(found)
    else:
        line("\n".join(preview_lines(found)))
    wrong = found.get("data_errors") or any(each.get("errors") for each in found["channels"])
    return FAILED if wrong else OK


def _delete(api: Api, given: argparse.Namespace) -> int:
    api.call("DELETE", _path(given.name, "/draft" if given.draft else ""))
    if given.json:
        json_line({"name": given.name, "deleted": "draft" if given.draft else "template"})
    else:
        note(f"{'The draft of ' if given.draft else ''}{given.name} is deleted.")
    return OK


def _path(name: str, rest: str = "") -> str:
    return f"/v1/templates/{segment(name)}{rest}"


_WORK: dict[str, Callable[[Api, argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "get": _get,
    "put": _put,
    "publish": _publish,
    "versions": _versions,
    "diff": _diff,
    "rollback": _rollback,
    "preview": _preview,
    "delete": _delete,
}
