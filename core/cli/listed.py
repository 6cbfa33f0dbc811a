"""What commands that list messages share: their options, reading pages, and the table."""

import argparse
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from core.cli.client import Api
from core.cli.out import OK, json_line, line, table
from core.cli.times import point

LIMIT_DEFAULT = 50
PAGE_MAX = 100
_HEAD = ("ID", "CHANNEL", "STATUS", "REASON", "CLASS", "AT", "")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options that choose messages."""
    option = parser.add_argument
    option("--status", action="append", default=[], help="may be repeated")
    option("--channel", action="append", default=[], help="may be repeated; `event` too")
    add_times(parser)


def add_times(parser: argparse.ArgumentParser) -> None:
    """The options for a span of time."""
    parser.add_argument("--since", metavar="TIME", help="2026-01-31T12:00:00Z, or 2h, 7d ago")
    parser.add_argument("--until", metavar="TIME", help="in the same way; default: now")


def add_limit(parser: argparse.ArgumentParser) -> None:
    """How much is shown."""
    parser.add_argument("--limit", type=int, default=LIMIT_DEFAULT, help="rows shown at most")


def list_by_default(parser: argparse.ArgumentParser) -> None:
    """Without an action everything is listed, as with other commands."""
    parser.set_defaults(status=[], channel=[], since=None, until=None, limit=LIMIT_DEFAULT)


def times_of(given: argparse.Namespace) -> dict[str, str]:
    """The span of time as the API takes it."""
    found = {name: getattr(given, name) for name in ("since", "until")}
    return {name: point(f"--{name}", text) for name, text in found.items() if text}


def query_of(given: argparse.Namespace) -> dict[str, str]:
    """The filters as a query."""
    words = {name: ",".join(getattr(given, name)) for name in ("status", "channel")}
    return {name: text for name, text in words.items() if text} | times_of(given)


def rows_of(api: Api, path: str, query: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """Up to `limit` rows, over as many pages as it takes."""
    return list(islice(_rows(api, path, query, limit), limit))


def _rows(api: Api, path: str, query: dict[str, str], limit: int) -> Iterator[dict[str, Any]]:
    asked = query | {"limit": str(min(limit, PAGE_MAX))}
    while True:
        page = api.call("GET", f"{path}?{urlencode(asked)}")
        yield from page["data"]
        if not page.get("next_cursor"):
            return
        asked["cursor"] = page["next_cursor"]


def show_rows(rows: list[dict[str, Any]], as_json: bool, none: str) -> int:
    """The table, or the rows as JSON."""
    if as_json:
        json_line({"data": rows})
    elif not rows:
        line(none)
    else:
        table([_cells(row) for row in rows], _HEAD)
    return OK


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    twice = "possibly sent twice" if row["possible_duplicate"] else ""
    names = ("id", "channel", "status", "reason", "class", "at")
    return (*(str(row[name]) for name in names), twice)
