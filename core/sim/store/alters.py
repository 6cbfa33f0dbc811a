"""The keyspace's replication changes: who holds it, and since when each coordinator knows.

A replica that joins is empty, whatever it held before. Coordinators follow a new configuration at a
moment of their own within a short while, those of a region that is cut off when they are reached
again; until then the old and the new one are in use at once.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

from core.sim.process import Process
from core.sim.store.replicas import Configuration

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

FOLLOW_MAX_S = 1.5
TRY_AGAIN_S = 0.5


class Alters:
    """See the module's docstring. `on_altered` is told the configuration before and the new one.

    `repaired_from_s` is when the last repair began that was carried out: a verification is about
    what was there by then.
    """

    def __init__(self, store: "SimStore", random: Random) -> None:
        self._store = store
        self.random = random
        self.repaired_from_s = 0.0
        self.on_altered: Callable[[Configuration, Configuration], None] = lambda _old, _new: None

    def alter(self, region: str, counts: Mapping[str, int]) -> None:
        """A coordinator of this region was asked for these counts."""
        store, replicas = self._store, self._store.replicas
        if dict(counts) == replicas.newest.counts():
            return
        made = replicas.configured(counts, replicas.newest.version + 1)
        store.counts["replication altered"] += 1
        self._empty(made.all & ~replicas.in_use)
        self.on_altered(replicas.newest, made)
        replicas.alter(made)
        for there in replicas.bits:
            after_s = self.random.uniform(0.0, FOLLOW_MAX_S)
            self._follow_later(region, there, made, after_s)

    def _empty(self, joining: int) -> None:
        while joining:
            replica = joining & -joining
            joining &= joining - 1
            self._store.rows.drop(replica)

    def _follow_later(self, region: str, there: str, made: Configuration, after_s: float) -> None:
        self._store.scheduler.after(after_s, lambda: self._follow(region, there, made))

    def _follow(self, region: str, there: str, made: Configuration) -> None:
        """From any region whose coordinators know it."""
        store, replicas = self._store, self._store.replicas
        told = [each for each in replicas.bits if replicas.at(each).version >= made.version]
        if any(store.network.connected(each, there) for each in (region, *told)):
            replicas.follow(there, made)
        else:
            self._follow_later(region, there, made, TRY_AGAIN_S)

    def strike(self, process: Process) -> None:
        """A process reads that it is to alter the configuration: it may stand still now."""
        store, rate = self._store, self._store.faults.freeze_at_alter
        if not store.faulty or not rate or self.random.random() >= rate:
            return
        seconds = self.random.uniform(5.0, store.faults.driver_max_s)
        if store.occurs("freeze at an alter", process.name):
            process.frozen_until = max(process.frozen_until, store.now + seconds)

    def join(self, having: int, getting: int) -> None:
        """What some replicas have, others get; with luck all of it."""
        store, rate = self._store, self._store.faults.repair_short
        short = store.faulty and rate > 0 and self.random.random() < rate
        if short and store.occurs("repair too short", ""):
            for version in list(store.rows.versions()):
                if version.mask & having and self.random.random() < 0.5:
                    store.writes.spread_to(version, getting)
        else:
            store.outages.join(having, getting)

    def same(self) -> bool:
        """Whether all replicas have what was there when the last repair began."""
        every = self._store.replicas.newest.all
        for rows in self._store.rows.partitions.values():
            for version in rows.values():
                walked, having = version, version.mask
                while walked.older is not None and walked.born_s >= self.repaired_from_s:
                    walked = walked.older
                    having |= walked.mask
                settled = walked.born_s < self.repaired_from_s
                if settled and having & every and having & every != every:
                    return False
        return True
