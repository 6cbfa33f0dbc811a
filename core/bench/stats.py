"""Figures: several values of one thing, shown by their median, with the spread beside it."""

from collections.abc import Sequence

from msgspec import Struct


class Figure(Struct, frozen=True):
    """One measured quantity over all runs."""

    name: str
    unit: str
    n: int
    median: float
    min: float
    max: float


class Bound(Struct, frozen=True):
    """A figure held against what was asked. `wanted` bounds are wishes: missing one is no fault."""

    name: str
    value: float
    limit: float
    at_least: bool
    met: bool
    wanted: bool = False


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number the mean of the two in the middle."""
    if not values:
        raise ValueError("the median of nothing")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def figure(name: str, unit: str, values: Sequence[float]) -> Figure:
    """The values of all runs as one figure."""
    return Figure(name, unit, len(values), median(values), min(values), max(values))


def at_least(name: str, value: float, limit: float, *, wanted: bool = False) -> Bound:
    """A bound from below."""
    return Bound(name, value, limit, True, value >= limit, wanted)


def at_most(name: str, value: float, limit: float, *, wanted: bool = False) -> Bound:
    """A bound from above."""
    return Bound(name, value, limit, False, value <= limit, wanted)
