"""Rows of the own region are written again at quorum for who misses them elsewhere."""

import asyncio
import io
from collections.abc import Awaitable
from typing import Any, cast

import orjson
import pytest

from core.contract.log import Log
from core.engine.answering_rows import LOGS_AT_ONCE, LOGS_WAITING_MAX, ROWS_AT_ONCE, AnsweringRows
from sync.keeper.members import Members
from sync.store.port import Done, PutRow, StoreError
from tests.support.wait import until


def name(number: int, lane: str = "normal_local", who: str = "us") -> str:
    return f"accept.eu.{lane}.{who}{number}.0"


class UsMembers:
    """Who is registered: cores of two regions."""

    region = "us"

    def region_of(self, incarnation: str) -> str:
        return {"us": "us", "eu": "eu"}.get(incarnation[:2], "")


class Store:
    """Each log has so many rows; reads wait for `open`, writes for `answer`."""

    def __init__(self, rows: int) -> None:
        self.open = asyncio.Event()
        self.fails = False
        self.reads: list[tuple[str, int]] = []
        self.writes: list[tuple[PutRow, Done]] = []
        self._rows = rows

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        self.reads.append((log, first))
        await self.open.wait()
        if self.fails:
            raise StoreError("too few replicas")
        rows = range(first, min(first + limit, self._rows + 1))
        return [PutRow(log, row, b"%d" % row, True, 7) for row in rows]

    def submit(self, write: PutRow, done: Done) -> None:
        self.writes.append((write, done))

    def answer(self, word: str) -> list[tuple[str, int]]:
        """Answer all writes; the rows they were of."""
        writes, self.writes = self.writes, []
        for _, done in writes:
            done(word)
        return [(write.log, write.row) for write, _ in writes]


class Desk:
    """The part under test, and what it says in its log."""

    def __init__(self, rows: int = 3) -> None:
        self.store = Store(rows)
        self.store.open.set()
        self._lines = io.BytesIO()
        self._log = Log(self._lines)
        self._tasks: list[asyncio.Future[Any]] = []
        self.rows = AnsweringRows(
            cast("Any", self.store), cast("Members", UsMembers()), self._log, self._spawn
        )

    def _spawn(self, work: Awaitable[Any]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    @property
    def at_rest(self) -> bool:
        for task in self._tasks:
            if task.done():
                task.result()
        return all(task.done() for task in self._tasks)

    def lines(self) -> list[dict[str, Any]]:
        self._log.flush()
        return [orjson.loads(line) for line in self._lines.getvalue().splitlines()]


async def test_rows_from_the_one_asked_for_on_are_written_as_they_stand() -> None:
    desk = Desk(rows=3)
    desk.rows.row_asked(name(1), 2)
    await until(lambda: len(desk.store.writes) == 2)
    assert [write for write, _ in desk.store.writes] == [
        PutRow(name(1), 2, b"2", True, 7),
        PutRow(name(1), 3, b"3", True, 7),
    ]
    desk.store.answer("ok")
    await until(lambda: desk.at_rest)
    (line,) = desk.lines()
    assert (line["event"], line["rows"], line["stand"]) == ("rows written again", 2, 2)


async def test_a_group_is_bounded() -> None:
    desk = Desk(rows=10 * ROWS_AT_ONCE)
    desk.rows.row_asked(name(1), 1)
    await until(lambda: desk.store.writes)
    assert len(desk.store.writes) == ROWS_AT_ONCE


async def test_one_group_of_a_log_is_under_way_and_a_few_logs_at_once() -> None:
    desk = Desk(rows=1)
    desk.store.open.clear()
    for number in range(2 * LOGS_AT_ONCE):
        desk.rows.row_asked(name(number), 1)
        desk.rows.row_asked(name(number), 1)
    await until(lambda: len(desk.store.reads) == LOGS_AT_ONCE)
    desk.store.open.set()
    await until(lambda: len(desk.store.writes) == LOGS_AT_ONCE)
    desk.store.answer("ok")
    await until(lambda: len(desk.store.writes) == LOGS_AT_ONCE)
    desk.store.answer("ok")
    await until(lambda: desk.at_rest)
    assert sorted(desk.store.reads) == sorted((name(n), 1) for n in range(2 * LOGS_AT_ONCE))


async def test_what_is_asked_beyond_the_room_is_dropped_and_may_be_asked_again() -> None:
    desk = Desk(rows=0)
    desk.store.open.clear()
    for number in range(LOGS_AT_ONCE):
        desk.rows.row_asked(name(number), 1)
    await until(lambda: len(desk.store.reads) == LOGS_AT_ONCE)
    for number in range(LOGS_AT_ONCE, LOGS_AT_ONCE + LOGS_WAITING_MAX + 5):
        desk.rows.row_asked(name(number), 1)
    desk.store.open.set()
    await until(lambda: desk.at_rest)
    assert len(desk.store.reads) == LOGS_AT_ONCE + LOGS_WAITING_MAX
    last = name(LOGS_AT_ONCE + LOGS_WAITING_MAX + 4)
    desk.rows.row_asked(last, 1)
    await until(lambda: desk.at_rest)
    assert desk.store.reads[-1] == (last, 1)


@pytest.mark.parametrize("answer", ["unknown", "full", "revoked"])
async def test_a_row_that_is_not_known_to_stand_is_left_to_the_next_question(answer: str) -> None:
    desk = Desk(rows=1)
    desk.rows.row_asked(name(1), 1)
    await until(lambda: desk.store.writes)
    desk.store.answer(answer)
    await until(lambda: desk.at_rest)
    assert desk.store.writes == []
    desk.rows.row_asked(name(1), 1)
    await until(lambda: desk.store.writes)
    assert desk.store.answer("ok") == [(name(1), 1)]


async def test_a_store_that_cannot_be_read_ends_nothing() -> None:
    desk = Desk(rows=1)
    desk.store.fails = True
    desk.rows.row_asked(name(1), 1)
    await until(lambda: desk.at_rest)
    assert [line["level"] for line in desk.lines()] == ["warning"]
    desk.store.fails = False
    desk.rows.row_asked(name(1), 1)
    await until(lambda: desk.store.writes)


@pytest.mark.parametrize(
    ("log", "first", "why"),
    [
        ("nonsense", 1, "it names no log"),
        ("accept.eu.normal_local.us1.zero", 1, "it names no log"),
        ("effect.eu.urgent.us1.0", 1, "stand at quorum"),
        (name(1, lane="normal_global"), 1, "stand at quorum"),
        (name(1, who="eu"), 1, "none of this region's"),
        (name(1, who="stranger"), 1, "none of this region's"),
        (name(1), 0, "no row has such a number"),
        (name(1), 1 << 63, "no row has such a number"),
        ("x" * 100_000, 1, "it names no log"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_with_its_reason(
    log: str, first: int, why: str
) -> None:
    desk = Desk()
    desk.rows.row_asked(log, first)
    assert desk.at_rest
    assert desk.store.reads == []
    (line,) = desk.lines()
    assert why in line["why"]
    assert len(line["log"]) <= 200
