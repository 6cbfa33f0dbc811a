"""What an answer of the Messages API means for a message (DESIGN.md 5). A pure table.

The error's own code goes before the HTTP status, whatever the status is: an error in the body of
a 200 or 201 is an error. Only 502 and 504 are never believed to know. A code that the table does
not have is judged by its status. A success that is not the API's JSON with a `sid` leaves the
message in doubt, since it cannot be the API's own word.
"""

from typing import Any

import msgspec

from core.providers.http_answers import is_between, kind_of_status, scrubbed
from core.providers.port import Outcome, OutcomeKind

_CODES: dict[int, tuple[OutcomeKind, str]] = {
    14107: ("throttled", "too many messages"),
    20003: ("account_fault", "the account's name or token is wrong"),
    20005: ("account_fault", "the account is not active"),
    20006: ("account_fault", "access is denied"),
    20403: ("account_fault", "the account may not do this"),
    20404: ("account_fault", "there is no such account"),
    20429: ("throttled", "too many requests"),
    20500: ("retryable", "error at the provider"),
    20503: ("retryable", "the provider is not available"),
    20504: ("unknown", "the provider gave no answer in time"),
    21211: ("invalid_target", "the number is not valid"),
    21212: ("account_fault", "the sender is not valid"),
    21217: ("invalid_target", "the number is not valid"),
    21401: ("invalid_target", "the number is not valid"),
    21408: ("permanent", "the account may not send to this region"),
    21421: ("invalid_target", "the number is not valid"),
    21601: ("permanent", "the sender cannot send text messages"),
    21602: ("permanent", "the text is empty"),
    21603: ("account_fault", "the sender is missing"),
    21604: ("permanent", "the recipient is missing"),
    21605: ("permanent", "the text is too long"),
    21606: ("permanent", "the sender cannot reach this number"),
    21608: ("permanent", "a trial account reaches verified numbers only"),
    21610: ("permanent", "the recipient has opted out"),
    21611: ("throttled", "the sender's queue is full"),
    21612: ("permanent", "this sender and number do not go together"),
    21614: ("invalid_target", "the number cannot take text messages"),
    21617: ("permanent", "the text is too long"),
    21635: ("invalid_target", "the number is a landline"),
    21659: ("account_fault", "the sender does not belong to the account"),
    21660: ("account_fault", "the sender does not belong to the account"),
    21701: ("account_fault", "there is no such messaging service"),
    21703: ("account_fault", "the messaging service has no sender"),
    21704: ("account_fault", "the messaging service has no sender"),
    21705: ("account_fault", "the messaging service's name is not valid"),
    30001: ("throttled", "the queue is full"),
    30002: ("account_fault", "the account is suspended"),
    30003: ("retryable", "the handset cannot be reached now"),
    30004: ("permanent", "the message is blocked"),
    30005: ("invalid_target", "the number is not known"),
    30006: ("invalid_target", "the number is a landline or cannot be reached"),
    30007: ("permanent", "the message was filtered"),
    30008: ("permanent", "error of the carrier"),
    30010: ("permanent", "the price is above the account's limit"),
    30022: ("throttled", "too many messages for this carrier"),
    30023: ("throttled", "the day's limit of this carrier is reached"),
    30034: ("permanent", "the sender is not registered"),
    63017: ("throttled", "too many messages"),
    63018: ("throttled", "too many messages"),
    63038: ("throttled", "the account's daily limit is reached"),
}
# Of a failure that names no code, and of a message that was taken back.
_FAILED: tuple[OutcomeKind, str] = ("permanent", "the provider says that it failed")
_DEAD_STATUSES = frozenset({"failed", "undelivered", "canceled"})


def outcome(status: int, body: bytes, throttle_wait_ms: int) -> Outcome:
    """The outcome of a call; `throttle_wait_ms` is how long to hold back if it is throttled."""
    said = _object(body)
    if is_between(status):
        return Outcome("unknown", code=str(status), detail="a gateway in between answered")
    code = _number(said.get("error_code")) or _number(said.get("code"))
    if code:
        return _refused(code, _status_inside(status, said), said, throttle_wait_ms)
    if not 200 <= status < 300:
        kind = kind_of_status(status)
        detail = scrubbed(_text(said.get("message"))) or f"HTTP {status}"
        held_ms = throttle_wait_ms if kind == "throttled" else 0
        return Outcome(kind, code=str(status), detail=detail, wait_ms=held_ms)
    sid = _text(said.get("sid"))
    if said.get("status") in _DEAD_STATUSES:
        kind, meaning = _FAILED
        return Outcome(kind, code=str(said["status"]), detail=meaning)
    if not _is_id(sid):
        detail = "the answer is a success without the message's id"
        return Outcome("unknown", code=str(status), detail=detail)
    return Outcome("accepted", provider_id=sid, code=_text(said.get("status"))[:32])


def _refused(code: int, status: int, said: dict[str, Any], throttle_wait_ms: int) -> Outcome:
    known = _CODES.get(code)
    if known is not None:
        kind, detail = known
    else:
        kind = _FAILED[0] if 200 <= status < 300 else kind_of_status(status)
        detail = scrubbed(_text(said.get("error_message")) or _text(said.get("message")))
    held_ms = throttle_wait_ms if kind == "throttled" else 0
    return Outcome(kind, code=str(code), detail=detail, wait_ms=held_ms)


def _status_inside(status: int, said: dict[str, Any]) -> int:
    """An error's body names its status; under a 200 that one counts."""
    inside = _number(said.get("status"))
    return inside if 200 <= status < 300 and 400 <= inside < 600 else status


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _number(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_id(sid: str) -> bool:
    return 0 < len(sid) <= 64 and sid.isascii() and sid.isalnum()
