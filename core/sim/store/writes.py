"""Writes on their way: from a coordinator to all datacentres, one event for each.

When a write is handed over it is settled which replicas get it and when, and when the level is
reached, if it ever is. The own region's have it at once (nothing could tell that from a little
later). What is under way when a cut begins still arrives.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from core.sim.process import Process
from core.sim.store.replicas import Configuration, some_of
from core.sim.store.rows import Mutation, Version, rows_of, some_partitions
from sync.store.port import Done, PutKey, PutRow, PutViews, Register, Write

if TYPE_CHECKING:
    from core.sim.store.store import SimStore


class Writes:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random) -> None:
        self._store = store
        self._random = random
        self._replicas = store.replicas
        self._local_logs: dict[str, bool] = {}

    def submit(self, process: Process, write: Write, stamp: int, done: Done) -> None:
        """As in the port, for a process, with the write's timestamp."""
        store, replicas = self._store, self._replicas
        region, local = process.region, self.is_local(write)
        mutation = Mutation(write, stamp, store.now, replicas.at(region), region, local)
        fate = store.fate("write", process)
        if fate == "torn":
            mutation.write = some_partitions(write, self._random.random)
            mutation.whole = mutation.write is write
        after = store.scheduler.after
        if fate == "full":
            after(store.network.distance_s(region, region), lambda: done("full"), process)
            return
        answered_s = self._spread(mutation, region, fate)
        if fate == "slow":
            answered_s += self._random.random() * store.faults.slow_max_s
        if answered_s > store.timeout_s or fate not in {"", "slow"}:
            after(store.timeout_s, lambda: done("unknown"), process)
        else:
            after(answered_s, lambda: done(mutation.answer), process)

    def is_local(self, write: Write) -> bool:
        """Whether a majority of the own region's replicas is enough."""
        if type(write) is PutRow:
            local = self._local_logs.get(write.log)
            if local is None:
                local = write.log.split(".", 3)[2].endswith("_local")
                self._local_logs[write.log] = local
            return local
        return type(write) in {PutKey, PutViews} or (
            type(write) is Register and not write.at_quorum
        )

    def _spread(self, mutation: Mutation, region: str, fate: str) -> float:
        """Send it to every datacentre; in how many seconds its level is reached."""
        store, down, travel_s = self._store, self._replicas.down, self._store.network.travel_s
        never_s = store.timeout_s * 2
        follows = mutation.follows
        if fate == "lost" or not follows.bits[region] & ~down:
            return never_s
        late_s = 0.0
        if fate == "late":
            late_s = store.timeout_s + self._random.random() * store.faults.late_max_s
        torn = follows.all
        if fate == "torn" and mutation.whole:
            torn = self._minority(follows)
        acks: list[tuple[float, int]] = []
        for there, bits in follows.bits.items():
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
            if version.mask & everywhere == everywhere:
                version.older = None
        if not mutation.stands:
            self._reached(mutation)
        store.on_applied(write, region)

    def spread_to(self, version: Version, bits: int) -> None:
        """Other replicas get a version from those that have it."""
        everywhere = self._replicas.in_use
        version.mask |= bits
        if version.mask & everywhere == everywhere:
            version.older = None
        if version.mutation is not None and not version.mutation.stands:
            self._reached(version.mutation)

    def _reached(self, mutation: Mutation) -> None:
        if mutation.reached():
            mutation.stands = True
            for version in mutation.versions:
                version.stood = True
            self._store.stands.put(mutation.write, mutation.stamp)
            self._store.on_stands(mutation.write, mutation.stamp)

    def _is_closed(self, write: PutRow | PutKey) -> bool:
        if not write.log:
            return False
        lease = self._store.truth.lease_rows.get(write.log.split(".")[3])
        return lease is not None and lease.state != "active"
