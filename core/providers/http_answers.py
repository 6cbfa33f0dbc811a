"""What an HTTP answer says before anybody knows the provider's own words. Pure.

Statuses are judged by what HTTP says of them (DESIGN.md 5): 502 and 504 are words of somebody in
between, so the request may have had its effect; a redirect is not followed and so had none.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from core.providers.port import OutcomeKind

TEXT_CHARS_MAX = 2_000  # of an answer is looked at: what a hostile server writes must not cost time
_DETAIL_MAX = 200
_NUMBER_LIKE = re.compile(r"\+?\d(?:[\s().-]?\d){4,}")
_ADDRESS_LIKE = re.compile(r"[^\s<>()\"']+@[^\s<>()\"']+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\uffff]+")
_KINDS: dict[int, OutcomeKind] = {
    401: "account_fault",
    403: "account_fault",
    404: "account_fault",  # the account's own address: it leads nowhere
    405: "account_fault",
    408: "unknown",
    429: "throttled",
    500: "retryable",
    502: "unknown",
    503: "retryable",
    504: "unknown",
}


def kind_of_status(status: int) -> OutcomeKind:
    """What an answer with this status means where its body says nothing that we know."""
    known = _KINDS.get(status)
    if known is not None:
        return known
    if 300 <= status < 400:
        return "account_fault"
    return "permanent" if 400 <= status < 500 else "unknown"


def is_between(status: int) -> bool:
    """Whether somebody between us and the provider answered, who cannot know what became of it."""
    return status in (502, 504)


def wait_ms(retry_after: str, wall_ms: int, default_ms: int, max_ms: int) -> int:
    """What a Retry-After header asks for: seconds or a date; `default_ms` where it is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        told_ms = int(text) * 1_000
    else:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return default_ms
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        told_ms = int(when.timestamp() * 1_000) - wall_ms
    return max(1, min(told_ms, max_ms))


def scrubbed(text: str) -> str:
    """A provider's words for a person: no number or address that may be the recipient's."""
    text = _ADDRESS_LIKE.sub("(address)", text[:TEXT_CHARS_MAX])
    text = _NUMBER_LIKE.sub("(number)", text)
    return _UNPRINTABLE.sub(" ", text).strip()[:_DETAIL_MAX]
