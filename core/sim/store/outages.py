"""Replicas that go away, that lose their data, and what brings all of them together again.

A replica that lost its data is a replaced replica: it answers nothing until it was rebuilt, and
that needs so many others that every row that stood at quorum is with one of them. Tables expire by
age, whatever stands in them. With rates set, outages come by themselves while faults are on.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

TRY_AGAIN_S = 1.0


class Outages:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random) -> None:
        self._store = store
        self._random = random
        self._lost = 0
        self._away_until: dict[int, float] = {}

    @property
    def any_lost(self) -> bool:
        """Whether a replica that lost its data is not rebuilt yet."""
        return self._lost != 0

    def start(self) -> None:
        """Let outages come by themselves, as often as the faults' rates say."""
        faults, count = self._store.faults, self._store.replicas.places
        for rate, begin in ((faults.replica_down, self._away), (faults.replica_lost, self._lose)):
            if rate:
                self._later(rate * count, begin)

    def take_down(self, replica: int, seconds: float) -> None:
        """It answers nothing for so long; hints wait for it."""
        store = self._store
        self._away_until[replica] = max(self._away_until.get(replica, 0.0), store.now + seconds)
        store.replicas.down |= 1 << replica
        store.scheduler.after(seconds, lambda: self._back(replica))

    def lose_data(self, replica: int) -> None:
        """All that it had is gone, hints that it kept too; it is down until `rebuild`."""
        store = self._store
        self._lost |= 1 << replica
        store.replicas.down |= 1 << replica
        store.rows.drop(1 << replica)
        store.hints.lose(store.replicas.region_of(replica), replica % store.replicas.each)

    def rebuild(self, replica: int) -> bool:
        """Fill a replaced replica from the others and let it answer; False if too few are there."""
        store = self._store
        region = store.replicas.region_of(replica)
        others = self._within_reach(region)
        newest = store.replicas.newest
        if others.bit_count() <= newest.all.bit_count() - newest.quorum:
            return False
        store.counts["replicas rebuilt"] += 1
        self.join(others, 1 << replica)
        self._lost &= ~(1 << replica)
        self._back(replica)
        return True

    def repair(self, region: str) -> bool:
        """All replicas that this region reaches have the same afterwards.

        False, and nothing done, if they are no majority: it would not bring all that stands.
        """
        store = self._store
        within = self._within_reach(region)
        if not store.majority(region):
            return False
        store.counts["repairs"] += 1
        self.join(within, within)
        return True

    def expire(self, age_s: float) -> int:
        """Rows first written longer ago than that are gone everywhere; how many they were."""
        gone = self._store.rows.expire(self._store.now - age_s)
        self._store.counts["rows expired"] += gone
        return gone

    def _within_reach(self, region: str) -> int:
        store, found = self._store, 0
        for there in store.replicas.bits:
            if store.network.connected(region, there):
                found |= store.replicas.up(there)
        return found

    def join(self, having: int, getting: int) -> None:
        """What some replicas have, others get."""
        for version in list(self._store.rows.versions()):
            if version.mask & having and version.mask & getting != getting:
                self._store.writes.spread_to(version, getting)

    def _back(self, replica: int) -> None:
        away = self._away_until.get(replica, 0.0) > self._store.now
        if not away and not self._lost >> replica & 1:
            self._store.replicas.down &= ~(1 << replica)

    # By themselves

    def _later(self, rate: float, begin: Callable[[], None]) -> None:
        def again() -> None:
            if self._store.faulty:
                begin()
            self._later(rate, begin)

        self._store.scheduler.after(self._random.expovariate(rate), again)

    def _away(self) -> None:
        replica = self._random.randrange(self._store.replicas.places)
        seconds = self._random.uniform(0.5, self._store.faults.down_max_s)
        if self._store.occurs("replica down", self._store.replicas.name(replica)):
            self.take_down(replica, seconds)

    def _lose(self) -> None:
        """One replica at a time: two lost at once are outside of what is promised."""
        if self._lost:
            return
        replica = self._random.randrange(self._store.replicas.places)
        if not self._store.occurs("replica lost", self._store.replicas.name(replica)):
            return
        self.lose_data(replica)
        after_s = self._random.uniform(0.5, self._store.faults.down_max_s)
        self._store.scheduler.after(after_s, lambda: self._rebuild(replica))

    def _rebuild(self, replica: int) -> None:
        if self._lost >> replica & 1 and not self.rebuild(replica):
            self._store.scheduler.after(TRY_AGAIN_S, lambda: self._rebuild(replica))
