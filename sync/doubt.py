"""What to do with a message whose call may or may not have had its effect (PROTOCOL.md 6).

A message is in doubt while any intent is unsettled, and nothing proves a send: whoever has proof
does not ask. The rules come in a fixed order: the same account and key again where the provider
deduplicates and the *first* intent with that key is young enough; `at_most_once` ends `unknown`;
`at_least_once` is sent once more, marked; else `unknown`. Pure: the same facts give the same
verdict.
"""

from typing import Literal

from msgspec import Struct

from sync.forced import force_of
from sync.records import Intent

Verdict = Literal["repeat", "resend", "unknown", "wait"]


class Doubt(Struct, frozen=True):
    """The facts that decide.

    `unsettled` are (attempt, intent) in any order; `margin_ms` is greater than the clock bound and
    is taken off the provider's window; `content` says whether the message's body is at hand.
    """

    unsettled: tuple[tuple[str, Intent], ...]
    now_ms: int
    margin_ms: int
    expires_ms: int
    canceled: bool
    content: bool


def relevant(unsettled: tuple[tuple[str, Intent], ...]) -> tuple[tuple[str, Intent], ...]:
    """The intents that can have been called.

    Those of the highest epoch, and those that they name: an intent of a lower epoch that the
    later owner did not see at quorum was never acknowledged to its writer, so never called. Under
    a lower force number an owner may have lived on without the later one, so its intents count.
    """
    highest = max(intent.epoch for _, intent in unsettled)
    named = {n for _, intent in unsettled if intent.epoch == highest for n in intent.names}
    return tuple(
        (attempt, intent)
        for attempt, intent in unsettled
        if intent.epoch == highest or attempt in named or force_of(intent.epoch) < force_of(highest)
    )


def judge(doubt: Doubt) -> tuple[Verdict, Intent | None]:
    """The verdict, and for `repeat` the intent whose account and key are used again."""
    counted = relevant(doubt.unsettled)
    latest = max(counted, key=lambda pair: (pair[1].epoch, pair[1].resend, pair[1].at_ms))[1]
    expired = doubt.now_ms >= doubt.expires_ms
    if expired or doubt.canceled:
        return "unknown", None
    if doubt.now_ms - latest.first_ms < latest.dedupe_ms - doubt.margin_ms:
        return ("repeat", latest) if doubt.content else ("wait", None)
    if latest.at_most_once:
        return "unknown", None
    if max(intent.resend for _, intent in counted) == 0:
        return ("resend", None) if doubt.content else ("wait", None)
    return "unknown", None
