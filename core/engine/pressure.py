"""How close this core is to more than it can carry, from 0 to 1.

Two things tell: records that wait for a row of a log, as a share of what may wait (the store does
not keep up), and how late the clocked work comes (the processor does not keep up). Messages that
wait for a provider do not count: they are safe in the journal, however many there are. Looked at
with each tick of the clocked work and not with each request, of which there are many more.
"""

from collections.abc import Callable

LATE_S = 1.0  # being late by so much is as much as can be carried
NEWEST = 0.1


class Pressure:
    """`logs` answers the share of the logs' bound that waits."""

    def __init__(self, logs: Callable[[], float]) -> None:
        self._logs = logs
        self._late_s = 0.0
        self._now = 0.0

    def ticked(self, late_s: float) -> None:
        """The clocked work came, so much later than it should have."""
        self._late_s += NEWEST * (max(0.0, late_s) - self._late_s)
        self._now = min(1.0, max(self._logs(), self._late_s / LATE_S))

    def __call__(self) -> float:
        """The pressure at the last tick."""
        return self._now
