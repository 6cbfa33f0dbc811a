"""What follows a message that does not come as far as was asked (a fallback chain).

A message's `until` names the state that ends its chain. Pure: the facts come in, and the answer is
whether a next message is made now, whether more evidence is waited for, or neither. What ends a
chain never becomes untrue later. A message that was cancelled, or whose time is over, is followed
by nothing: the whole chain shares one expiry.
"""

from typing import Literal

from msgspec import Struct

from sync.records import Message, State

FollowUp = Literal["no", "wait", "now"]

_NO_SEND: frozenset[State] = frozenset({"failed", "unknown", "suppressed", "skipped"})


class Reached(Struct, frozen=True):
    """How far a message came. `sent`: a provider took it, whatever became of it then."""

    state: State
    sent: bool
    seen: bool


def reached(until: str, facts: Reached) -> bool:
    """Whether the message came as far as was asked."""
    if until == "sent":
        return facts.sent
    if until == "delivered":
        return facts.state == "delivered"
    return facts.seen


def escalates(message: Message, now_ms: int) -> bool:
    """Whether the time to wait for this message is over."""
    return bool(message.until) and 0 < message.escalate_at_ms <= now_ms


def follow_up(message: Message, facts: Reached, canceled: bool, now_ms: int) -> FollowUp:
    """What follows a message that has an end, or was sent."""
    if not message.until or canceled or facts.state == "canceled" or now_ms >= message.expires_ms:
        return "no"
    if reached(message.until, facts):
        return "no"
    if facts.state in _NO_SEND or escalates(message, now_ms):
        return "now"
    waits = facts.state in ("sent", "delivered") and message.escalate_at_ms > 0
    return "wait" if waits else "no"
