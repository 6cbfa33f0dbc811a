"""Writes on their way: from a coordinator to all datacentres, one event for each.

When a write is handed over it is settled which replicas get it and when, and when the level is
reached, if it ever is. The own region's have it at once (nothing could tell that from a little
later). What is under way when a cut begins still arrives.

`hold`: what a process writes for a while lands late, whatever becomes of the process, and is not
answered.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from core.sim.process import Process
from core.sim.store.replicas import Configuration, some_of
from core.sim.store.rows import Mutation, Version, rows_of, some_partitions
from sync.store.port import (
    Done,
    PutForced,
    PutKey,
    PutPending,
    PutRow,
    PutViews,
    Register,
    Write,
)

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

STAYS = (PutRow, PutPending)  # what may stand in its writer's region alone, at that level


class Writes:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random) -> None:
        self._store = store
        self._random = random
        self._replicas = store.replicas
        self._local_logs: dict[str, bool] = {}
        self._levels: list[tuple[int, int]] = []
        self._held: dict[str, tuple[float, float]] = {}

    def hold(self, process: Process, seconds: float, late_s: float) -> None:
        """See the module's docstring; each write lands so much later."""
        self._held[process.name] = (self._store.now + seconds, late_s)

    def submit(
        self, process: Process, write: Write, stamp: int, done: Done, alone: bool = False
    ) -> None:
        """As in the port, for a process, with the write's timestamp; `alone`: see `sync.forced`."""
        store, replicas = self._store, self._replicas
        if type(write) is PutRow and write.at_us:
            store.counts["rows written again"] += 1
        region, local = process.region, alone or self.is_local(write)
        mutation = Mutation(write, stamp, store.now, replicas.at(region), region, local)
        held_s = self._held_s(process)
        fate = "late" if held_s else store.fate("write", process)
        if fate == "torn":
            mutation.write = some_partitions(write, self._random.random)
            mutation.whole = mutation.write is write
        after = store.scheduler.after
        if fate == "full":
            after(store.network.distance_s(region, region), lambda: done("full"), process)
            return
        stays = type(write) in STAYS and self.is_local(write) and store.keeps_alone(process)
        answered_s = self._spread(mutation, region, fate, stays, held_s)
        if fate == "slow":
            answered_s += self._random.random() * store.faults.slow_max_s
        if answered_s > store.timeout_s or fate not in {"", "slow"}:
            after(store.timeout_s, lambda: done("unknown"), process)
        else:
            after(answered_s, lambda: done(mutation.answer), process)

    def is_local(self, write: Write) -> bool:
        """Whether a majority of the own region's replicas is enough."""
        if type(write) is PutRow and not write.at_quorum:
            local = self._local_logs.get(write.log)
            if local is None:
                local = write.log.split(".", 3)[2].endswith("_local")
                self._local_logs[write.log] = local
            return local
        if type(write) is Register or type(write) is PutForced:
            return not write.at_quorum
        return type(write) in {PutKey, PutViews}

    def _held_s(self, process: Process) -> float:
        until_s, late_s = self._held.get(process.name, (0.0, 0.0))
        return late_s if self._store.faulty and self._store.now < until_s else 0.0

    def _spread(
        self, mutation: Mutation, region: str, fate: str, stays: bool, held_s: float
    ) -> float:
        """Send it to every datacentre, or to the own one alone; in how many seconds its level is
        reached."""
        store, down, travel_s = self._store, self._replicas.down, self._store.network.travel_s
        never_s = store.timeout_s * 2
        follows = mutation.follows
        if fate == "lost" or not follows.bits[region] & ~down:
            return never_s
        late_s = 0.0
        if fate == "late":
            late_s = held_s or store.timeout_s + self._random.random() * store.faults.late_max_s
        torn = follows.all
        if fate == "torn" and mutation.whole:
            torn = self._minority(follows)
        acks: list[tuple[float, int]] = []
        for there, bits in follows.bits.items():
            if stays and there != region:
                continue
            up = bits & ~down & torn
            near = there == region and not late_s
            out_s = 0.0 if near else travel_s(region, there) if up else None
            if out_s is None:
                up = 0
            elif up:
                if near:
                    self.land(mutation, there, up)
                else:
                    store.scheduler.after(late_s + out_s, self._landing(mutation, there, up))
                back_s = travel_s(there, region)
                if back_s is not None and up & mutation.of:
                    acks.append((late_s + out_s + back_s, up.bit_count()))
            if up != bits and fate != "torn":
                store.hints.keep(mutation, region, there, bits & ~up)
        needs = mutation.needs
        for at_s, count in sorted(acks):
            needs -= count
            if needs <= 0:
                return at_s
        return never_s

    def _minority(self, follows: Configuration) -> int:
        count = self._random.randrange(1, max(2, follows.quorum))
        return some_of(follows.all, count, self._random.randrange(64))

    def _landing(self, mutation: Mutation, region: str, bits: int) -> Callable[[], None]:
        return lambda: self.land(mutation, region, bits)

    # At the replicas

    def land(self, mutation: Mutation, region: str, bits: int) -> None:
        """Replicas of a region apply it; one that has left meanwhile answers as the others."""
        store, write = self._store, mutation.write
        if store.refuses_revoked and isinstance(write, PutRow | PutKey) and self._is_closed(write):
            mutation.answer = "revoked"
            return
        if not mutation.versions:
            now = store.now
            mutation.versions = [store.rows.put(row, now) for row in rows_of(write, mutation.stamp)]
            for version in mutation.versions:
                version.mutation = version.mutation or mutation
            store.truth.put(write, mutation.stamp)
        everywhere = self._replicas.in_use
        for version in mutation.versions:
            version.mask |= bits
            if version.mask & everywhere == everywhere and version.older is not None:
                self._hide(version)
        if not mutation.stands:
            self._reached(mutation)
        store.on_applied(write, region)

    def spread_to(self, version: Version, bits: int) -> None:
        """Other replicas get a version from those that have it."""
        everywhere = self._replicas.in_use
        version.mask |= bits
        if version.mask & everywhere == everywhere and version.older is not None:
            self._hide(version)
        if version.mutation is not None and not version.mutation.stands:
            self._reached(version.mutation)

    def _hide(self, version: Version) -> None:
        """It stands everywhere: nobody is shown what came before it."""
        older, version.older = version.older, None
        while older is not None:
            older.hidden = True
            if older.mutation is not None and not older.mutation.stands:
                self._reached(older.mutation)
            older = older.older

    def _reached(self, mutation: Mutation) -> None:
        if mutation.reached(self._levels):
            mutation.stands = True
            for version in mutation.versions:
                version.stood = True
            self._store.stands.put(mutation.write, mutation.stamp)
            self._store.on_stands(mutation.write, mutation.stamp)
            if type(mutation.write) is PutForced and mutation.write.row.alone:
                self._alone(mutation.write.row.regions[0])

    def _alone(self, region: str) -> None:
        """A region owns alone: what it has stands, for it will act on it and others follow."""
        follows = self._replicas.at(region)
        self._levels.append((follows.needs(region, local=True), follows.bits[region]))
        for version in list(self._store.rows.versions()):
            if version.mutation is not None and not version.mutation.stands:
                self._reached(version.mutation)

    def _is_closed(self, write: PutRow | PutKey) -> bool:
        if not write.log:
            return False
        lease = self._store.truth.lease_rows.get(write.log.split(".")[3])
        return lease is not None and lease.state != "active"
