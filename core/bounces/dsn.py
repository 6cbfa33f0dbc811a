"""Delivery status notifications (RFC 3464, RFC 3463). Pure, and it never fails.

A mail of ours has one recipient. Where a report tells of several, the mail was passed on to more
than one mailbox: then it has failed only if it failed for all of them, and is delivered if it
reached one.
"""

import re

from core.bounces.parts import Part, groups
from core.bounces.verdict import Ignored, Said, Verdict
from core.providers.port import ReceiptStatus
from core.providers.smtp.classify import scrubbed

_GROUPS_MAX = 50
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])")
_ACTIONS: dict[str, ReceiptStatus] = {
    "failed": "failed",
    "delayed": "accepted",
    "delivered": "delivered",
    "relayed": "accepted",
    "expanded": "accepted",
}
_BY_CLASS: dict[str, ReceiptStatus] = {"2": "delivered", "4": "accepted", "5": "failed"}
# Given up after many tries: that says nothing of the mailbox.
_TOOK_TOO_LONG = frozenset({"5.4.7"})


def read_dsn(status_part: Part) -> Verdict:
    """What the body of a `message/delivery-status` says."""
    said = [found for group in groups(status_part.text(), _GROUPS_MAX) if (found := _group(group))]
    if not said:
        return Ignored("malformed")
    for status in ("delivered", "accepted"):
        for found in said:
            if found.status == status:
                return found
    return next((found for found in said if found.status == "failed"), said[0])


def enhanced_status(text: str) -> str:
    """The first enhanced status code in a server's words, or ""."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def _group(group: Part) -> Said | None:
    """What is told of one recipient; None for the group about the whole message."""
    action = group.header("Action").partition("(")[0].strip().lower()
    told = group.header("Status")
    if not action and not told:
        return None
    diagnostic = group.header("Diagnostic-Code")
    code = _code(told, diagnostic)
    status = _ACTIONS.get(action) or _BY_CLASS.get(code[:1])
    if status is None:
        return None
    if status == "failed" and (code.startswith("4.") or code in _TOOK_TOO_LONG):
        status = "expired"
    return Said(status, code, scrubbed(diagnostic.partition(";")[2].strip() or diagnostic))


def _code(told: str, diagnostic: str) -> str:
    """The status, or the more exact one that the server's own words hold (Exim tells 5.0.0)."""
    code = enhanced_status(told)
    exact = enhanced_status(diagnostic)
    if not code:
        reply = _REPLY.search(diagnostic)
        return exact or (f"{reply[1]}.0.0" if reply else "")
    if code.endswith(".0.0") and exact.startswith(code[0]):
        return exact
    return code
