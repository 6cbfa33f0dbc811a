"""Show what happened to a message: its events, its attempts, and what came of it."""

import argparse

from core.cli.client import add_where, reach, segment
from core.cli.follow import follow
from core.cli.out import OK, json_line, line
from core.cli.shown import trace_lines


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong trace`."""
    add_where(parser)
    parser.add_argument("id", help="message id")
    parser.add_argument("--wait", action="store_true", help="wait until it was sent or ended")


def run(given: argparse.Namespace) -> int:
    """Show the message."""
    api = reach(given)
    if given.wait:
        message = follow(api, given.id)
    else:
        message = api.call("GET", f"/v1/messages/{segment(given.id)}")
    if given.json:
        json_line(message)
    else:
        line("\n".join(trace_lines(message)))
    return OK
