"""Counts over the last seconds, in slots: a fixed amount of memory however many come.

Pure: the time comes in as seconds of one clock. A clock that jumps back counts into the slot that
it left, until it gets there again.
"""

SLOTS = 10


class Window:
    """Two counts over the last `seconds`, exact to a tenth of it."""

    __slots__ = ("_at", "_first", "_second", "_slot_s", "_until", "first", "second")

    def __init__(self, seconds: float) -> None:
        self._slot_s = seconds / SLOTS
        self._at = 0
        self._until = 0.0  # the end of the slot that is counted into
        self._first = [0] * SLOTS
        self._second = [0] * SLOTS
        self.first = 0
        self.second = 0

    def add(self, now: float, first: int, second: int) -> None:
        """Count these now."""
        if now >= self._until:
            self.pass_by(now)
        slot = self._at % SLOTS
        self._first[slot] += first
        self._second[slot] += second
        self.first += first
        self.second += second

    def pass_by(self, now: float) -> None:
        """Forget what is older than the window; afterwards `first` and `second` hold."""
        at = int(now / self._slot_s)
        if at <= self._at:
            return
        self._until = (at + 1) * self._slot_s
        for gone in range(self._at + 1, min(at, self._at + SLOTS) + 1):
            slot = gone % SLOTS
            self.first -= self._first[slot]
            self.second -= self._second[slot]
            self._first[slot] = self._second[slot] = 0
        self._at = at

    def clear(self) -> None:
        """Forget everything."""
        self._first = [0] * SLOTS
        self._second = [0] * SLOTS
        self.first = self.second = 0
