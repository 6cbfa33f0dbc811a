"""Operators who change the keyspace's replication: each asks some core to begin or to go on.

An operator asks its core again and again until the change is finished, the core says that another
one drives it, or the core dies. Somebody looks every few seconds whether the change stands still,
and asks some other core.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.engine.replicating import Replicating
from core.sim.history import ViolationError
from core.sim.lines import NodeLog
from core.sim.node import Node
from core.sim.plan import WRITE_TIMEOUT_S
from core.sim.replicaplan import counts_of
from core.sim.steps import Step
from core.sim.store.replicator import SimReplicator
from sync.agreed import Refusal
from sync.replication import (
    Replicas,
    ReplicationChange,
    done,
    finished,
    next_step,
    not_verified,
    steps,
)
from sync.replication import Step as Unit
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.world import World

KEYSPACE = "goutong"
AGAIN_S = 0.1
LEAVE_AFTER_S = 0.5
LOOK_AFTER_S = 1.0
STILL_S = 3.0
NEVER = 1_000  # no plan has so many units, and no change so many verifications
Record = Callable[[ReplicationChange, Unit, str], ReplicationChange | Refusal]


class ReplicationOperators:
    """See the module's docstring."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = Random(f"{world.plan.seed}:operators")
        self._wanted: list[Replicas] = []
        self._at: dict[str, Replicating] = {}
        self._asking: set[str] = set()
        self._stopped: set[str] = set()
        self._version, self._since_s = 0, 0.0

    def change(self, step: Step) -> None:
        """A core is asked to begin a change, and to do it."""
        wanted = counts_of(step.id)
        self._wanted.append(wanted)
        self._ask(self._world.slots[(step.region, step.number)], wanted)

    def ask_for_a_wrong_change(self, step: Step) -> None:
        """A core is asked for counts of replicas that cannot be: it must say so."""
        node, wanted = self._world.slots[(step.region, step.number)], counts_of(step.id)
        if node is None or not node.ready:
            return
        at = self._at_of(node)

        async def asked() -> None:
            try:
                answer = await at.begin(KEYSPACE, wanted)
            except StoreError:
                return
            if not isinstance(answer, Refusal):
                raise ViolationError("mistake_accepted", f"{wanted}: {answer}")

        node.process.start(asked)

    def report_wrongly(self, step: Step) -> None:
        """A core is told of steps that are not to be done now, or never: they must not count."""
        node = self._world.slots[(step.region, step.number)]
        if node is None or not node.ready:
            return
        of = node.engine.membership.replication

        async def told() -> None:
            try:
                row = await of.read()
                for record, wrong in _misread(row):
                    answer = await of.change(partial(_recorded, record, wrong))
                    if not isinstance(answer, Refusal) and not finished(answer):
                        raise ViolationError("mistake_accepted", f"{wrong}: {answer}")
            except StoreError:
                return

        node.process.start(told)

    def go_on(self, step: Step) -> None:
        """A core is asked to go on with whatever change there is."""
        self._ask(self._world.slots[(step.region, step.number)], None)

    def leaves(self, region: str) -> bool:
        """Whether the region has no replica, or will have none at the end of the change."""
        row = self._world.store.truth.replication_row
        if row is not None and not finished(row) and region not in row.configurations[-1]:
            return True
        return not self._world.store.replicas.newest.bits[region]

    def keeps_away(self, region: str) -> bool:
        """Whether no core may be started there: its cores were stopped before its replicas go."""
        if not self.leaves(region):
            self._stopped.discard(region)
        return region in self._stopped or not self._world.store.replicas.newest.bits[region]

    def _stop_cores(self, region: str) -> None:
        if region in self._stopped:
            return
        self._stopped.add(region)
        for node in self._world.living():
            if node.region == region and node.ready:
                node.process.later(0.0, node.drain)
                node.process.later(LEAVE_AFTER_S, node.leave)
            elif node.region == region:
                node.process.die("its region goes away")

    def _stop_drained(self) -> None:
        """A region whose writers are to be stopped has no cores any more once it is drained, and
        none is started: one that was about to begin would not be seen by its lease."""
        truth = self._world.store.truth
        step = next_step(truth.replication_row) if truth.replication_row is not None else None
        if step is None or step.name != "stop_writers" or truth.serving_row is None:
            return
        if truth.serving_row.regions[step.datacentre].state == "drained":
            self._stop_cores(step.datacentre)

    def look_after(self) -> None:
        """Some core is asked, whenever the row stands still: who asks may be dead, or frozen."""
        row, now_s = self._world.store.truth.replication_row, self._world.scheduler.now
        if row is not None and not finished(row):
            if row.version != self._version:
                self._version, self._since_s = row.version, now_s
            elif now_s - self._since_s >= STILL_S:
                self._ask_any(None)
        self._world.scheduler.after(LOOK_AFTER_S, self.look_after)

    def finish(self) -> None:
        """Faults are over: what nobody was asked for, since no core was there, is asked now."""
        if self._world.store.truth.replication_row is None and self._wanted:
            self._ask_any(self._wanted[0])

    def unfinished(self) -> str:
        """What is still to be done, "" if nothing is."""
        row = self._world.store.truth.replication_row
        if row is None:
            self.finish()
            return "no change of replication was begun" if self._wanted else ""
        step = next_step(row)
        return f"{step.name} of unit {step.unit} is to be done" if step is not None else ""

    def _ask_any(self, wanted: Replicas | None) -> None:
        ready = [node for node in self._world.living() if node.ready]
        if ready:
            self._ask(self._chance.choice(ready), wanted)

    def _ask(self, node: Node | None, wanted: Replicas | None) -> None:
        if node is None or not node.ready or node.process.dead:
            return
        name = node.process.name
        if name in self._asking and wanted is None:
            return
        self._asking.add(name)
        at = self._at_of(node)
        node.process.start(lambda: self._work(node, at, wanted))

    def _at_of(self, node: Node) -> Replicating:
        """What a core does of changes of replication; one for each core."""
        name = node.process.name
        if name not in self._at:
            store = self._world.store
            self._at[name] = Replicating(
                node.engine.membership,
                node.engine.store,
                SimReplicator(store, node.process),
                NodeLog(node.note),  # type: ignore[arg-type]
                WRITE_TIMEOUT_S,
            )
        return self._at[name]

    async def _work(self, node: Node, at: Replicating, wanted: Replicas | None) -> None:
        try:
            if wanted is None or await self._begin(node, at, wanted):
                await self._steps(node, at)
        finally:
            self._asking.discard(node.process.name)

    async def _begin(self, node: Node, at: Replicating, wanted: Replicas) -> bool:
        """Whether it was begun, as far as the operator was told."""
        try:
            answer = await at.begin(KEYSPACE, wanted)
        except StoreError:
            return False
        said = answer.rule if isinstance(answer, Refusal) else f"planned, {answer.version}"
        node.note("operator", f"replication {wanted}: {said}")
        return isinstance(answer, ReplicationChange)

    async def _steps(self, node: Node, at: Replicating) -> None:
        while True:
            self._stop_drained()
            try:
                answer = await at.go_on()
            except StoreError:
                answer = None
            if isinstance(answer, ReplicationChange):
                step = next_step(answer)
                node.note("operator", f"next: {step.name} {step.unit}" if step else "finished")
                if step is None:
                    return
            elif isinstance(answer, Refusal) and answer.rule == "cores_ended":
                self._stop_cores(answer.where)
            elif isinstance(answer, Refusal) and answer.rule in ("driver_gone", "change_begun"):
                node.note("operator", answer.rule)
                return
            await asyncio.sleep(AGAIN_S)


def _misread(row: ReplicationChange | None) -> Iterator[tuple[Record, Unit]]:
    """What somebody says who misread the row, or reads the row of another change."""
    if row is None or finished(row):
        return
    first, *_, last = steps(row)
    for record in (done, not_verified):
        yield record, replace(first, unit=NEVER)
        yield record, replace(first, replicas={})
    yield done, replace(last, round=NEVER)
    yield not_verified, first


def _recorded(
    record: Record, wrong: Unit, row: ReplicationChange | None, nonce: str
) -> ReplicationChange | Refusal:
    assert row is not None  # a row that was there stays
    return record(row, wrong, nonce)
