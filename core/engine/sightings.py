"""When each core was last seen alive: by a beat of it, or by its lease, whose counter moved.

For people and for suspicion only. Whether a lease may be revoked is `sync.lease.Watch`'s part.
"""

from collections.abc import Collection


class Sightings:
    """See the module's docstring. All times on CLOCK_BOOTTIME.

    Beats are frequent, so one that was seen by a beat counts as silent after `beat_s`. A lease is
    renewed and read less often: after `lease_s`.
    """

    def __init__(self, beat_s: float, lease_s: float) -> None:
        self._beat_s = beat_s
        self._lease_s = lease_s
        self._counters: dict[str, int] = {}
        self._seen: dict[str, tuple[float, float]] = {}

    def beat(self, incarnation: str, now: float) -> None:
        """It said that it lives."""
        self._seen[incarnation] = (now, self._beat_s)

    def lease(self, incarnation: str, counter: int, now: float) -> None:
        """Its lease was read. The first reading does not say when it was renewed."""
        known = self._counters.get(incarnation)
        self._counters[incarnation] = counter
        if known is not None and known < counter:
            self._seen[incarnation] = (now, self._lease_s)

    def keep(self, living: Collection[str]) -> None:
        """Forget all others."""
        for known in (self._counters, self._seen):
            for incarnation in known.keys() - living:
                del known[incarnation]

    def age_s(self, incarnation: str, now: float) -> float | None:
        """How long ago it was seen alive, None where it never was."""
        seen = self._seen.get(incarnation)
        return None if seen is None else max(0.0, now - seen[0])

    def heard(self, incarnation: str, now: float) -> bool:
        """Whether it was seen alive, and is not silent since."""
        seen = self._seen.get(incarnation)
        return seen is not None and now - seen[0] < seen[1]
