"""Contact points that are not sent to: list them, add one, ask about one, send to it again.

goutong suppressions check ada@example.com
goutong suppressions add +447700900123 --class bulk --detail "asked by phone"
goutong suppressions add ada@example.com --reason unsubscribe
goutong suppressions remove ada@example.com
"""

import argparse
from typing import Any, get_args

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.out import FAILED, OK, CommandError, json_line, line, note, table
from core.contract.requests import ChannelName, MessageClass
from core.contract.suppressions import SuppressionReason

_PATH = "/v1/suppressions"
_CHANNELS = get_args(ChannelName)


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong suppressions`."""
    add_where(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|add|check|remove")
    add_action(actions, "list", "every suppressed contact point (the default)")
    added = add_action(actions, "add", "send nothing more to a contact point")
    _add_address(added)
    added.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        choices=get_args(MessageClass),
        help="may be repeated; default: those that the reason stops",
    )
    added.add_argument(
        "--reason", default="manual", choices=get_args(SuppressionReason), help="default: manual"
    )
    added.add_argument("--detail", default="", help="a note")
    _add_address(add_action(actions, "check", "whether a contact point is suppressed, and why"))
    _add_address(add_action(actions, "remove", "send to a contact point again"))


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given)
    if given.action in (None, "list"):
        found = list(api.pages(_PATH))
        return _shown(found, given.json, "Nobody is suppressed.")
    where = {"channel": given.channel or _channel_of(given.address), "address": given.address}
    if given.action == "add":
        asked = {"classes": given.classes, "reason": given.reason, "detail": given.detail}
        return _shown([api.call("POST", _PATH, {**where, **asked})], given.json, "", one=True)
    found = api.call("POST", f"{_PATH}/search", where)["data"]
    if given.action == "check":
        return _shown(found, given.json, f"{given.address} is not suppressed.")
    return _remove(api, given, found)


def _remove(api: Api, given: argparse.Namespace, found: list[dict[str, Any]]) -> int:
    if not found:
        raise CommandError(
            f"{given.address} is not suppressed",
            "Look at `goutong suppressions list`; --channel says which channel is meant.",
            FAILED,
        )
    one = found[0]
    # What came since it was looked up stays: the version says what was seen.
    api.call("DELETE", f"{_PATH}/{segment(one['id'])}", headers={"If-Match": f'"{one["version"]}"'})
    if given.json:
        json_line({"id": one["id"], "removed": True})
    else:
        note(f"{one['address']} is sent to again.")
    return OK


def _shown(found: list[dict[str, Any]], as_json: bool, none: str, *, one: bool = False) -> int:
    if as_json:
        json_line(found[0] if one else {"data": found})
    elif not found:
        line(none)
    else:
        rows = [
            (
                each["channel"],
                each["address"],
                entry["reason"],
                ",".join(entry["classes"]),
                entry["at"],
                entry["detail"] or entry["message"],
            )
            for each in found
            for entry in each["entries"]
        ]
        table(rows, ("CHANNEL", "ADDRESS", "REASON", "STOPS", "SINCE", "DETAIL"))
    return OK


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", help="phone number, e-mail address or URL")
    parser.add_argument("--channel", choices=_CHANNELS, help="default: as the address looks")


def _channel_of(address: str) -> str:
    if "://" in address:
        return "webhook"
    return "email" if "@" in address else "sms"
