"""Stamps of accepts: they rise within a process and stay close to the wall clock (PROTOCOL.md 12).

A stamp is microseconds since 1970. None of another process is followed: accept stamps decide only
among copies of a message, and registers are under compare-and-set. Pure: the wall clock comes in.
"""


class Hlc:
    """One process's clock."""

    def __init__(self) -> None:
        self._last = 0

    def stamp(self, wall_us: int) -> int:
        """A new stamp, above all that were given and not below the wall clock."""
        self._last = max(self._last + 1, wall_us)
        return self._last
