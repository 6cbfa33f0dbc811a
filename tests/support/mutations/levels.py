"""Writes and reads of several regions at a lower level than their rule asks for (PROTOCOL.md 2, 3).

A write is answered once the writer's own region has it. Checkers go on judging by the level of the
rule: for them it stands once a quorum has it.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

from core.engine.membership import Membership
from core.engine.reading import Reading
from core.sim.faults import Faults
from core.sim.store.reads import Reads
from core.sim.store.replicas import Configuration
from core.sim.store.rows import Mutation as Sent
from core.sim.store.view import SimView
from core.sim.store.writes import Writes
from sync.by_id import latest
from sync.naming import log_name
from sync.owner.takeover import Ask, ReadFloors, ReadRegistry
from sync.records import Intent, decode_row
from sync.store.port import (
    PutById,
    PutFloor,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    Write,
)
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def _at_local(which: Callable[[Write], bool]) -> Context:
    is_local, reached = Writes.is_local, Sent.reached

    def lower(self: Writes, write: Write) -> bool:
        return which(write) or is_local(self, write)

    def judged(self: Sent, others: list[tuple[int, int]]) -> bool:
        if not which(self.write):
            return reached(self, others)
        near = self.needs, self.of
        self.needs, self.of = self.follows.quorum, self.follows.all
        stands = reached(self, others)
        self.needs, self.of = near
        return stands

    return patched((Writes, "is_local", lower), (Sent, "reached", judged))


def _is_effect(write: Write) -> bool:
    return isinstance(write, PutRow) and log_name(write.log).kind == "effect"


def _has_intent(write: Write) -> bool:
    return isinstance(write, PutRow) and any(type(r) is Intent for r in decode_row(write.body))


def effects_at_local() -> Context:
    """Effect logs are written at the level of the region that the owner is in."""
    return _at_local(_is_effect)


def intents_at_local() -> Context:
    """A call is made once its intent stands in the owner's region."""
    return _at_local(_has_intent)


def outcomes_at_local() -> Context:
    """Outcomes and ends count once they stand in the owner's region."""
    return _at_local(lambda write: _is_effect(write) and not _has_intent(write))


def floors_at_local() -> Context:
    """A floor counts once it stands in the owner's region."""
    return _at_local(lambda write: isinstance(write, PutFloor))


def by_ids_at_local() -> Context:
    """By-id rows count once they stand in the owner's region."""
    return _at_local(lambda write: isinstance(write, PutById))


def open_set_at_local() -> Context:
    """Entries of the open set count once they stand in the owner's region."""
    return _at_local(lambda write: isinstance(write, PutOpen))


def segments_at_local() -> Context:
    """Provider ids count once they stand in the owner's region."""
    return _at_local(lambda write: isinstance(write, PutProviderIds))


def pending_at_local() -> Context:
    """A receipt that meets no outcome waits in the region that took it in."""
    return _at_local(lambda write: isinstance(write, PutPending))


def global_accepts_at_local() -> Context:
    """`global` messages are answered once they stand where they were taken in."""
    return _at_local(
        lambda write: isinstance(write, PutRow) and log_name(write.log).lane.endswith("_global")
    )


def registered_at_local() -> Context:
    """An incarnation takes its lease, and opens its global logs, known in its region alone."""
    register = Membership.register

    async def near(self: Membership, at_quorum: bool = False) -> None:
        del at_quorum
        await register(self)

    return patched((Membership, "register", near))


# Reads


def _takeover_reads(read: Callable[[SimView, Ask, str], Any]) -> Context:
    async def run_load(self: Reading, machine: Generator[Ask, Any, Any], home: str) -> Any:
        answer: Any = None
        while True:
            try:
                ask = machine.send(answer)
            except StopIteration as done:
                return done.value
            assert isinstance(self._store, SimView)
            answer = await read(self._store, ask, home)

    return patched((Reading, "run_load", run_load))


async def _read_local(view: SimView, ask: Ask, home: str) -> Any:
    if isinstance(ask, ReadFloors):
        return await view._all_of(("floor", home), local=True)
    if isinstance(ask, ReadRegistry):
        return await view.registry()
    return await view.rows_local(ask.log, ask.first, ask.limit)


def takeover_reads_at_local() -> Context:
    """Whoever takes a shard over asks the replicas of its own region alone."""
    return _takeover_reads(_read_local)


def takeover_floors_at_local() -> Context:
    """Whoever takes a shard over reads the floors, not the logs, in its own region alone."""

    async def read(view: SimView, ask: Ask, home: str) -> Any:
        if isinstance(ask, ReadFloors | ReadRegistry):
            return await _read_local(view, ask, home)
        return await view.rows(ask.log, ask.first, ask.limit)

    return _takeover_reads(read)


def takeover_reads_at_one() -> Context:
    """Whoever takes a shard over asks one replica."""

    async def read(view: SimView, ask: Ask, home: str) -> Any:
        reading = _read_local(view, ask, home)
        try:  # which replicas are asked is settled before the first wait
            with patched((Configuration, "needs", lambda _self, _region, _local: 1)):
                first = reading.send(None)
        except StopIteration as done:
            return done.value
        return await _Begun(reading, first)

    return _takeover_reads(read)


class _Begun:
    """Awaits the rest of a coroutine that was begun already."""

    def __init__(self, work: Any, first: Any) -> None:
        self._work = work
        self._first = first

    def __await__(self) -> Generator[Any, Any, Any]:
        waits = self._first
        while True:
            try:
                answer = yield waits
            except BaseException as error:
                step, given = self._work.throw, error
            else:
                step, given = self._work.send, answer
            try:
                waits = step(given)
            except StopIteration as done:
                return done.value


def look_ups_at_local() -> Context:
    """By-id rows are read in the own region alone."""

    async def by_ids(self: SimView, ids: list[str]) -> dict[str, Any]:
        found = {}
        for message_id in ids:
            rows = await self._all_of(("id", message_id), local=True)
            row = latest(rows.values())
            if row is not None:
                found[message_id] = row
        return found

    return patched((SimView, "by_ids", by_ids))


def registry_read_at_local() -> Context:
    """Which logs there are is read in the own region alone."""

    async def registry(self: SimView) -> list[Any]:
        found = await self._all_of(("registry",), local=True)
        return list(found.values())

    return patched((SimView, "registry", registry))


def no_read_repair() -> Context:
    """Readers are answered with what only some of the replicas asked have, and it stays so."""
    return patched((Reads, "_repair", lambda *_: None))


def no_repair() -> Context:
    """Nothing brings to a region what hints were too old for."""
    return patched((Faults, "_repair", lambda _: None))


LEVELS = (
    Mutation("effects_at_local", "2", "hints_expire", effects_at_local),
    Mutation("intents_at_local", "2", "hints_expire", intents_at_local),
    Mutation("outcomes_at_local", "2", "hints_expire", outcomes_at_local),
    Mutation("floors_at_local", "3", "apart", floors_at_local),
    Mutation("by_ids_at_local", "3", "hints_expire", by_ids_at_local),
    Mutation("open_set_at_local", "3", "apart", open_set_at_local),
    Mutation("segments_at_local", "8", "hints_expire", segments_at_local),
    Mutation("pending_at_local", "8", "receipts", pending_at_local),
    Mutation("global_accepts_at_local", "2", "replicas_lost", global_accepts_at_local),
    Mutation("registered_at_local", "1", "gone_for_good", registered_at_local),
    Mutation("takeover_reads_at_local", "3", "holes", takeover_reads_at_local),
    Mutation("takeover_floors_at_local", "3", "holes", takeover_floors_at_local),
    Mutation("takeover_reads_at_one", "3", "holes", takeover_reads_at_one),
    Mutation("look_ups_at_local", "5", "hints_expire", look_ups_at_local),
    Mutation("registry_read_at_local", "1", "hints_expire", registry_read_at_local),
    Mutation("no_read_repair", "11", "hints_expire", no_read_repair),
    Mutation("no_repair", "11", "hints_expire", no_repair),
)
