"""Reading ahead of a verdict, over whatever stands in the logs."""

import asyncio
from typing import Any, cast

import pytest

from core.engine.reading import NEEDLES_MAX, Reading
from sync.records import Cancel, Place, Record, encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, PutRow

LOG = "accept.eu.normal_local.c1.0"
ROWS = 130


def name(number: int) -> str:
    return f"eu-k000{number:026d}"


@pytest.fixture
async def reading() -> Reading:
    store = MemoryJournal("eu", 1)
    last: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    for row in range(1, ROWS + 1):
        records = [Cancel(name(3 * row + n), 0, 1) for n in range(3)]
        done = last.set_result if row == ROWS else lambda _: None
        store.submit(PutRow(LOG, row, encode(records)), done)
    await last
    return Reading(store, cast("Any", None))


@pytest.mark.parametrize("count", [1, NEEDLES_MAX, NEEDLES_MAX + 1])
async def test_all_records_of_the_wanted_are_shown_with_their_places(
    reading: Reading, count: int
) -> None:
    wanted = {name(3 * row + 1): Place(LOG, row, 1) for row in range(7, 7 + 9 * count, 9)}
    found: dict[str, Place] = {}

    def seen(record: Record, place: Place) -> None:
        found[record.id] = place

    await reading.scan(LOG, 5, set(wanted), seen)
    assert found == wanted


async def test_others_have_their_turns_while_a_backlog_is_read(reading: Reading) -> None:
    loop, turns, done = asyncio.get_running_loop(), 0, False

    def turn() -> None:
        nonlocal turns
        turns += 1
        if not done:
            loop.call_soon(turn)

    turn()
    await reading.scan(LOG, 1, {name(1)}, lambda *_: None)
    done = True
    assert turns > ROWS
