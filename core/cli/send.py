"""Send a notification to one or more recipients.

goutong send --to +447700900123 --text "Hello"
goutong send --to ada@example.com --subject "Welcome" --text "Hello Ada"
goutong send --to +447700900123 --template otp --set code=123456 --class otp
goutong send --to +447700900123,ada@example.com --channel sms,email --until delivered \
    --escalate-after 60 --subject "Your parcel" --text "It is here"
goutong send --to ada@example.com --subject "Good morning" --text "Hello" \
    --at 2026-12-24T08:00:00 --time-zone Europe/Berlin
goutong send --batch notifications.ndjson
"""

import argparse
import uuid
from typing import Any

from core.cli.client import Api, add_where, reach
from core.cli.follow import follow
from core.cli.out import FAILED, OK, USAGE, CommandError, json_line, line, note
from core.cli.shown import brief_text, trace_lines
from core.cli.words import pair_of

_ABOUT_ONE = (
    *("to", "channel", "until", "escalate_after", "at", "time_zone", "text", "subject", "html"),
    *("template", "set", "locale", "class_", "delivery", "expires_in", "wait"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong send`."""
    add_where(parser)
    option = parser.add_argument
    option(
        "--to",
        action="append",
        default=[],
        metavar="ADDRESS[,ADDRESS...]",
        help="a recipient: phone number, e-mail address or URL, or several of these of one",
    )
    option("--batch", metavar="FILE", help="send each line of FILE (-: standard input), a request")
    option("--channel", metavar="NAME[,NAME...]", help="sms, email, webhook; several: a fallback")
    option("--until", choices=("sent", "delivered", "seen"), help="else the next channel is used")
    option("--escalate-after", type=int, metavar="SECONDS", help="the next channel at the latest")
    option("--at", metavar="TIME", help="send at this time: 2026-12-24T08:00:00Z")
    option("--time-zone", metavar="NAME", help="of a time without offset: Europe/Berlin")
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
    if given.batch is not None:
        from core.cli.send_batch import send_batch  # noqa: PLC0415 - its client loads slowly

        return send_batch(_for_batch(given), given.batch, given.idempotency_key, given.json)
    api = reach(given)
    headers = {"Idempotency-Key": given.idempotency_key or str(uuid.uuid4())}
    answer = api.call("POST", "/v1/notifications", request_of(given), headers)
    if given.wait:
        return _wait(api, answer, given.json)
    if given.json:
        json_line(answer)
    else:
        for message in answer["messages"]:
            line(brief_text(message))
    return _code(answer)


def request_of(given: argparse.Namespace) -> dict[str, Any]:
    """The body of the request that these arguments ask for."""
    if not given.to:
        raise CommandError("give a recipient with --to, or a file with --batch", code=USAGE)
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
    targets = [target_of(each) for each in given.to]
    channels = (given.channel or "").split(",")
    asked = {
        "channel": (channels if len(channels) > 1 else given.channel) or None,
        "until": given.until,
        "escalate_after": given.escalate_after,
        "send_at": given.at,
        "time_zone": given.time_zone,
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


def target_of(word: str) -> dict[str, str]:
    """One recipient, by the kinds of its addresses. What begins like a URL goes to the end."""
    target = {}
    while word:
        if word.startswith(("http://", "https://")):
            address, word = word, ""
        else:
            address, _, word = word.partition(",")
        kind = "url" if "://" in address else "email" if "@" in address else "phone"
        if kind in target:
            hint = "Give --to once for each recipient."
            raise CommandError(f"{kind} stands twice in one --to", hint, USAGE)
        target[kind] = address
    return target


def _for_batch(given: argparse.Namespace) -> Api:
    """The region; with --batch the lines say everything about each request themselves."""
    for name in _ABOUT_ONE:
        if getattr(given, name):
            option = name.rstrip("_").replace("_", "-")
            raise CommandError(f"--{option} goes into the lines of --batch", code=USAGE)
    return reach(given)


def _code(answer: dict[str, Any]) -> int:
    rejected = sum(message["status"] == "rejected" for message in answer["messages"])
    if rejected:
        note(f"{rejected} of {len(answer['messages'])} recipients were rejected.")
    return FAILED if rejected else OK


def _wait(api: Api, answer: dict[str, Any], as_json: bool) -> int:
    messages = [follow(api, each["id"]) for each in answer["messages"] if "id" in each]
    if as_json:
        json_line({**answer, "messages": messages})
    else:
        for message in messages:
            line("\n".join(trace_lines(message)))
    return _code(answer)
