"""A store of several datacentres on virtual time, with levels that can fail (PROTOCOL.md 0, 11).

Each region is a datacentre of one or three replicas. A write goes from a coordinator in its
writer's region to all replicas and is answered `ok` when as many have it as its level asks for:
log rows of accept lanes `*_local`, keys, views and registrations (unless they ask for more) a
majority of the own region's; all else a majority of all. If that takes longer than the write
time-out, the answer is `unknown`: some replicas may have it, and more get it later by hints. Reads
ask as many replicas, join what they have by rank, and first bring up to date those asked that lack
what is answered; where that is impossible they raise `StoreError`. Swaps: see `swaps`.

As in Cassandra, log rows of a revoked incarnation are not refused. With `refuses_revoked` (for one
region with one replica) they are, and writes keep the order of `submit`, as on SQLite.

`truth` is all that stands on any replica, `stands` what stands at its level, for checkers.
`faulty = False` stops all faults of the store, not those of the network.
"""

from asyncio import Future
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from core.sim.network import Network
from core.sim.process import Process
from core.sim.scheduler import Scheduler
from core.sim.store.faults import Fates, StoreFaults
from core.sim.store.hints import Hints
from core.sim.store.replicas import Replicas, some_of
from core.sim.store.rows import Mutation, Rows, Version, rows_of
from core.sim.store.swaps import Swaps
from core.sim.store.truth import Truth
from core.sim.store.view import SimView
from sync.store.port import (
    Done,
    PutKey,
    PutRow,
    PutViews,
    Register,
    StoreError,
    SwapLease,
    SwapShards,
    Write,
)

Look = Callable[[int, list[Version]], Any]


class SimStore:
    """See the module's docstring."""

    def __init__(
        self,
        scheduler: Scheduler,
        network: Network,
        random: Random,
        regions: Sequence[str],
        homes: Sequence[str],
        shards: int,
        faults: StoreFaults,
        *,
        replicas: int = 1,
        timeout_s: float = 1.0,
        hint_window_s: float = 60.0,
        refuses_revoked: bool = False,
    ) -> None:
        self.scheduler = scheduler
        self.network = network
        self.faults = faults
        self.faulty = True
        self.timeout_s = timeout_s
        self.refuses_revoked = refuses_revoked
        self.counts: Counter[str] = Counter()
        self.on_applied: Callable[[Write, str], None] = lambda _write, _region: None
        self.replicas = Replicas(list(regions), replicas)
        self.rows = Rows()
        self.truth = Truth(list(homes), shards)
        self.stands = Truth(list(homes), shards)
        self.stands.lease_rows = self.truth.lease_rows
        self.stands.shard_rows = self.truth.shard_rows
        self.swaps = Swaps(self, random)
        self.hints = Hints(scheduler, network, random, self.replicas, self.counts, self._land)
        self.hints.window_s = hint_window_s
        self._fates = Fates(faults, random)
        self._random = random
        self._local_logs: dict[str, bool] = {}
        self._views = 0
        self._last_at = 0.0

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.scheduler.now

    def view(self, process: Process) -> SimView:
        """The store as a process of one of the regions has it."""
        self._views += 1
        return SimView(self, process, self._views % 1000)

    # Writing

    def submit(self, process: Process, write: Write, stamp: int, done: Done) -> None:
        """As in the port, for a process, with the write's timestamp."""
        if isinstance(write, SwapLease | SwapShards):
            self.swaps.submit(process, write, done)
            return
        region, local = process.region, self._is_local(write)
        of = self.replicas.bits[region] if local else self.replicas.all
        mutation = Mutation(write, stamp, self.now, self.replicas.needs(local), of)
        fate = self.fate("write")
        answered_s = self._spread(mutation, region, fate)
        if fate == "slow":
            answered_s += self._random.random() * self.faults.slow_max_s
        if fate == "full":
            self.scheduler.after(answered_s, lambda: done("full"), process)
        elif fate not in {"", "slow"} or answered_s > self.timeout_s:
            self.scheduler.after(self.timeout_s, lambda: done("unknown"), process)
        else:
            self.scheduler.after(answered_s, lambda: done(mutation.answer), process)

    def _is_local(self, write: Write) -> bool:
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
        if fate == "full":
            return self.network.distance_s(region, region)
        if fate == "lost" or not self.replicas.up(region):
            return self.timeout_s * 2
        late_s = 0.0
        if fate == "late":
            late_s = self.timeout_s + self._random.random() * self.faults.late_max_s
        torn = self._minority() if fate == "torn" else 0
        acks: list[tuple[float, int]] = []
        for there, bits in self.replicas.bits.items():
            up = bits & ~self.replicas.down
            if torn:
                up &= torn
            out_s = self.network.travel_s(region, there) if up else None
            if out_s is None:
                up, out_s = 0, 0.0
            if up:
                at_s = self.in_order(late_s + out_s)
                self.scheduler.after(at_s, self._landing(mutation, there, up))
                back_s = self.network.travel_s(there, region)
                if back_s is not None and up & mutation.of:
                    acks.append((at_s + back_s, up.bit_count()))
            if up != bits and not torn:
                self.hints.keep(mutation, region, there, bits & ~up)
        return self._reached_s(acks, mutation.needs)

    def _minority(self) -> int:
        count = self._random.randrange(1, max(2, self.replicas.quorum))
        return some_of(self.replicas.all, count, self._random.randrange(64))

    def _reached_s(self, acks: list[tuple[float, int]], needs: int) -> float:
        acks.sort()
        for at_s, count in acks:
            needs -= count
            if needs <= 0:
                return at_s
        return self.timeout_s * 2

    def _landing(self, mutation: Mutation, region: str, bits: int) -> Callable[[], None]:
        return lambda: self._land(mutation, region, bits)

    def _land(self, mutation: Mutation, region: str, bits: int) -> None:
        write, stamp = mutation.write, mutation.stamp
        if self.refuses_revoked and isinstance(write, PutRow | PutKey) and self._is_closed(write):
            mutation.answer = "revoked"
            return
        if not mutation.versions:
            now = self.now
            mutation.versions = [self.rows.put(row, now) for row in rows_of(write, stamp)]
            for version in mutation.versions:
                version.mutation = version.mutation or mutation
            self.truth.put(write, stamp)
        for version in mutation.versions:
            self._stands_at(version, bits)
        self._reached(mutation)
        self.on_applied(write, region)

    def _stands_at(self, version: Version, bits: int) -> None:
        version.mask |= bits
        if version.mask == self.replicas.all:
            version.older = None

    def _reached(self, mutation: Mutation) -> None:
        if not mutation.stands and mutation.reached():
            mutation.stands = True
            self.stands.put(mutation.write, mutation.stamp)

    def _is_closed(self, write: PutRow | PutKey) -> bool:
        if not write.log:
            return False
        lease = self.truth.lease_rows.get(write.log.split(".")[3])
        return lease is not None and lease.state != "active"

    # Reading

    def read(self, process: Process, local: bool, look: Look) -> "Future[Any]":
        """Await what `look(replicas asked, versions that some of them lack)` sees at its moment."""
        future = process.loop.create_future()
        fate = self.fate("read")
        asked, reach_s = self._ask(process.region, local)
        if not asked or fate == "fails":
            self.fail(future, process)
            return future
        if fate == "slow":
            reach_s += self._random.random() * self.faults.slow_max_s

        def see() -> None:
            stale: list[Version] = []
            seen = look(asked, stale)
            if not stale:
                self.scheduler.after(reach_s / 2, lambda: _tell(future, seen), process)
            elif self._connected(process.region, asked):
                self.counts["read repairs"] += 1
                self.scheduler.after(reach_s, lambda: self._repair_read(stale, asked))
                self.scheduler.after(reach_s * 1.5, lambda: _tell(future, seen), process)
            else:
                self.fail(future, process)

        self.scheduler.after(self.in_order(reach_s / 2), see)
        return future

    def _ask(self, region: str, local: bool) -> tuple[int, float]:
        """The replicas that a read of this level asks, nearest first, and how long they take."""
        needs, asked, reach_s = self.replicas.needs(local), 0, 0.0
        if not self.replicas.up(region):
            return 0, 0.0
        near = []
        for there in (region,) if local else self.replicas.bits:
            out_s = self.network.travel_s(region, there)
            back_s = self.network.travel_s(there, region)
            if out_s is not None and back_s is not None:
                near.append((out_s + back_s, there))
        for took_s, there in sorted(near):
            up = self.replicas.up(there)
            if up:
                bits = some_of(up, needs, self._random.randrange(64))
                asked |= bits
                needs -= bits.bit_count()
                reach_s = took_s
            if needs <= 0:
                return asked, reach_s
        return 0, 0.0

    def spread_to(self, version: Version, bits: int) -> None:
        """Other replicas get a version from those that have it."""
        self._stands_at(version, bits)
        if version.mutation is not None:
            self._reached(version.mutation)

    def _repair_read(self, stale: list[Version], asked: int) -> None:
        for version in stale:
            self.spread_to(version, asked)

    def _connected(self, region: str, asked: int) -> bool:
        bits = self.replicas.bits
        return all(self.network.connected(region, r) for r in bits if bits[r] & asked)

    def fail(self, future: "Future[Any]", process: Process) -> None:
        """The read ends with `StoreError`, at its time-out."""
        self.counts["reads failed"] += 1
        error = StoreError("the store cannot be read: too few replicas answered")

        def tell() -> None:
            if not future.done():
                future.set_exception(error)

        self.scheduler.after(self.timeout_s, tell, process)

    # For swaps

    def majority(self, region: str) -> bool:
        """Whether a coordinator in this region reaches a majority of all replicas and back."""
        found = 0
        for there in self.replicas.bits:
            if self.network.connected(region, there):
                found |= self.replicas.up(there)
        return bool(self.replicas.up(region)) and found.bit_count() >= self.replicas.quorum

    def ballot_s(self, region: str, rounds: int) -> float | None:
        """How long so many round trips to a majority take; None if there is none."""
        asked, reach_s = self._ask(region, local=False)
        return reach_s * rounds if asked else None

    # Faults

    def fate(self, kind: str) -> str:
        """What happens to a `write`, `read` or `swap`: the name of a fault, or ""."""
        if not self.faulty:
            return ""
        fate: str = getattr(self._fates, kind)()
        if fate:
            self.counts[f"{kind} {fate}"] += 1
        return fate

    def crashes(self) -> str:
        """Whether the process ends `before` or `after` a write that it hands over, or not: ""."""
        rate = self.faults.crash_at_write
        if not rate or not self.faulty or self._random.random() >= rate:
            return ""
        self.counts["crashes at a write"] += 1
        return "before" if self._random.random() < 0.5 else "after"

    def in_order(self, seconds: float) -> float:
        """In how long something arrives; with `refuses_revoked` never before what came before."""
        if not self.refuses_revoked:
            return seconds
        self._last_at = max(self._last_at, self.now + seconds)
        return self._last_at - self.now


def _tell(future: "Future[Any]", seen: Any) -> None:
    if not future.done():
        future.set_result(seen)
