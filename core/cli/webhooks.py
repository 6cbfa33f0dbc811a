"""Webhook endpoints: where a tenant is told what became of its messages.

goutong webhooks create https://hooks.example.com/goutong --event message.delivered
goutong webhooks test ep_...
goutong webhooks deliveries ep_... --status failed --since 2h
goutong webhooks replay ep_... --since 2h
"""

import argparse
import uuid
from typing import Any, get_args

from core.cli.client import Api, add_action, add_where, reach, segment
from core.cli.deadletters import followed_replay, told_replay
from core.cli.listed import add_limit, add_times, query_of, rows_of, show_rows, times_of
from core.cli.out import OK, USAGE, CommandError, json_line, line, note, table
from core.contract.webhooks import EventType

_PATH = "/v1/webhooks"
NO_DELIVERIES = "No deliveries. The last 7 days are listed unless --since says otherwise."


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong webhooks`."""
    add_where(parser)
    names = "list|create|get|put|rotate|delete|test|deliveries|replay"
    actions = parser.add_subparsers(dest="action", metavar=names)
    add_action(actions, "list", "every endpoint (the default)")
    create = add_action(actions, "create", "a new endpoint; its secret is shown once")
    create.add_argument("to", metavar="URL")
    _add_settings(create)
    add_action(actions, "get", "one endpoint").add_argument("id")
    put = add_action(actions, "put", "change what is given; switches it on unless --off")
    put.add_argument("id")
    put.add_argument("--to", metavar="URL", help="its new address")
    _add_settings(put)
    rotate = add_action(actions, "rotate", "a new secret; the old one signs too for a while")
    rotate.add_argument("id")
    rotate.add_argument("--keep-old", type=int, metavar="SECONDS", help="default: a day")
    add_action(actions, "delete", "take an endpoint away").add_argument("id")
    add_action(actions, "test", "tell it a test event").add_argument("id")
    deliveries = add_action(actions, "deliveries", "what it was told, newest first")
    deliveries.add_argument("id")
    deliveries.add_argument("--status", action="append", default=[], help="may be repeated")
    deliveries.set_defaults(channel=[])
    add_times(deliveries)
    add_limit(deliveries)
    replay = add_action(actions, "replay", "tell it again: one delivery, or what failed")
    replay.add_argument("id")
    replay.add_argument("delivery", nargs="?", help="message id of one delivery")
    add_times(replay)
    replay.add_argument("--all", action="store_true", help="what was taken, too")
    replay.add_argument("--per-second", type=float, metavar="N", help="default: 10")
    replay.add_argument("--wait", action="store_true", help="stay until it is done")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    api = reach(given)
    action = given.action or "list"
    return int(_ACTIONS[action](api, given))


def _list(api: Api, given: argparse.Namespace) -> int:
    found = list(api.pages(_PATH))
    if given.json:
        json_line({"data": found})
    elif not found:
        line("No webhook endpoints.")
    else:
        rows = [
            (
                each["id"],
                each["url"],
                " ".join(each["events"]) or "all",
                "on" if each["enabled"] else "off",
                each.get("problem", ""),
            )
            for each in found
        ]
        table(rows, ("ID", "URL", "EVENTS", "", ""))
    return OK


def _create(api: Api, given: argparse.Namespace) -> int:
    body = {"url": given.to, "events": given.event or [], "enabled": not given.off}
    body["description"] = given.description or ""
    return _with_secret(api.call("POST", _PATH, body), given.json)


def _get(api: Api, given: argparse.Namespace) -> int:
    json_line(api.call("GET", _one(given)))
    return OK


def _put(api: Api, given: argparse.Namespace) -> int:
    known = api.call("GET", _one(given))
    body = {
        "url": given.to or known["url"],
        "events": known["events"] if given.event is None else given.event,
        "enabled": not given.off,
        "description": known["description"] if given.description is None else given.description,
    }
    made = api.call("PUT", _one(given), body, {"If-Match": f'"{known["version"]}"'})
    if given.json:
        json_line(made)
    else:
        note(f"Endpoint {made['id']} is {'on' if made['enabled'] else 'off'}.")
    return OK


def _rotate(api: Api, given: argparse.Namespace) -> int:
    body = {} if given.keep_old is None else {"keep_old_s": given.keep_old}
    return _with_secret(api.call("POST", f"{_one(given)}/rotate", body), given.json)


def _delete(api: Api, given: argparse.Namespace) -> int:
    api.call("DELETE", _one(given))
    if given.json:
        json_line({"id": given.id, "deleted": True})
    else:
        note(f"Endpoint {given.id} is deleted.")
    return OK


def _test(api: Api, given: argparse.Namespace) -> int:
    return _sent(api.call("POST", f"{_one(given)}/test"), given.json)


def _deliveries(api: Api, given: argparse.Namespace) -> int:
    rows = rows_of(api, f"{_one(given)}/deliveries", query_of(given), given.limit)
    return show_rows(rows, given.json, NO_DELIVERIES)


def _replay(api: Api, given: argparse.Namespace) -> int:
    if given.delivery:
        path = f"{_one(given)}/deliveries/{segment(given.delivery)}/replay"
        return _sent(api.call("POST", path, {}, {"Idempotency-Key": str(uuid.uuid4())}), given.json)
    if not given.since:
        mend = "Say since when with --since, such as --since 2h, or name one delivery."
        raise CommandError("what is to be told again?", mend, USAGE)
    body: dict[str, Any] = {**times_of(given), "all": given.all}
    if given.per_second is not None:
        body["per_second"] = given.per_second
    replay = api.call("POST", f"{_one(given)}/replay", body)
    return told_replay(followed_replay(api, replay) if given.wait else replay, given.json)


_ACTIONS = {
    "list": _list,
    "create": _create,
    "get": _get,
    "put": _put,
    "rotate": _rotate,
    "delete": _delete,
    "test": _test,
    "deliveries": _deliveries,
    "replay": _replay,
}


def _one(given: argparse.Namespace) -> str:
    return f"{_PATH}/{segment(given.id)}"


def _with_secret(made: dict[str, Any], as_json: bool) -> int:
    if as_json:
        json_line(made)
    else:
        note(f"Endpoint {made['id']}; its secret, this is the only time it is shown:")
        line(made["secret"])
    return OK


def _sent(made: dict[str, Any], as_json: bool) -> int:
    if as_json:
        json_line(made)
    else:
        line(made["id"])
        note(f"It is under way; `goutong trace {made['id']}` shows what becomes of it.")
    return OK


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--event",
        action="append",
        choices=get_args(EventType),
        help="may be repeated; default: all of them",
    )
    parser.add_argument("--description")
    parser.add_argument("--off", action="store_true", help="do not tell it anything now")
