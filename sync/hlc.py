"""Hybrid logical clock: stamps that respect causality and stay close to the wall clock.

A stamp is microseconds since 1970, never repeated and never going back in one process. `seen`
moves the clock past a stamp from elsewhere; one that is too far ahead is refused for registers
(PROTOCOL.md 12), never for journal rows. Pure: the wall clock comes in.
"""


class TooFarAheadError(ValueError):
    """A stamp lies further in the future than clocks may differ; `ahead_us` says by how much."""

    def __init__(self, ahead_us: int) -> None:
        super().__init__(f"the stamp is {ahead_us / 1e6:.3f} s ahead of this clock")
        self.ahead_us = ahead_us


class Hlc:
    """One process's clock."""

    def __init__(self, bound_us: int) -> None:
        self._bound_us = bound_us
        self._last = 0

    def stamp(self, wall_us: int) -> int:
        """A new stamp."""
        self._last = max(self._last + 1, wall_us)
        return self._last

    def seen(self, stamp: int, wall_us: int) -> None:
        """A stamp came from elsewhere; raises TooFarAheadError and ignores it beyond the bound."""
        if stamp - wall_us > self._bound_us:
            raise TooFarAheadError(stamp - wall_us)
        self._last = max(self._last, stamp)
