"""When each core was last seen alive: by a beat of it, or by its lease, whose counter moved.

For people and for suspicion only. Whether a lease may be revoked is `sync.lease.Watch`'s part.
"""

from collections.abc import Collection


class Sightings:
    """See the module's docstring. All times on CLOCK_BOOTTIME."""

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._at: dict[str, float] = {}

    def beat(self, incarnation: str, now: float) -> None:
        """It said that it lives."""
        self._at[incarnation] = now

    def lease(self, incarnation: str, counter: int, now: float) -> None:
        """Its lease was read. The first reading does not say when it was renewed."""
        known = self._counters.get(incarnation)
        self._counters[incarnation] = counter
        if known is not None and known < counter:
            self._at[incarnation] = now

    def keep(self, living: Collection[str]) -> None:
        """Forget all others."""
        for incarnation in self._counters.keys() - living:
            del self._counters[incarnation]
        for incarnation in self._at.keys() - living:
            del self._at[incarnation]

    def age_s(self, incarnation: str, now: float) -> float | None:
        """How long ago it was seen alive, None where it never was."""
        at = self._at.get(incarnation)
        return None if at is None else max(0.0, now - at)
