"""All checkers of a run, each fed with what it looks at.

What they look at happens within the code that they check, which must not notice: what is found
there is kept in `found`, and whoever lets the run go on looks whether there is something.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

from core.sim.checks.doubts import Doubts
from core.sim.checks.edits import Edits
from core.sim.checks.ends import Ends
from core.sim.checks.floors import Floors
from core.sim.checks.healed import Healed
from core.sim.checks.joins import Joins
from core.sim.checks.journal import Journal
from core.sim.checks.maps import Maps
from core.sim.checks.readers import Readers
from core.sim.checks.registers import check_registers
from core.sim.checks.replication import ReplicationChanges
from core.sim.checks.sends import Sends
from core.sim.checks.serving import ServingRegions
from core.sim.checks.spools import Spools
from core.sim.checks.told import Told
from core.sim.checks.unread import Unread
from core.sim.history import ViolationError
from core.sim.mapplan import first_map
from core.sim.plan import BUCKET_MS
from sync.naming import log_name
from sync.records import End, Intent, State
from sync.replication import next_step
from sync.store.port import (
    PutFloor,
    PutForced,
    PutProviderIds,
    PutRow,
    SwapMaps,
    SwapReplication,
    SwapServing,
    SwapShards,
    Write,
)

if TYPE_CHECKING:
    from core.sim.world import World

P = ParamSpec("P")


class Checks:
    """See the module's docstring."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._plan = world.plan
        self.journal = Journal()
        tables, alone = world.store.tables, len(world.plan.regions) == 1
        self._joins = Joins(tables, world.store.rows, world.store.replicas)
        self._sends = Sends(self.journal, world.history, world.plan, self._joins)
        self._floors = Floors(self.journal, tables)
        self._doubts = Doubts(self.journal)
        self._told = Told(self.journal, world.history, tables, alone, world.plan.forces)
        self._ends = Ends(self.journal, world.history, world.plan)
        self._maps = Maps(self.journal, world.history, world.plan)
        self.spools = Spools(self.journal, world.history)
        first = first_map(self._plan.regions, self._plan.shards) if self._plan.maps else None
        self._serving = ServingRegions(first)
        self._replication = ReplicationChanges(world.store)
        self.began = self._kept(self._replication.begins)
        self.in_doubt = self._kept(self._doubts.in_doubt)
        self.healed = Healed(world.store, self.journal)
        self.readers = Readers(world)
        self.unread = Unread(world)
        self.edits = Edits(world)
        self.intends = self._kept(self.edits.intends)
        self.suppressed = self._kept(self.edits.suppressed)
        self.call_begins = self._kept(self.edits.call_begins)
        self.found: ViolationError | None = None
        world.store.on_stands = self._kept(self.stands)
        world.store.on_applied = self._kept(self.applied)
        world.store.alters.on_altered = self._kept(self._replication.altered)
        world.history.on_told = self._kept(self._said)
        world.history.on_accepted = self._kept(self._told.accepted)
        world.history.on_follow = self._kept(self._told.follow)

    def _kept(self, look: Callable[P, None]) -> Callable[P, None]:
        def quietly(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                look(*args, **kwargs)
            except ViolationError as violation:
                self.found = self.found or violation

        return quietly

    def _wall_ms(self) -> int:
        return self._plan.start_ms + int(self._world.scheduler.now * 1000)

    def stands(self, write: Write, stamp: int) -> None:
        """A write stands at its level."""
        if not self.journal.add(write, stamp, self._world.scheduler.now, self._wall_ms()):
            return
        if isinstance(write, PutProviderIds):
            self._floors.segment(write)
        elif isinstance(write, PutFloor):
            self._floors.floor(write)
        elif isinstance(write, PutForced):
            self._joins.stands(write.row, self._world.scheduler.now)
        elif isinstance(write, PutRow):
            name = log_name(write.log)
            self._maps.acts(name.home, name.incarnation, write.log)
            if name.kind == "effect":
                self._floors.effects(write, name.home)
                self._doubts.effects(write, self._world.scheduler.now)
                self._note_intents(write, name.incarnation)
            else:
                self._told.evidence(write, self._world.scheduler.now)

    def _said(self, message_id: str, state: State, by: str) -> None:
        self._told.said(message_id, state, by)
        self._joins.may_tell(message_id, by, self._world.scheduler.now)

    def _note_intents(self, write: PutRow, owner: str) -> None:
        for record in self.journal.rows[write.log][write.row]:
            if isinstance(record, Intent | End):
                what = "intent" if isinstance(record, Intent) else f"end: {record.state}"
                text = f"{what} of epoch {record.epoch} stands"
                now = self._world.scheduler.now
                self._world.trace.add(now, owner[:2], owner, "intent", text, record.id)

    def applied(self, write: Write, _region: str) -> None:
        """A write was applied somewhere; a swap is applied at once."""
        if isinstance(write, SwapShards):
            self.journal.took(write, self._world.scheduler.now)
            self._maps.acts(write.home, write.owner, "takes shards")
        elif isinstance(write, PutFloor):
            self._doubts.floor_applied(write, self._world.scheduler.now)
        elif isinstance(write, SwapMaps):
            self._maps.published(write.row)
            newest = write.row.kept[-1].placement
            self._serving.published(newest, self._world.scheduler.now)
        elif isinstance(write, SwapReplication):
            self._note_replication(write)
            self._replication.applied(write.row)
        elif isinstance(write, SwapServing):
            states = ", ".join(f"{r} {one.state}" for r, one in sorted(write.row.regions.items()))
            now = self._world.scheduler.now
            self._world.trace.add(now, "", "", "serving", f"{write.row.version}: {states}")
            self._serving.applied(write, now)

    def _note_replication(self, write: SwapReplication) -> None:
        row, step = write.row, next_step(write.row)
        what = f"{step.name} of unit {step.unit}, round {step.round}" if step else "nothing"
        text = f"{row.version}: {what} is next, by {row.driver}"
        self._world.trace.add(self._world.scheduler.now, "", "", "replication", text)

    def first_bytes(self) -> None:
        """What reached providers since the last look, and what edges did."""
        self.spools.look()
        self._joins.look(self._world.scheduler.now)
        self._sends.look(self._wall_ms())
        self._maps.look()

    def after_drains(self) -> None:
        """Faults are over, and regions that were drained have had time to give their shards."""
        truth = self._world.store.truth
        self._serving.after_drains(truth.serving_row, truth.shard_rows)

    def final(self) -> None:
        """Faults are over and everything had its time."""
        self.first_bytes()
        self._ends.final()
        self._told.final()
        self.spools.final()
        self._maps.final()
        where = {node.process.name: node.region for node in self._world.nodes}
        operations = self._world.store.swaps.operations
        self._replication.final(operations)
        self._serving.final(operations, self._world.operators.answers, where)
        self.edits.final()
        self.healed.final()
        if self.readers.found:
            raise self.readers.found
        self._registers()

    def _registers(self) -> None:
        plan, store = self._plan, self._world.store
        found = check_registers(store.swaps.operations, list(plan.regions), plan.shards)
        if found:
            raise ViolationError(found[0].checker, found[0].what)
        if store.truth.changed:
            raise ViolationError("row_changed", f"two bodies of {store.truth.changed}")

    def last_due_s(self) -> float:
        """When the last message that waits in the open set is due: events are tried for days."""
        return (self._ends.last_due_ms() - self._plan.start_ms) / 1000

    def unquiet(self) -> str:
        """What is still to be done, "" if nothing is."""
        if why := self._world.edges.unquiet():
            return why
        for node in self._world.living():
            if not node.ready:
                return f"{node.process.name} is not ready"
            for work in node.engine.homes.values():
                for msg in work.owner.msgs.values():
                    where = f"{node.process.name} holds {msg.id}"
                    return f"{where} as {msg.phase.name} {msg.state}"
        if why := self._world.replication.unfinished() or self._unjoined():
            return why
        if why := self._unowned() or self._unreturned():
            return why
        if message_id := self._ends.unended():
            return f"{message_id} has no end"
        if message_id := self._ends.parked():
            return f"{message_id} waits in the open set"
        return self._marks_behind()

    def _unjoined(self) -> str:
        now, regions = self._world.store.ruling(), frozenset(self._plan.regions)
        joined = now.number == 0 or now.regions == regions
        return "" if joined else f"regions have not joined: {now}"

    def _unowned(self) -> str:
        for home in self._plan.regions:
            owned = [s for n in self._world.living() for s in n.engine.homes[home].owner.shards]
            if sorted(owned) != list(range(self._plan.shards)):
                return f"owned shards of {home}: {sorted(owned)}"
        return ""

    def _unreturned(self) -> str:
        row = self._world.store.truth.serving_row
        for region, one in sorted(row.regions.items()) if row is not None else ():
            if one.state != "serving" and not self._world.replication.leaves(region):
                return f"{region} is {one.state}"
        return ""

    def _marks_behind(self) -> str:
        ends = {log: max(rows) for log, rows in self.journal.rows.items()}
        for node in self._world.living():
            for home, work in node.engine.homes.items():
                for part in work.owner.floor_parts(node.engine.logs.effect_rows(home)):
                    if all(shard not in work.owner.shards for shard, _ in part.shards):
                        continue  # of shards given up: what is theirs is the next owner's
                    for log, mark in (*part.accept.items(), *part.effect.items()):
                        if mark < ends.get(log, 0):
                            return f"{node.process.name}: mark of {log} at {mark} of {ends[log]}"
                    first = (node.process.wall_ms() - 2 * BUCKET_MS) // BUCKET_MS
                    if part.due < first:
                        return f"{node.process.name}: due mark at {part.due}, now is {first}"
        return ""
