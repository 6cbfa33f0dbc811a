"""The course of a day: how busy each part of it is, and when one provider is away. Pure.

A moment is a share of the day, from 0 to 1. The night is quiet; the forenoon and the evening are
busy. The mean over the day is 1.
"""

from math import cos, pi
from typing import Literal

from msgspec import Struct

Phase = Literal["before", "during", "after"]
PHASES: tuple[Phase, ...] = ("before", "during", "after")
OUTAGE_BEGINS = 1 / 3
OUTAGE_LASTS = 1 / 10


class Outage(Struct, frozen=True):
    """When the provider went away and when it was back, in milliseconds since 1970."""

    began_ms: int
    ended_ms: int

    def phase(self, at_ms: int) -> Phase:
        """Where a moment lies."""
        if at_ms < self.began_ms:
            return "before"
        return "during" if at_ms < self.ended_ms else "after"


def busy(moment: float) -> float:
    """How busy a moment is beside the mean: from 0.1 at night to 1.8 in the forenoon."""
    return 1.0 - 0.6 * cos(2 * pi * moment) - 0.4 * cos(4 * pi * (moment - 1 / 12))


def due(since: float, until: float, messages: float) -> float:
    """How many of a day's messages fall between two moments that lie close together."""
    return busy((since + until) / 2) * (until - since) * messages
