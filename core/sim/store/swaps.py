"""Compare-and-set and SERIAL reads: each lease, the shards of each home, the set of
serving regions, the placement map and the change of replication are one register.

A swap is executed at one instant between call and answer, if its coordinator then reaches a
majority of the replicas. An answer that was lost says nothing: the swap was executed, was not, or
is executed some seconds later, on what stands then. `operations` records all of it for
`core.sim.checks.linear`. Plain reads (`shown_leases`) may show a lease as it was before a swap
whose answer was lost: it stands with a majority, but nobody has committed it yet.

`hold_shards`: a process's swaps of shards are executed late and not answered for a while. `hush`:
nothing of its swaps and SERIAL reads is answered for a while; what else it asks of the store is. Of
the swaps some are executed, none where they are `lost`.
"""

from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from core.sim.process import Process
from core.sim.store.forced import name_of
from sync.forced import PLAIN, Ruling
from sync.lease import Lease
from sync.store.port import (
    Answer,
    Done,
    ShardRow,
    SwapLease,
    SwapMaps,
    SwapReplication,
    SwapServing,
    SwapShards,
)

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

Swap = SwapLease | SwapShards | SwapServing | SwapMaps | SwapReplication
SERVING = "serving"
MAPS = "maps"
REPLICATION = "replication"


class Operation:
    """One use of a register. `argument` None is a SERIAL read; `answered_s` may never come.

    `answer` is None while it is unknown; `executed_s` is for people, not for the checker.
    """

    __slots__ = (
        "answer",
        "answered_s",
        "argument",
        "executed_s",
        "invoked_s",
        "process",
        "register",
    )

    def __init__(
        self, register: str, process: str, invoked_s: float, argument: Swap | None
    ) -> None:
        self.register = register
        self.process = process
        self.invoked_s = invoked_s
        self.answered_s = inf
        self.executed_s = inf
        self.argument = argument
        self.answer: Any = None


def lease_register(incarnation: str, ruling: Ruling = PLAIN) -> str:
    """Name a lease's register."""
    return f"lease {incarnation}" + (f"@{name_of(ruling)}" if ruling.alone else "")


def shards_register(home: str, ruling: Ruling = PLAIN) -> str:
    """Name a home's register."""
    return f"shards {home}" + (f"@{name_of(ruling)}" if ruling.number else "")


class Swaps:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random) -> None:
        self.operations: list[Operation] = []
        self._store = store
        self._random = random
        self._shown: dict[str, Lease] = {}
        self._held: dict[str, tuple[float, float]] = {}
        self._hushed: dict[str, tuple[float, bool]] = {}

    def hold_shards(self, process: Process, seconds: float, late_s: float) -> None:
        """See the module's docstring; each is executed so much later."""
        self._held[process.name] = (self._store.now + seconds, late_s)

    def hush(self, process: Process, seconds: float, lost: bool) -> None:
        """See the module's docstring."""
        self._hushed[process.name] = (self._store.now + seconds, lost)

    def submit(self, process: Process, write: Swap, done: Done, ruling: Ruling = PLAIN) -> None:
        """Swap; the answer is an event of the process, which lives under the ruling."""
        store, alone = self._store, ruling.alone_in(process.region)
        if isinstance(write, SwapLease):
            name = lease_register(write.lease.incarnation, ruling)
        elif isinstance(write, SwapServing):
            name = SERVING
        elif isinstance(write, SwapMaps):
            name = MAPS
        elif isinstance(write, SwapReplication):
            name = REPLICATION
        else:
            name = shards_register(write.home, ruling)
        operation = self._begin(name, process, write)
        fate = self._fate(process, write)
        reach_s = self._reach_s(process.region, 2, alone)
        unheard = fate != "" or reach_s is None or reach_s > store.timeout_s
        if unheard:
            store.scheduler.after(store.timeout_s, lambda: done("unknown"), process)
        if fate == "late":
            reach_s = self._late_s(process, write) * 2
        if reach_s is None or (fate == "lost" and self._random.random() < 0.5):
            return
        if self._is_hushed(process) and self._hushed[process.name][1]:
            return
        half_s = reach_s / 2

        def execute() -> None:
            answer = self._execute(operation, process.region, fate == "lost", ruling)
            if answer == "unknown" and not alone:
                self._cut_short(operation, process.region, ruling)
            if not unheard and answer == "unknown":
                left_s = operation.invoked_s + store.timeout_s - store.now
                store.scheduler.after(left_s, lambda: done("unknown"), process)
            elif not unheard:
                store.scheduler.after(half_s, lambda: told(answer), process)

        def told(answer: Answer) -> None:
            operation.answer, operation.answered_s = answer, store.now
            done(answer)

        if store.refuses_revoked and not unheard:
            execute()
        else:
            store.scheduler.after(half_s, execute)

    def _fate(self, process: Process, write: Swap) -> str:
        fate = self._store.fate("swap", process)
        if self._held_s(process, write):
            return "late"
        return "lost" if self._is_hushed(process) else fate

    def _late_s(self, process: Process, write: Swap) -> float:
        held_s = self._held_s(process, write)
        return held_s or self._random.uniform(0.0, self._store.faults.late_max_s)

    def _held_s(self, process: Process, write: Swap) -> float:
        until_s, late_s = self._held.get(process.name, (0.0, 0.0))
        held = isinstance(write, SwapShards) and self._store.now < until_s
        return late_s if held and self._store.faulty else 0.0

    def _is_hushed(self, process: Process) -> bool:
        until_s, _ = self._hushed.get(process.name, (0.0, False))
        return self._store.faulty and self._store.now < until_s

    def _cut_short(self, operation: Operation, region: str, ruling: Ruling) -> None:
        """What lost its majority on the way may have been taken over by the rest, or not."""
        if self._store.faulty and self._random.random() < 0.5:
            late_s = self._random.uniform(0.0, self._store.faults.late_max_s)
            again = partial(self._execute, operation, region, False, ruling)
            self._store.scheduler.after(late_s, again)

    def read(
        self, process: Process, register: str, look: Callable[[], Any], alone: bool = False
    ) -> Any:
        """A SERIAL read, or of a region that is alone LOCAL_SERIAL; awaitable."""
        store = self._store
        future = process.loop.create_future()
        operation = self._begin(register, process, None)
        fate = "fails" if self._is_hushed(process) else store.fate("read", process)
        reach_s = None if fate == "fails" else self._reach_s(process.region, 1, alone)
        if reach_s is not None and fate == "slow":
            reach_s += self._random.random() * store.faults.slow_max_s
        if reach_s is None or reach_s > store.timeout_s:
            store.reads.fail(future, process)
            return future
        half_s = reach_s / 2

        def execute() -> None:
            if not self._enough(process.region, alone):
                store.reads.fail(future, process)
                return
            seen = look()
            self._show(register)
            store.scheduler.after(half_s, lambda: told(seen), process)

        def told(seen: Any) -> None:
            operation.answer, operation.answered_s = (seen,), store.now
            if not future.done():
                future.set_result(seen)

        store.scheduler.after(half_s, execute)
        return future

    def shown_leases(self, ruling: Ruling) -> list[Lease]:
        """The leases as a plain read sees them."""
        rows = self._store.tables.of(ruling).lease_rows
        return [self._shown.get(who, lease) for who, lease in rows.items()]

    def _begin(self, register: str, process: Process, argument: Swap | None) -> Operation:
        operation = Operation(register, process.name, self._store.now, argument)
        self.operations.append(operation)
        return operation

    def _reach_s(self, region: str, rounds: int, alone: bool) -> float | None:
        asked, reach_s = self._store.reads.ask(region, local=alone)
        return reach_s * rounds if asked else None

    def _enough(self, region: str, alone: bool) -> bool:
        replicas = self._store.replicas
        if alone:
            follows = replicas.at(region)
            up = follows.bits[region] & ~replicas.down
            return up.bit_count() >= follows.needs(region, local=True)
        return self._store.majority(region)

    def _execute(
        self, operation: Operation, region: str, shown_late: bool, ruling: Ruling
    ) -> Answer:
        store, write = self._store, operation.argument
        assert write is not None
        if not self._enough(region, ruling.alone_in(region)):
            return "unknown"
        tables, before = store.tables.of(ruling), None
        if isinstance(write, SwapServing | SwapMaps | SwapReplication):
            tables = store.truth
        elif isinstance(write, SwapLease):
            before = tables.lease_rows.get(write.lease.incarnation)
        self._show(operation.register)
        answer = tables.apply(write)
        operation.executed_s = store.now
        if not isinstance(answer, str) and answer.applied:
            if before is not None and shown_late:
                self._shown[before.incarnation] = before
                late_s = self._random.uniform(0.0, store.faults.late_max_s)
                register = operation.register
                store.scheduler.after(late_s, lambda: self._show(register))
            store.on_applied(write, region)
        return answer

    def _show(self, register: str) -> None:
        self._shown.pop(register.removeprefix("lease ").partition("@")[0], None)

    def shards(self, home: str, ruling: Ruling = PLAIN) -> list[ShardRow]:
        """The shard rows as they stand."""
        return list(self._store.tables.of(ruling).shard_rows.get(home, ()))
