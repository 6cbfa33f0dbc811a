"""Send a notification to one or more recipients.

goutong send --to +447700900123 --text "Hello"
goutong send --to ada@example.com --subject "Welcome" --text "Hello Ada"
goutong send --to +447700900123 --template otp --set code=123456 --class otp
"""

import argparse
import uuid
from typing import Any

from core.cli.client import Api, add_where, reach
from core.cli.follow import follow
from core.cli.out import OK, USAGE, CommandError, json_line, line
from core.cli.shown import trace_lines
from core.cli.words import pair_of


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong send`."""
    add_where(parser)
    option = parser.add_argument
    option("--to", action="append", required=True, help="phone number or e-mail address")
    option("--channel", choices=("sms", "email"))
    option("--text")
    option("--subject")
    option("--html")
    option("--template", help="name of a template, instead of --text")
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="template data")
    option("--locale")
    option("--class", dest="class_", choices=("otp", "alert", "transactional", "bulk"))
    option("--delivery", choices=("at_least_once", "at_most_once"))
    option("--expires-in", type=int, metavar="SECONDS")
    option("--idempotency-key", help="default: a new one, so that a repeat sends nothing twice")
    option("--wait", action="store_true", help="wait until no more is to come, show the trace")


def run(given: argparse.Namespace) -> int:
    """Send, and say under which ids."""
    api = reach(given)
    headers = {"Idempotency-Key": given.idempotency_key or str(uuid.uuid4())}
    answer = api.call("POST", "/v1/notifications", request_of(given), headers)
    if given.wait:
        return _wait(api, answer, given.json)
    if given.json:
        json_line(answer)
    else:
        for message in answer["messages"]:
            line(f"{message['id']}  {message['channel']}  {message['status']}")
    return OK


def request_of(given: argparse.Namespace) -> dict[str, Any]:
    """The body of the request that these arguments ask for."""
    content = {
        name: getattr(given, name)
        for name in ("text", "subject", "html")
        if getattr(given, name) is not None
    }
    if bool(content) == bool(given.template):
        raise CommandError(
            "give either --template or --text (with --subject for e-mail)", code=USAGE
        )
    data = dict(pair_of(word) for word in given.set)
    targets = [{"email" if "@" in each else "phone": each} for each in given.to]
    asked = {
        "channel": given.channel,
        "template": given.template,
        "content": content or None,
        "data": data or None,
        "locale": given.locale,
        "class": given.class_,
        "delivery": given.delivery,
        "expires_in": given.expires_in,
    }
    to = targets[0] if len(targets) == 1 else targets
    return {"to": to, **{name: value for name, value in asked.items() if value is not None}}


def _wait(api: Api, answer: dict[str, Any], as_json: bool) -> int:
    messages = [follow(api, message["id"]) for message in answer["messages"]]
    if as_json:
        json_line({**answer, "messages": messages})
    else:
        for message in messages:
            line("\n".join(trace_lines(message)))
    return OK
