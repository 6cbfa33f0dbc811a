"""Logs, floors and by-id rows without one of their rules (PROTOCOL.md 2, 3 and 5)."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from typing import Any

from core.engine.behind import Behind
from core.engine.payload import decode_payload
from core.sim.checks import sends
from core.sim.checks.journal import Journal
from core.sim.store import rows, writes
from sync import lattice
from sync.forced import force_of
from sync.log_writer import Command, Durable, LogWriter, WriteRow
from sync.owner import intake, parking, sending, state
from sync.owner.marks import Holds
from sync.owner.parking import Parking
from sync.owner.state import Msg, WriteByIds
from sync.records import Message, Place
from sync.store.port import ByIdRow, PutById, Write
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]
LATE_S = 1.0


def floor_early() -> Context:
    """Marks follow what was read, not what is written down elsewhere."""
    return patched((Holds, "lowest", lambda *_: None))


def _told_at_once(kind: str) -> Context:
    flush, written = LogWriter.flush, LogWriter.written

    def early(self: LogWriter) -> list[Command]:
        commands = flush(self)
        if commands and self.log.startswith(kind) and self._under_way is not None:
            row, _, records, tickets = self._under_way
            places = [Place(self.log, row, index) for index in range(len(records))]
            commands.append(Durable(places, records, tickets))
        return commands

    def late(self: LogWriter, row: int) -> list[Command]:
        commands = written(self, row)
        return commands[1:] if self.log.startswith(kind) else commands

    return patched((LogWriter, "flush", early), (LogWriter, "written", late))


def intent_not_awaited() -> Context:
    """The call is made while its intent is on the way."""
    return _told_at_once("effect")


def accepted_before_the_write() -> Context:
    """202 is answered while the row is on the way."""
    return _told_at_once("accept")


def row_under_a_new_number() -> Context:
    """A row whose outcome is unknown is written again under the next number."""

    def unknown(self: LogWriter, row: int) -> list[Command]:
        if self._under_way is None or self._under_way[0] != row:
            return []
        _, body, records, tickets = self._under_way
        self._under_way = (row + 1, body, records, tickets)
        return [WriteRow(self.log, row + 1, body, True)]

    return patched((LogWriter, "unknown", unknown))


def by_id_hides_an_end() -> Context:
    """An earlier by-id row that is repeated may replace a later one of the same epoch."""
    right, add, arrivals = rows.rows_of, Journal._add_by_id, count()

    def by_arrival(write: Write, stamp: int) -> list[Any]:
        if isinstance(write, PutById):
            return [
                (("id", r.id), force_of(r.epoch), (r.epoch, next(arrivals)), r) for r in write.rows
            ]
        return right(write, stamp)

    def last_one(self: Journal, row: ByIdRow, wall_ms: int) -> None:
        stood = self._by_id.get(row.id, {}).get(force_of(row.epoch))
        if stood is not None and stood.epoch == row.epoch:
            del self._by_id[row.id]
        add(self, row, wall_ms)

    return patched((writes, "rows_of", by_arrival), (Journal, "_add_by_id", last_one))


def events_after_the_row() -> Context:
    """The by-id row that lets go of a message does not wait for its events."""
    accept = Behind.accept

    def at_leisure(
        self: Behind, message: Message, globally: bool, then: Callable[[], None]
    ) -> None:
        if not decode_payload(message.payload).kind:
            accept(self, message, globally, then)
            return
        then()
        self._loop.call_later(LATE_S, accept, self, message, globally, lambda: None)

    return patched((Behind, "accept", at_leisure))


def views_beside_the_row() -> Context:
    """The by-id row that lets go of a message does not wait for its views."""
    by_ids = Behind.by_ids

    def beside(self: Behind, command: WriteByIds, then: Callable[[], None]) -> None:
        views_of = self.views_of

        def later(msgs: list[Msg]) -> list[Write]:
            views = list(views_of(msgs))
            for view in views:
                self._loop.call_later(LATE_S, self.put, view, lambda: None)
            return []

        self.views_of = later
        try:
            by_ids(self, command, then)
        finally:
            self.views_of = views_of

    return patched((Behind, "by_ids", beside))


def by_id_row_too_late() -> Context:
    """A by-id row counts as written while it is still to be written."""
    put = Behind.put

    def at_leisure(self: Behind, write: Write, then: Callable[[], None]) -> None:
        if not isinstance(write, PutById):
            put(self, write, then)
            return
        then()
        self._loop.call_later(LATE_S, put, self, write, lambda: None)

    return patched((Behind, "put", at_leisure))


def attempt_names_shared() -> Context:
    """An attempt is named by its row and index: those of two owners may have the same name."""

    def name(_: str, row: int, index: int) -> str:
        return f"owner-u1-{row}-{index}"

    users = (intake, lattice, parking, sending, state, sends)
    return patched(*((module, "attempt_name", name) for module in users))


def parked_behind_the_reader() -> Context:
    """An entry may be due below what was read of the open set."""
    return patched(*((Parking, name, _unread(vars(Parking)[name])) for name in ("_park", "parked")))


def _unread(step: Callable[[Any, Msg], None]) -> Callable[[Any, Msg], None]:
    def blind(self: Any, msg: Msg) -> None:
        was, self.due_asked = self.due_asked, defaultdict(lambda: -1)
        try:
            step(self, msg)
        finally:
            self.due_asked = was

    return blind


LOGS = (
    Mutation("floor_early", "3", "swarm", floor_early),
    Mutation("intent_not_awaited", "6", "swarm", intent_not_awaited),
    Mutation("accepted_before_the_write", "2", "swarm", accepted_before_the_write),
    Mutation("row_under_a_new_number", "2", "swarm", row_under_a_new_number),
    Mutation("by_id_hides_an_end", "3", "takeovers", by_id_hides_an_end),
    Mutation("events_after_the_row", "3", "swarm", events_after_the_row),
    Mutation("views_beside_the_row", "3", "crashes", views_beside_the_row),
    Mutation("by_id_row_too_late", "3", "swarm", by_id_row_too_late),
    Mutation("attempt_names_shared", "1", "doubts", attempt_names_shared),
    Mutation("parked_behind_the_reader", "3", "swarm", parked_behind_the_reader),
)
