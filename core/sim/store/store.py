"""A store of several datacentres on virtual time, with levels that can fail (PROTOCOL.md 0, 11).

Each region is a datacentre of up to three replicas, `replicas` or as `counts` says; see `alters`
for how that changes. A write goes from a coordinator in its
writer's region to all replicas and is answered `ok` when as many have it as its level asks for:
log rows of accept lanes `*_local`, keys, views and registrations (unless they ask for more) a
majority of the own region's; all else a majority of all. If that takes longer than the write
time-out, the answer is `unknown`: some replicas may have it, and more get it later by hints. Reads
ask as many replicas, join what they have by rank, and first bring up to date those asked that lack
what is answered; where that is impossible they raise `StoreError`. Swaps: see `swaps`.

As in Cassandra, log rows of a revoked incarnation are not refused. With `refuses_revoked` (for one
region with one replica) they are, and writes keep the order of `submit`, as on SQLite.

`truth` is all that stands on any replica, `stands` what stands at its level, for checkers.
`faulty = False` stops all faults of the store, not those of the network. Without `maps_change`
nobody ever writes the placement map's row, and a read of it costs nothing; so it is without
`replication_changes`, for forced ownership without `forces_change`, and for the configuration
without `edits` (`entities`, with chances of its own). `permit` is asked of each fault that was
drawn, by its number: it may note it, or forbid it to find out which matter. What rows stand `alone`
has a stream of its own.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

from core.sim.network import Network
from core.sim.process import Process
from core.sim.scheduler import Scheduler
from core.sim.store.alters import Alters
from core.sim.store.entities import Entities
from core.sim.store.faults import Fates, StoreFaults
from core.sim.store.forced import Tables
from core.sim.store.hints import Hints
from core.sim.store.outages import Outages
from core.sim.store.reads import Reads
from core.sim.store.replicas import Replicas
from core.sim.store.rows import FORCED, Rows
from core.sim.store.swaps import Swaps
from core.sim.store.truth import Truth
from core.sim.store.view import SimView
from core.sim.store.writes import Writes
from sync.forced import Ruling, ruling
from sync.store.port import Write

FAR_READS = 0.25


class SimStore:
    """See the module's docstring. `counts` says what occurred."""

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
        counts: Mapping[str, int] | None = None,
        seed: int = 0,
        timeout_s: float = 1.0,
        hint_window_s: float = 60.0,
        refuses_revoked: bool = False,
        maps_change: bool = True,
        forces_change: bool = False,
        alone: Random | None = None,
        far_reads: float = FAR_READS,
        replication_changes: bool = True,
        edits: Random | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.network = network
        self.faults = faults
        self.faulty = True
        self.timeout_s = timeout_s
        self.refuses_revoked = refuses_revoked
        self.maps_change = maps_change
        self.forces_change = forces_change
        self.far_reads = far_reads
        self.replication_changes = replication_changes
        self.counts: Counter[str] = Counter()
        self.on_applied: Callable[[Write, str], None] = lambda _write, _region: None
        self.on_stands: Callable[[Write, int], None] = lambda _write, _stamp: None
        self.permit: Callable[[int, str, str], bool] = lambda _number, _what, _whom: True
        self._drawn = 0
        self.replicas = Replicas(list(regions), replicas, counts)
        self.rows = Rows()
        self.truth = Truth(list(homes), shards)
        self.stands = Truth(list(homes), shards)
        self.stands.lease_rows = self.truth.lease_rows
        self.stands.shard_rows = self.truth.shard_rows
        self.tables = Tables(self, list(homes), shards)
        self.writes = Writes(self, random)
        self.reads = Reads(self, random)
        self.swaps = Swaps(self, random)
        self.hints = Hints(self, random, hint_window_s)
        self.outages = Outages(self, random)
        self.alters = Alters(self, Random(f"{seed}:alters"))
        self.entities = Entities(self, edits or random, edits is not None)
        self._fates = Fates(faults, random)
        self._random = random
        self._alone = alone or random
        self._views = 0
        self.outages.start()

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.scheduler.now

    def view(self, process: Process) -> SimView:
        """The store as a process of one of the regions has it."""
        self._views += 1
        return SimView(self, process, self._views % 1000)

    def repair(self, region: str) -> bool:
        """Bring all that stands to this region, and what it has to the others; see `outages`."""
        return self.outages.repair(region)

    def majority(self, region: str) -> bool:
        """Whether a coordinator in this region reaches a majority of all replicas and back."""
        follows, down = self.replicas.at(region), self.replicas.down
        if not follows.bits[region] & ~down:
            return False
        found = 0
        for there, bits in follows.bits.items():
            if self.network.connected(region, there):
                found |= bits & ~down
        return found.bit_count() >= follows.quorum

    def ruling(self) -> Ruling:
        """What all rows of forced ownership say that any replica has."""
        rows = self.rows.partitions.get(FORCED, {}).values()
        return ruling(version.value for version in rows if version.mask)

    # Faults

    def fate(self, kind: str, process: Process) -> str:
        """What happens to a `write`, `read` or `swap`: the name of a fault, or ""."""
        if not self.faulty:
            return ""
        fate = self._fates.draw(kind)
        return fate if fate and self.occurs(f"{kind} {fate}", process.name) else ""

    def keeps_alone(self, process: Process) -> bool:
        """Whether a row of a local lane goes nowhere from its writer's region."""
        rate = self.faults.write_alone
        if not rate or not self.faulty or self._alone.random() >= rate:
            return False
        return self.occurs("write alone", process.name)

    def crashes(self, process: Process) -> str:
        """Whether the process ends `before` or `after` a write that it hands over, or not: ""."""
        rate = self.faults.crash_at_write
        if not rate or not self.faulty or self._random.random() >= rate:
            return ""
        when = "before" if self._random.random() < 0.5 else "after"
        return when if self.occurs(f"crash {when} a write", process.name) else ""

    def strike(self, process: Process) -> None:
        """A write was handed over: the process may freeze now, or its region be cut off."""
        freeze, cut = self.faults.freeze_at_write, self.faults.cut_at_write
        if not self.faulty or not freeze + cut:
            return
        drawn, seconds = self._random.random(), self._random.uniform(1.0, self.faults.struck_max_s)
        if drawn < freeze and self.occurs("freeze at a write", process.name):
            process.frozen_until = max(process.frozen_until, self.now + seconds)
        elif freeze <= drawn < freeze + cut and self.occurs("cut at a write", process.name):
            self.network.isolate(process.region)
            self.scheduler.after(seconds, self.network.heal)

    def occurs(self, what: str, whom: str) -> bool:
        """A fault was drawn: count it, unless it is not permitted."""
        self._drawn += 1
        if not self.permit(self._drawn, what, whom):
            return False
        self.counts[what] += 1
        return True
