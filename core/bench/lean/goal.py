"""A count with a finish line.

The moment the line is crossed is taken in the turn that crosses it, so that how often somebody
looks has no influence on a rate.
"""

import asyncio
from collections.abc import Callable


class Goal:
    """Counts up; `reached` is set, and `reached_at` taken, when the count gets to `target`."""

    __slots__ = ("_now", "count", "reached", "reached_at", "target")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.count = 0
        self.target = 0
        self.reached_at = 0.0
        self.reached = asyncio.Event()

    def aim(self, target: int) -> None:
        """Begin again at nought with a new finish line; 0 means that there is none."""
        self.count = 0
        self.target = target
        self.reached_at = 0.0
        self.reached.clear()

    def hit(self, number: int = 1) -> None:
        """Count `number` more."""
        self.count += number
        if self.count >= self.target > 0 and not self.reached_at:
            self.reached_at = self._now()
            self.reached.set()
