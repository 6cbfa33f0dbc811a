"""List messages, by status, channel and time, or by recipient; newest first.

goutong messages list --status failed,expired --since 2h
goutong messages search +447700900123
"""

import argparse
from typing import Any

from core.cli.client import Api, add_action, add_where, reach
from core.cli.listed import (
    PAGE_MAX,
    add_filters,
    add_limit,
    add_times,
    list_by_default,
    query_of,
    rows_of,
    show_rows,
    times_of,
)

NONE = "No messages. The last day is listed unless --since says otherwise."
NONE_TO = (
    "No messages to this recipient. The last 7 days are searched unless --since says otherwise."
)


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong messages`."""
    add_where(parser)
    list_by_default(parser)
    actions = parser.add_subparsers(dest="action", metavar="list|search")
    listed = add_action(actions, "list", "by status, channel and time (the default)")
    add_filters(listed)
    add_limit(listed)
    search = add_action(actions, "search", "messages to one recipient")
    search.add_argument("recipient", help="phone number, e-mail address or URL")
    add_times(search)
    add_limit(search)


def run(given: argparse.Namespace) -> int:
    """Show them."""
    api = reach(given)
    if given.action in (None, "list"):
        rows = rows_of(api, "/v1/messages", query_of(given), given.limit)
        return show_rows(rows, given.json, NONE)
    return show_rows(_found(api, given), given.json, NONE_TO)


def _found(api: Api, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The recipient goes in a body: nothing personal stands in a URL."""
    body = {"recipient": given.recipient, "limit": min(given.limit, PAGE_MAX), **times_of(given)}
    rows: list[dict[str, Any]] = []
    while True:
        page = api.call("POST", "/v1/messages/search", body)
        rows += page["data"]
        if not page.get("next_cursor") or len(rows) >= given.limit:
            return rows[: given.limit]
        body["cursor"] = page["next_cursor"]
