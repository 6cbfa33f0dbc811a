"""Which classes a cause stops, and how causes join. Pure.

A bounce or an invalid target stops everything; a complaint everything that was not asked for a
moment ago; an unsubscribe what is sent in bulk, and the class of the message that was left. Entries
only add up: joining is commutative, associative and idempotent.
"""

from collections.abc import Iterable

from msgspec import Struct

from core.contract.requests import MessageClass
from core.contract.suppressions import SuppressionReason

CLASSES: tuple[MessageClass, ...] = ("otp", "alert", "transactional", "bulk")
REASONS: tuple[SuppressionReason, ...] = (
    "bounce",
    "complaint",
    "unsubscribe",
    "invalid",
    "manual",
)
_STOPS: dict[SuppressionReason, tuple[MessageClass, ...]] = {
    "bounce": CLASSES,
    "invalid": CLASSES,
    "complaint": ("transactional", "bulk"),
    "unsubscribe": ("bulk",),
    "manual": CLASSES,
}


class Entry(Struct, frozen=True):
    """One cause as it is stored."""

    reason: SuppressionReason
    classes: tuple[MessageClass, ...]
    at_ms: int
    detail: str = ""
    message: str = ""


def entry_of(
    reason: SuppressionReason,
    at_ms: int,
    *,
    also: Iterable[MessageClass] = (),
    only: Iterable[MessageClass] = (),
    detail: str = "",
    message: str = "",
) -> Entry:
    """A cause with the classes that it stops: those of its reason and `also`, or `only` these."""
    chosen = set(only) or {*_STOPS[reason], *also}
    classes = tuple(each for each in CLASSES if each in chosen)
    return Entry(reason, classes, at_ms, detail[:200], message)


def joined(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """One cause for each reason: the earliest, with all classes of its kind; the oldest first."""
    by_reason: dict[str, Entry] = {}
    for entry in sorted(entries, key=_order):
        known = by_reason.get(entry.reason)
        by_reason[entry.reason] = entry if known is None else _merged(known, entry)
    return tuple(sorted(by_reason.values(), key=_order))


def stopped(entries: Iterable[Entry]) -> dict[MessageClass, SuppressionReason]:
    """The classes that are stopped, each with the reason that came first."""
    found: dict[MessageClass, SuppressionReason] = {}
    for entry in sorted(entries, key=_order):
        for each in entry.classes:
            found.setdefault(each, entry.reason)
    return found


def _merged(first: Entry, second: Entry) -> Entry:
    both = {*first.classes, *second.classes}
    classes = tuple(each for each in CLASSES if each in both)
    return Entry(first.reason, classes, first.at_ms, first.detail, first.message)


def _order(entry: Entry) -> tuple[int, str, str, str]:
    return entry.at_ms, entry.reason, entry.message, entry.detail
