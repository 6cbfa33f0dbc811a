"""What follows a definite no (DESIGN.md 5).

What may pass is tried again with a growing pause and jitter, until the message expires; what will
not pass ends the message, unless another account may take it. What is told to a tenant's webhook
endpoint has the schedule of Standard Webhooks instead, and ends with it. Pure: the random number
comes in.
"""

from typing import Literal

from msgspec import Struct

MAY_PASS = frozenset({"retryable", "throttled", "not_sent", "withdrawn", "account_fault"})
WITHDRAWN_WAIT_MS = 250


class Rules(Struct, frozen=True):
    """The pause doubles from `first_ms` to `longest_ms`; `jitter` of it is left to chance.

    `schedule_ms` are the pauses before the second, third... attempt; after them there is none.
    """

    first_ms: int
    longest_ms: int
    jitter: float
    schedule_ms: tuple[int, ...] = ()


_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
STANDARD_WEBHOOKS_MS = (
    5_000,
    5 * _MINUTE_MS,
    30 * _MINUTE_MS,
    *(hours * _HOUR_MS for hours in (2, 5, 10, 14, 20, 24)),
)


def rules_of(channel: str, kind: str, usual: Rules) -> Rules:
    """The rules for a message of this channel; `kind` is "event" for an endpoint's events."""
    if channel == "webhook" and kind == "event":
        return Rules(usual.first_ms, usual.longest_ms, usual.jitter, STANDARD_WEBHOOKS_MS)
    return usual


class Next(Struct, frozen=True):
    """What to do: try `again` after `wait_ms`, go to `other` accounts at once, or `end`."""

    what: Literal["again", "other", "end"]
    wait_ms: int = 0
    state: Literal["failed"] = "failed"
    reason: str = ""


def after_refusal(
    kind: str, tries: int, wait_ms: int, others: bool, rules: Rules, chance: float
) -> Next:
    """`others`: another account is there that has not refused it. `chance` is in [0, 1)."""
    if kind == "invalid_target":
        return Next("end", reason="permanent")
    if kind == "permanent":
        return Next("other") if others else Next("end", reason="permanent")
    if kind == "withdrawn":
        return Next("again", WITHDRAWN_WAIT_MS)
    if others and kind != "not_sent":
        return Next("other")
    if rules.schedule_ms:
        if tries >= len(rules.schedule_ms):
            return Next("end", reason="temporary")
        pause = rules.schedule_ms[tries]
    else:
        pause = min(rules.longest_ms, rules.first_ms * 2 ** min(tries, 30))
    pause = int(pause * (1 - rules.jitter * chance))
    if kind == "throttled":
        pause = max(pause, wait_ms)
    return Next("again", pause)
