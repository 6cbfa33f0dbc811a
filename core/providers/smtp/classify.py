"""What a server's reply means for a message (DESIGN.md 5). Pure.

A reply is judged by its code, its enhanced status code, the command that it answers, and, where
these two leave it open, by words that servers are known to use. A negative reply is always a
definite no, after the data block too: the server says that it does not keep the mail.
"""

import re
from typing import Literal

from core.providers.port import Outcome, OutcomeKind
from core.providers.smtp.reply import Reply

Phase = Literal["mail", "rcpt", "data", "body"]

_ACCOUNT_CODES = frozenset({530, 534, 535, 538})
_ACCOUNT_ENHANCED = frozenset({"5.7.8", "5.7.9", "5.7.11"})
_INVALID_ENHANCED = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_MAILBOX_CODES = frozenset({550, 551, 553})
# Enhanced codes that speak of the sender, the mailbox's size, the system, the route, the content
# or a policy: with these a 550 is no statement about whether the recipient exists.
_NOT_THE_RECIPIENT = re.compile(r"5\.(?:1\.[78]|2\.[23]|[3467]\.\d+)")
_POLICY_WORDS = re.compile(
    r"relay|polic|spam|blacklist|blocklist|blocked|banned|denied|not permitted|not allowed|"
    r"authenticat|sender",
    re.IGNORECASE,
)
_RATE_WORDS = re.compile(
    r"\brate\b|rate.?limit|too many|too quickly|too fast|too much mail|throttl|grey.?list|"
    r"slow down|quota exceeded for sending",
    re.IGNORECASE,
)
_WAIT = re.compile(r"\b(\d{1,6})\s*(s|sec|second|m|min|minute|h|hour)s?\b", re.IGNORECASE)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_QUEUE_ID = re.compile(
    r"queued as:?\s+<?([^\s<>;,]+)"  # Postfix, SendGrid and others
    r"|\bid[=:]\s*<?([^\s<>;,\]]+)"  # Exim
    r"|\bInternalId=(\d+)"  # Exchange
    r"|\bqp (\d+)"  # qmail
    r"|(\S+) Message accepted for delivery"  # sendmail
    r"|\bOK\s+\d+\s+(\S+) - gsmtp"  # Google
    r"|\bqueued \(([^\s()]+)\)"  # Haraka
    r"|^(?:2\.\d\.\d )?Ok:? (?=\S*\d)([0-9A-Za-z._-]{12,})\s*$",  # SES
    re.IGNORECASE,
)
_QUEUE_ID_MAX = 128
_DETAIL_MAX = 200
_TEXT_MAX = 512  # of a reply is looked at: what a hostile server writes must not cost time
_ADDRESS_LIKE = re.compile(r"[^\s<>()\"']+@[^\s<>()\"']+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def accepted(reply: Reply, message_id: str) -> Outcome:
    """The outcome of a positive reply to the data block."""
    return Outcome("accepted", provider_id=queue_id(reply.text) or message_id, code=str(reply.code))


def queue_id(text: str) -> str:
    """The server's own name of the mail, where its reply tells one, else ""."""
    found = _QUEUE_ID.search(text[:_TEXT_MAX])
    if found is None:
        return ""
    name = next(group for group in found.groups() if group).rstrip(".")
    return name if len(name) <= _QUEUE_ID_MAX and name.isascii() and name.isprintable() else ""


def refused(
    reply: Reply, phase: Phase, *, recipient: str, throttle_wait_ms: int, wait_max_ms: int
) -> Outcome:
    """The outcome of a 4xx or 5xx reply to the command named by `phase`."""
    code = f"{reply.code} {reply.enhanced}".rstrip()
    detail = scrubbed(f"{phase}: {reply.text}", recipient)
    if reply.code < 500:
        if not is_throttling(reply):
            return Outcome("retryable", code=code, detail=detail)
        wait_ms = told_wait_ms(reply.text, throttle_wait_ms, wait_max_ms)
        return Outcome("throttled", code=code, detail=detail, wait_ms=wait_ms)
    return Outcome(_permanent_kind(reply, phase), code=code, detail=detail)


def is_throttling(reply: Reply) -> bool:
    """Whether a 4xx reply speaks of us coming too fast rather than of the mail."""
    return (
        reply.code == 421
        or reply.enhanced.startswith("4.7.")
        or bool(_RATE_WORDS.search(reply.text[:_TEXT_MAX]))
    )


def told_wait_ms(text: str, default_ms: int, max_ms: int) -> int:
    """The wait that the text names ("try again in 5 minutes"), at most `max_ms`."""
    found = _WAIT.search(text[:_TEXT_MAX])
    if found is None:
        return default_ms
    told_ms = int(found.group(1)) * _UNIT_MS[found.group(2)[0].lower()]
    return max(1, min(told_ms, max_ms))


def is_account_fault(reply: Reply) -> bool:
    """Whether the reply is about who we are: no mail of this account will be taken."""
    return reply.code in _ACCOUNT_CODES or reply.enhanced in _ACCOUNT_ENHANCED


def scrubbed(text: str, *names: str) -> str:
    """The server's words for a person: no address, none of `names` or its local part."""
    text = _ADDRESS_LIKE.sub("(address)", text[:_TEXT_MAX])
    for name in names:
        for word in (name, name.rpartition("@")[0]):
            if len(word) >= 2 and word.casefold() in text.casefold():
                text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "(name)", text, flags=re.I)
    return _UNPRINTABLE.sub(" ", text).strip()[:_DETAIL_MAX]


def _permanent_kind(reply: Reply, phase: Phase) -> OutcomeKind:
    enhanced = reply.enhanced
    if is_account_fault(reply):
        return "account_fault"
    if reply.code == 503 and not enhanced.startswith("5.7."):
        # "Bad sequence of commands" speaks of the session; on a new one the mail may be taken.
        return "retryable"
    if phase not in ("rcpt", "body"):
        return "permanent"
    if enhanced in _INVALID_ENHANCED:
        return "invalid_target"
    if phase == "body" or reply.code not in _MAILBOX_CODES:
        return "permanent"
    if _NOT_THE_RECIPIENT.fullmatch(enhanced) or _POLICY_WORDS.search(reply.text[:_TEXT_MAX]):
        return "permanent"
    return "invalid_target"
