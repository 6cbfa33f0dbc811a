"""Dead letters: what failed, or may or may not have been sent. List them, send them again.

goutong deadletters list --since 2d
goutong deadletters resend ID
goutong deadletters replay --status failed --since 2h --per-second 20 --wait
goutong deadletters replay ID ID ID
"""

import argparse
import time
import uuid
from typing import Any

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.listed import (
    add_filters,
    add_limit,
    list_by_default,
    query_of,
    rows_of,
    show_rows,
    times_of,
)
from core.cli.out import OK, USAGE, CommandError, json_line, line, note

NONE = "No dead letters. The last 7 days are listed unless --since says otherwise."
_REPLAYS = "/v1/deadletters/replays"
_EVERY_S = 0.5


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong deadletters`."""
    add_where(parser)
    list_by_default(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|resend|replay|show|cancel")
    listed = add_action(actions, "list", "what failed or is unknown (the default)")
    add_filters(listed)
    add_limit(listed)
    resend = add_action(actions, "resend", "send one message again, as a new one")
    resend.add_argument("id", help="message id")
    resend.add_argument("--expires-in", type=int, metavar="SECONDS")
    resend.add_argument("--idempotency-key", help="default: a new one")
    replay = add_action(actions, "replay", "send many again: these ids, or what the filters choose")
    replay.add_argument("ids", nargs="*", metavar="ID")
    add_filters(replay)
    replay.add_argument("--per-second", type=float, metavar="N", help="default: 10")
    replay.add_argument("--wait", action="store_true", help="stay until it is done")
    for name, what in (("show", "how far a replay is"), ("cancel", "stop a replay")):
        add_action(actions, name, what).add_argument("id", help="replay id (rpl_...)")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given)
    if given.action in (None, "list"):
        rows = rows_of(api, "/v1/deadletters", query_of(given), given.limit)
        return show_rows(rows, given.json, NONE)
    if given.action == "resend":
        return _resend(api, given)
    if given.action == "replay":
        replay = api.call("POST", "/v1/deadletters/replay", _asked(given))
        return told_replay(followed_replay(api, replay) if given.wait else replay, given.json)
    if given.action == "show":
        return told_replay(api.call("GET", f"{_REPLAYS}/{segment(given.id)}"), given.json)
    return told_replay(api.call("POST", f"{_REPLAYS}/{segment(given.id)}/cancel"), given.json)


def _resend(api: Api, given: argparse.Namespace) -> int:
    body = {} if given.expires_in is None else {"expires_in": given.expires_in}
    headers = {"Idempotency-Key": given.idempotency_key or str(uuid.uuid4())}
    sent = api.call("POST", f"/v1/messages/{segment(given.id)}/resend", body, headers)
    if given.json:
        json_line(sent)
    else:
        line(f"{sent['id']}  {sent['status']}")
    return OK


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    """The body of a replay; CommandError where it is not said what to send again."""
    words = {
        name: [word for text in getattr(given, name) for word in text.split(",") if word]
        for name in ("status", "channel")
    }
    chosen: dict[str, Any] = {name: found for name, found in words.items() if found}
    chosen |= times_of(given)
    if bool(given.ids) == bool(chosen):
        mend = "For all that failed or is unknown in the last week: --since 7d."
        raise CommandError("give either ids or filters", mend, USAGE)
    body = {"ids": given.ids} if given.ids else chosen
    return body if given.per_second is None else body | {"per_second": given.per_second}


def followed_replay(api: Api, replay: dict[str, Any]) -> dict[str, Any]:
    """The replay once it is done or was stopped."""
    while replay["state"] == "running":
        time.sleep(_EVERY_S)
        replay = api.call("GET", f"{_REPLAYS}/{segment(replay['id'])}")
    return replay


def told_replay(replay: dict[str, Any], as_json: bool) -> int:
    """Show how far it is."""
    if as_json:
        json_line(replay)
        return OK
    line(f"{replay['id']}  {replay['state']}  {replay['sent']} sent again")
    for why, count in sorted(replay["passed_over"].items()):
        line(f"  {count} passed over: {why}")
    if replay["trouble"]:
        note(f"It waits: {replay['trouble']}")
    return OK
