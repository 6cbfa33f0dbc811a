"""Timestamps of writes: the process's wall clock in microseconds, always rising.

A write takes its timestamp once. When its answer was `unknown` it is repeated with the same one,
so that a late repeat never comes over what was written after it. Most are repeated as the same
object; a log row is made anew, so it is known by its number: one row of a log is under way.
"""

from collections.abc import Callable

from sync.store.port import PutRow, Write

UNKNOWN_MAX = 4096


class Stamps:
    """See the module's docstring."""

    def __init__(self, wall_us: Callable[[], int]) -> None:
        self._wall_us = wall_us
        self._last = 0
        self._unknown: dict[int, tuple[Write, int]] = {}
        self._rows: dict[str, tuple[int, int]] = {}

    def of(self, write: Write) -> int:
        """The timestamp of a write; the one that it had, if it is a repeat."""
        if type(write) is PutRow:
            return write.at_us or self._of_row(write)
        known = self._unknown.get(id(write))
        return self._next() if known is None else known[1]

    def answered(self, write: Write, stamp: int, known: bool) -> None:
        """Whether its answer is known now."""
        if type(write) is PutRow:
            return
        if known:
            if self._unknown:
                self._unknown.pop(id(write), None)
            return
        if len(self._unknown) >= UNKNOWN_MAX:
            self._unknown.pop(next(iter(self._unknown)))
        self._unknown[id(write)] = (write, stamp)  # the object is kept, so its number stays its own

    def _of_row(self, write: PutRow) -> int:
        row, stamp = self._rows.get(write.log, (0, 0))
        if row != write.row:
            stamp = self._next()
            self._rows[write.log] = (write.row, stamp)
        return stamp

    def _next(self) -> int:
        self._last = max(self._wall_us(), self._last + 1)
        return self._last
