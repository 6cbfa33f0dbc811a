"""Ask how a message would go, and why, without sending it.

goutong route --to +447700900123 --class otp
goutong route --to ada@example.com --channel email
"""

import argparse

from core.cli.client import add_where, reach
from core.cli.explained import route_lines
from core.cli.out import OK, USAGE, CommandError, json_line, line
from core.contract.recipients import CHANNELS


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong route`."""
    add_where(parser)
    option = parser.add_argument
    option("--to", action="append", required=True, help="phone number, e-mail address or URL")
    option("--channel", action="append", choices=CHANNELS, help="again for a fallback")
    option("--class", dest="class_", choices=("otp", "alert", "transactional", "bulk"))
    option("--country", help="two capital letters, if the number does not say it")
    option("--text", help="to count parts and price")
    option("--tenant", help="ask for another tenant (with a key that may)")


def run(given: argparse.Namespace) -> int:
    """Ask, and show the decision of each channel."""
    to: dict[str, str] = {}
    for each in given.to:
        field = "url" if "://" in each else "email" if "@" in each else "phone"
        if field in to:
            raise CommandError("--to twice for one kind of address", code=USAGE)
        to[field] = each
    asked = {
        "channel": given.channel,
        "class": given.class_,
        "country": given.country,
        "text": given.text,
        "tenant": given.tenant,
    }
    body = {"to": to, **{name: value for name, value in asked.items() if value is not None}}
    found = reach(given, admin=given.tenant is not None).call("POST", "/v1/route", body)
    if given.json:
        json_line(found)
    else:
        line("\n".join(text for route in found["routes"] for text in route_lines(route)))
    return OK
