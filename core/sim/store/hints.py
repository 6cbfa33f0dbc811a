"""What replicas missed, and how it comes to them: hints, late; repair and rebuilding, whole.

A hint is kept by the coordinator's region and tried every few seconds until its replicas are
there again. One older than the hint window is dropped: only a repair brings what it held.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

from core.sim.network import Network
from core.sim.scheduler import Scheduler
from core.sim.store.replicas import Replicas
from core.sim.store.rows import Mutation

Land = Callable[[Mutation, str, int], None]


class Hints:
    """See the module's docstring. `land(mutation, region, replicas)` delivers."""

    def __init__(
        self,
        scheduler: Scheduler,
        network: Network,
        random: Random,
        replicas: Replicas,
        counts: Counter[str],
        land: Land,
    ) -> None:
        self.window_s = 60.0
        self.every_max_s = 4.0
        self._scheduler = scheduler
        self._network = network
        self._random = random
        self._replicas = replicas
        self._counts = counts
        self._land = land
        self._waiting: dict[tuple[str, str], list[tuple[Mutation, int]]] = {}

    def keep(self, mutation: Mutation, src: str, dst: str, missed: int) -> None:
        """Replicas in `dst` did not get it from its coordinator in `src`."""
        self._counts["hints"] += 1
        waiting = self._waiting.setdefault((src, dst), [])
        waiting.append((mutation, missed))
        if len(waiting) == 1:
            self._later(src, dst)

    def waiting(self) -> int:
        """How many there are."""
        return sum(len(hints) for hints in self._waiting.values())

    def _later(self, src: str, dst: str) -> None:
        wait_s = self._random.uniform(0.2, self.every_max_s)
        self._scheduler.after(wait_s, lambda: self._deliver(src, dst))

    def _deliver(self, src: str, dst: str) -> None:
        waiting = self._waiting.pop((src, dst))
        connected = self._network.connected(src, dst) and self._replicas.up(src)
        left = []
        for mutation, missed in waiting:
            if self._scheduler.now - mutation.begun_s > self.window_s:
                self._counts["hints expired"] += 1
                continue
            there = missed & ~self._replicas.down if connected else 0
            if there:
                self._counts["hints delivered"] += 1
                self._land(mutation, dst, there)
            if missed & ~there:
                left.append((mutation, missed & ~there))
        if left:
            self._waiting[(src, dst)] = left
            self._later(src, dst)
