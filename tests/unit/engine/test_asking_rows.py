"""A core whose reads miss a row asks the region of the log's writer for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.engine.signals import Beat
from sync.records import encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, PutRow, Register, Write
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

LOG = f"accept.{HOME}.urgent_local.us1.0"
NEAR = f"accept.{HOME}.urgent_local.c9.0"


class Asked:
    """The way to other regions: it ends here."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int]] = []

    def ask_row(self, region: str, log: str, first: int) -> None:
        self.rows.append((region, log, first))


async def write(store: MemoryJournal, what: Write) -> None:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    store.submit(what, told.set_result)
    assert await told == "ok"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    store = MemoryJournal([HOME, OTHER], SHARDS)
    await write(store, Register("us1", "us", "", [LOG]))
    await write(store, Register("c9", HOME, "", [NEAR]))
    made = Rig(store)
    await made.start()
    await until(lambda: made.owned() == {HOME: SHARDS, OTHER: SHARDS})
    yield made
    await made.end()


async def test_a_row_that_a_beat_told_of_is_asked_for_until_it_comes(rig: Rig) -> None:
    asked = rig.engine.asking.neighbours = Asked()
    message = rig.message(HOME)
    rig.engine.heard(Beat("us1", 1, 0, {LOG: 1}, "us"))
    await until(lambda: len(asked.rows) >= 2)
    assert set(asked.rows) == {("us", LOG, 1)}
    await write(rig.store, PutRow(LOG, 1, encode([message])))
    rig.open_account()
    await until(lambda: list(rig.adapter.sent.values()) == [message.id])
    assert all(row == 1 for _, _, row in asked.rows)


async def test_nobody_is_asked_for_rows_of_the_own_region(rig: Rig) -> None:
    asked = rig.engine.asking.neighbours = Asked()
    rig.engine.heard(Beat("c9", 1, 0, {NEAR: 1}, HOME))
    rig.engine.heard(Beat("us1", 1, 0, {LOG: 1}, "us"))
    await until(lambda: len(asked.rows) >= 2)
    assert {log for _, log, _ in asked.rows} == {LOG}


async def test_without_neighbours_a_row_comes_as_it_comes(rig: Rig) -> None:
    message = rig.message(HOME)
    rig.engine.heard(Beat("us1", 1, 0, {LOG: 1}, "us"))
    await asyncio.sleep(0)
    await write(rig.store, PutRow(LOG, 1, encode([message])))
    rig.open_account()
    await until(lambda: list(rig.adapter.sent.values()) == [message.id])


async def test_a_core_answers_for_the_logs_of_its_region(rig: Rig) -> None:
    """In a store of one region the row stands already: writing it again changes nothing."""
    message = rig.message(HOME)
    place = await rig.accept(message)
    before = await rig.store.rows(place.log, 1, 9)
    submitted: list[Write] = []
    rig.store.refuse = lambda write: submitted.append(write) or ""  # type: ignore[func-returns-value]
    rig.engine.answering.row_asked(place.log, 1)
    again = PutRow(place.log, 1, before[0][1], at_quorum=True)
    await until(lambda: again in submitted)
    assert await rig.store.rows(place.log, 1, 9) == before
