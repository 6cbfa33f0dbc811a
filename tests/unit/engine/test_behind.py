"""What is written behind the logs, and in which order."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from core.clock import SystemClock
from core.engine.behind import Behind
from core.engine.logs import Logs, Ticket
from sync.hlc import Hlc
from sync.owner.owner import Owner
from sync.owner.state import Limits, Msg, WriteByIds
from sync.records import Message, Place
from sync.store.port import Answer, ByIdRow, JournalStore, PutById, PutViews, Write

ID = "eu-k000aaaaaaaaaaaaaaaaaaaaaaaaaa"
ROW = ByIdRow("p", ID, 1, b"")


class FakeStore:
    """Takes writes down; a test answers them."""

    def __init__(self) -> None:
        self.writes: list[tuple[Write, Callable[[Answer], None]]] = []

    def submit(self, write: Write, done: Callable[[Answer], None]) -> None:
        self.writes.append((write, done))

    def answer(self, answer: Answer = "ok") -> None:
        _, done = self.writes.pop(0)
        done(answer)


class FakeLogs:
    """Takes records down; a test says that they stand."""

    revoked = False

    def __init__(self) -> None:
        self.records: list[tuple[Any, Ticket]] = []

    def accept_own(self, record: Any, globally: bool, ticket: Ticket) -> bool:
        self.records.append((record, ticket))
        return True


class Rig:
    """Every message has one event and one view."""

    def __init__(self) -> None:
        self.store, self.logs = FakeStore(), FakeLogs()
        clock = SystemClock()
        owner = Owner("eu", "c1", Limits())
        store, logs = cast("JournalStore", self.store), cast("Logs", self.logs)
        self.behind = Behind(store, owner, logs, clock, Hlc())
        self.event = Message("e", 0, b"", 1, False, False, 9, 1, b"")
        self.behind.events_of = lambda _: [self.event]
        self.behind.views_of = lambda _: [PutViews([])]
        self.done: list[bool] = []
        self.msg = Msg(ID, 0)
        self.msg.message = Message(ID, 0, b"", 1, False, False, 9, 1, b"")

    def write(self, token: Any) -> None:
        self.behind.by_ids(WriteByIds([ROW], token), lambda: self.done.append(True))

    def kinds(self) -> list[type]:
        return [type(write) for write, _ in self.store.writes]


@pytest.fixture
async def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("parked", [False, True])
async def test_events_then_views_then_the_row_that_lets_go(rig: Rig, parked: bool) -> None:
    rig.write(("parked", [rig.msg]) if parked else [(rig.msg, 0, 0, 0)])
    assert rig.kinds() == []
    (_, ticket), *_ = rig.logs.records
    ticket.told(Place("accept.eu.normal_local.c1.0", 1, 0))
    assert rig.kinds() == [PutViews]
    rig.store.answer()
    assert rig.kinds() == [PutById]
    assert not rig.done
    rig.store.answer()
    assert rig.done == [True]


async def test_a_view_that_does_not_stand_holds_up_the_row(rig: Rig) -> None:
    rig.behind.events_of = lambda _: []
    rig.write([(rig.msg, 0, 0, 0)])
    rig.store.answer("full")
    assert rig.kinds() == []


async def test_first_notes_wait_for_nothing(rig: Rig) -> None:
    rig.write(("noted", [rig.msg]))
    assert rig.kinds() == [PutById]
    assert rig.logs.records == []


async def test_a_later_row_waits_for_the_events_and_views_of_an_earlier_one(rig: Rig) -> None:
    """What was gathered is not gathered again: a row that overtook it would let go too early."""
    rig.write([(rig.msg, 0, 0, 0)])
    rig.behind.events_of, rig.behind.views_of = lambda _: [], lambda _: []
    rig.write([(rig.msg, 1, 0, 0)])
    assert rig.kinds() == []
    (_, ticket), *_ = rig.logs.records
    ticket.told(Place("accept.eu.normal_local.c1.0", 1, 0))
    assert rig.kinds() == [PutViews]
    rig.store.answer()
    assert rig.kinds() == [PutById, PutById]
