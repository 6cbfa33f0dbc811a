"""What replicas missed, and how it comes to them: hints, late; repair and rebuilding, whole.

A hint is kept by the coordinator's region and tried every few seconds until its replicas are
there again. One older than the hint window is dropped: only a repair brings what it held.
"""

from random import Random
from typing import TYPE_CHECKING

from core.sim.store.rows import Mutation

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

EVERY_MIN_S, EVERY_MAX_S = 0.2, 4.0


class Hints:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random, window_s: float) -> None:
        self.window_s = window_s
        self._store = store
        self._random = random
        self._waiting: dict[tuple[str, str], list[tuple[Mutation, int]]] = {}

    def keep(self, mutation: Mutation, src: str, dst: str, missed: int) -> None:
        """Replicas in `dst` did not get it from its coordinator in `src`."""
        self._store.counts["hints"] += 1
        waiting = self._waiting.get((src, dst))
        if waiting is None:
            waiting = self._waiting[(src, dst)] = []
            self._later(src, dst)
        waiting.append((mutation, missed))

    def waiting(self) -> int:
        """How many there are."""
        return sum(len(hints) for hints in self._waiting.values())

    def _later(self, src: str, dst: str) -> None:
        wait_s = self._random.uniform(EVERY_MIN_S, EVERY_MAX_S)
        self._store.scheduler.after(wait_s, lambda: self._deliver(src, dst))

    def _deliver(self, src: str, dst: str) -> None:
        store, waiting = self._store, self._waiting.pop((src, dst), [])
        connected = store.network.connected(src, dst) and store.replicas.up(src)
        left = []
        in_use = store.replicas.in_use
        for mutation, missed in waiting:
            if store.now - mutation.begun_s > self.window_s:
                store.counts["hints expired"] += 1
                continue
            missed &= in_use  # for one that has left there is nothing to bring
            there = missed & ~store.replicas.down if connected else 0
            if there:
                store.counts["hints delivered"] += 1
                store.writes.land(mutation, dst, there)
            if missed & ~there:
                left.append((mutation, missed & ~there))
        if left:
            self._waiting[(src, dst)] = left
            self._later(src, dst)

    def lose(self, region: str, replica: int) -> None:
        """A replica of the region (the n-th there) lost its data: its share of the hints too."""
        each = self._store.replicas.each
        for (src, dst), waiting in self._waiting.items():
            if src == region:
                kept = [hint for hint in waiting if hint[0].stamp // 1000 % each != replica]
                self._waiting[(src, dst)] = kept
