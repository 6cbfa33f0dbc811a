"""Entities in several regions: one edit wins, every region is told, lost answers are settled."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from core.supervisor.cassandra.cluster import LocalCluster
from sync.store.cassandra.entities import CassandraEntities, open_entities
from sync.store.cassandra.levels import QUORUM, SERIAL
from sync.store.cassandra.session import Request, Session, connect
from sync.store.entities import BODY_BYTES_MAX, Entity, StaleVersion
from sync.store.feed import EntityFeed
from sync.store.port import StoreError
from tests.support.cassandra_entities import entities_in, make_tables, settings_of
from tests.support.wait import until

Told = list[tuple[str, str]]


@pytest.fixture
def keyspace(cassandra: LocalCluster) -> str:
    return make_tables(cassandra)


@pytest.fixture
async def regions(
    cassandra: LocalCluster, keyspace: str
) -> AsyncIterator[dict[str, CassandraEntities]]:
    """One process in each region."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(entities_in(cassandra, name, keyspace))
            for name in cassandra.nodes
        }


class Flaky:
    """A session whose answers to compare-and-sets are lost, before or after they took effect."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.lose = ""  # "before" or "after"
        self.settles = True
        self.refuses = ""  # writes to this table

        self.meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def ask(self, request: Request, ahead: bool = False) -> Any:
        if request.level == SERIAL and not self.settles:
            raise StoreError("no majority answers")
        text = request.parts[0][0].query_string
        if self.refuses and text.startswith("INSERT") and self.refuses in text:
            raise StoreError("refused")
        if request.serial is None or not self.lose:
            return await self._session.ask(request, ahead)
        lose, self.lose = self.lose, ""
        if lose == "after":
            await self._session.ask(request, ahead)
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        raise StoreError("the answer was lost")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class Process:
    """A store with a session that can be made to fail, a clock that the test moves."""

    def __init__(self, session: Session, keyspace: str) -> None:
        self.session = Flaky(session)
        self.keyspace = keyspace
        self.now_s = 0.0

    async def open(self, first: int = 0) -> CassandraEntities:
        given: Any = self.session
        return await open_entities(given, self.keyspace, "eu1", lambda: self.now_s, first)

    async def run(self, text: str, *values: Any) -> Any:
        full = text.format(ks=self.keyspace)
        await self.session.prepare([full])
        return await self.session.ask(Request([(self.session.prepared(full), values)], QUORUM))


@pytest.fixture
async def process(cassandra: LocalCluster, keyspace: str) -> AsyncIterator[Process]:
    session = await connect(settings_of(cassandra, "eu", keyspace))
    yield Process(session, keyspace)
    await session.close()


async def told_to(store: CassandraEntities, wanted: set[str], seconds: float = 20.0) -> Told:
    """What a process is told, until these ids were among it."""
    told: Told = []
    seq = 0
    end = time.monotonic() + seconds
    while not wanted <= {name for _, name in told} and time.monotonic() < end:
        seq, names = await store.changes(seq, 100)
        told += names
        await asyncio.sleep(0.02)
    return told


async def outcomes(*puts: Awaitable[int]) -> list[Any]:
    return await asyncio.gather(*puts, return_exceptions=True)


async def test_of_edits_in_all_regions_at_once_one_wins(
    regions: dict[str, CassandraEntities],
) -> None:
    for version in range(3):
        found = await outcomes(
            *(store.put("k", "a", name.encode(), version) for name, store in regions.items())
        )
        assert found.count(version + 1) == 1
        assert sum(isinstance(each, StaleVersion) for each in found) == 2
    (winner,) = [name for name, each in zip(regions, found, strict=True) if each == 3]
    for store in regions.values():
        assert await store.put("k", "b", b"", None)
        await until_shown(store, Entity("k", "a", 3, winner.encode()))


async def until_shown(store: CassandraEntities, entity: Entity) -> None:
    end = time.monotonic() + 20
    while await store.get(entity.kind, entity.id) != entity and time.monotonic() < end:
        await asyncio.sleep(0.02)
    assert await store.get(entity.kind, entity.id) == entity


async def test_counting_in_all_regions_loses_nothing(
    regions: dict[str, CassandraEntities],
) -> None:
    async def count(store: CassandraEntities) -> None:
        done = 0
        while done < 5:
            found = await store.get("k", "counter")
            body = b"%d" % (int(found.body) + 1 if found else 1)
            try:
                await store.put("k", "counter", body, found.version if found else 0)
                done += 1
            except StaleVersion:
                await asyncio.sleep(0.01)

    await asyncio.gather(*(count(store) for store in regions.values()))
    for store in regions.values():
        await until_shown(store, Entity("k", "counter", 15, b"15"))


async def test_every_region_is_told_of_every_change_that_it_can_read(
    regions: dict[str, CassandraEntities],
) -> None:
    ids = {f"{name}{number}" for name in regions for number in range(5)}

    async def edit(name: str, store: CassandraEntities) -> None:
        for number in range(5):
            await store.put("k", f"{name}{number}", b"x", None)

    await asyncio.gather(*(edit(name, store) for name, store in regions.items()))
    for store in regions.values():
        told = await told_to(store, ids)
        assert sorted(told) == sorted(("k", each) for each in ids)
        assert None not in [await store.get("k", each) for each in ids]
        assert {each.id for each in await store.list("k")} == ids


async def test_a_process_that_starts_later_is_told_of_what_comes_then(
    regions: dict[str, CassandraEntities], cassandra: LocalCluster, keyspace: str
) -> None:
    await regions["eu"].put("k", "before", b"", None)
    await told_to(regions["us"], {"before"})
    async with entities_in(cassandra, "us", keyspace) as late:
        await regions["eu"].put("k", "after", b"", None)
        assert await told_to(late, {"after"}) == [("k", "after")]


async def test_a_frozen_region_stops_nobody_and_hears_all_when_it_goes_on(
    regions: dict[str, CassandraEntities], cassandra: LocalCluster
) -> None:
    cassandra.nodes["ap"].send(signal.SIGSTOP)
    try:
        for number in range(5):
            assert await regions["eu"].put("k", f"n{number}", b"", None) == 1
        with pytest.raises(StoreError):
            await asyncio.wait_for(regions["ap"].get("k", "n0"), 30)
    finally:
        cassandra.nodes["ap"].send(signal.SIGCONT)
    await asyncio.to_thread(cassandra.wait_ready, 300)
    told: Told = []
    end = time.monotonic() + 60
    while len(told) < 5 and time.monotonic() < end:
        try:
            told = (await regions["ap"].changes(0, 100))[1]
        except StoreError:
            await asyncio.sleep(0.5)
    assert sorted(told) == [("k", f"n{number}") for number in range(5)]


@pytest.mark.parametrize("lose", ["before", "after"])
@pytest.mark.parametrize("expect", [None, 1])
async def test_a_lost_answer_is_settled(process: Process, lose: str, expect: int | None) -> None:
    store = await process.open()
    await store.put("k", "a", b"1", None)
    process.session.lose = lose
    assert await store.put("k", "a", b"2", expect) == 2
    assert await store.get("k", "a") == Entity("k", "a", 2, b"2")
    process.session.lose = lose
    assert await store.put("k", "new", b"1", 0 if expect else None) == 1


@pytest.mark.parametrize("lose", ["before", "after"])
async def test_a_lost_answer_is_settled_though_others_wrote_since(
    process: Process, cassandra: LocalCluster, lose: str
) -> None:
    store = await process.open()
    await store.put("k", "a", b"1", None)
    async with entities_in(cassandra, "us", process.keyspace) as other:

        async def others() -> None:
            for number in range(5):
                await other.put("k", "a", b"other %d" % number, None)

        process.session.lose, process.session.meanwhile = lose, others
        if lose == "after":
            assert await store.put("k", "a", b"2", 1) == 2
        else:
            with pytest.raises(StaleVersion):
                await store.put("k", "a", b"2", 1)
        found = await other.get("k", "a")
        assert found is not None
        assert (found.version, found.body) == (7 if lose == "after" else 6, b"other 4")


async def test_a_write_that_cannot_be_settled_is_told_when_it_shows(process: Process) -> None:
    store = await process.open()
    process.session.lose, process.session.settles = "after", False
    with pytest.raises(StoreError):
        await store.put("k", "a", b"1", None)
    assert await store.changes(0, 10) == (1, [("k", "a")])
    assert await store.get("k", "a") == Entity("k", "a", 1, b"1")


async def test_what_was_under_way_as_a_process_started_is_told(process: Process) -> None:
    await announce(process, "us/0", 1, "k", "a", 1)
    store = await process.open()
    assert await store.changes(0, 10) == (0, [])
    insert = "INSERT INTO {ks}.entities (kind, id, version, deleted, body) VALUES (?, ?, ?, ?, ?)"
    await process.run(insert, "k", "a", 1, False, b"1")
    process.now_s += 1
    assert await store.changes(0, 10) == (1, [("k", "a")])


async def test_many_at_once_are_written_and_told(regions: dict[str, CassandraEntities]) -> None:
    ids = [f"n{number:03}" for number in range(150)]
    assert set(await outcomes(*(regions["eu"].put("k", each, b"x", 0) for each in ids))) == {1}
    told = await told_to(regions["ap"], set(ids))
    assert sorted(told) == [("k", each) for each in ids]
    assert [each.id for each in await regions["ap"].list("k", limit=1000)] == ids


async def test_an_announcement_that_failed_is_made_again_under_another_name(
    process: Process, cassandra: LocalCluster
) -> None:
    store = await process.open()
    await store.put("k", "a", b"", None)
    process.session.refuses = "entity_heads"
    found = await outcomes(*(store.put("k", each, b"", None) for each in "bcd"))
    assert [type(each) for each in found] == [StoreError] * 3
    process.session.refuses = ""
    assert await outcomes(*(store.put("k", each, b"", None) for each in "bcd")) == [1, 1, 1]
    async with entities_in(cassandra, "us", process.keyspace) as other:
        await store.put("k", "e", b"", None)
        assert await told_to(other, {"e"}) == [("k", "e")]


async def test_the_largest_body_fits(process: Process) -> None:
    store = await process.open()
    body = bytes(range(256)) * (BODY_BYTES_MAX // 256)
    assert await store.put("k", "large", body, None) == 1
    found = await store.get("k", "large")
    assert found is not None
    assert found.body == body


async def test_what_was_announced_and_not_written_is_not_told(process: Process) -> None:
    store = await process.open()
    await announce(process, "dead/0", 1, "k", "never", 1)
    for _ in range(3):
        process.now_s += 10
        assert await store.changes(0, 10) == (0, [])
    await store.put("k", "never", b"late, by another", None)
    process.now_s += 60
    _, names = await store.changes(0, 10)
    assert names == [("k", "never")]


async def announce(
    process: Process, writer: str, seq: int, kind: str, name: str, version: int
) -> None:
    insert = "INSERT INTO {ks}.entity_feed (writer, seq, kind, id, version) VALUES (?, ?, ?, ?, ?)"
    await process.run(insert, writer, seq, kind, name, version)
    head = "INSERT INTO {ks}.entity_heads (one, writer, seq) VALUES (1, ?, ?) USING TIMESTAMP ?"
    await process.run(head, writer, seq, seq)


async def test_a_row_that_is_late_is_waited_for_and_one_that_is_lost_makes_all_forget(
    process: Process,
) -> None:
    store = await process.open(first=100)
    for name in ("a", "b"):
        await store.put("k", name, b"", None)
    seq, _ = await store.changes(100, 10)
    assert seq == 102
    await announce(process, "us/0", 2, "k", "b", 1)
    assert await store.changes(seq, 10) == (seq, [])
    await announce(process, "us/0", 1, "k", "a", 1)
    assert await store.changes(seq, 10) == (104, [("k", "a"), ("k", "b")])
    await announce(process, "us/0", 4, "k", "a", 1)
    assert await store.changes(104, 10) == (104, [])
    process.now_s += 6
    seq, names = await store.changes(104, 10)
    assert (seq, names) == (0, [])
    assert (await store.changes(0, 10))[0] > 104


async def test_numbers_of_another_process_are_known_as_foreign(process: Process) -> None:
    store = await process.open(first=1000)
    await store.put("k", "a", b"", None)
    assert await store.changes(1000, 10) == (1001, [("k", "a")])
    assert (await store.changes(999, 10))[0] < 999
    assert (await store.changes(1002, 10))[0] < 1002
    assert await store.changes(0, 10) == (1001, [("k", "a")])


async def test_the_feed_of_a_process_tells_changes_of_another_region(
    regions: dict[str, CassandraEntities],
) -> None:
    names: list[str] = []
    errors: list[Exception] = []
    forgot: list[int] = []
    feed = EntityFeed(regions["us"], errors.append, poll_ms=20)
    feed.watch("k", names.append, lambda: forgot.append(1))
    await feed.start()
    await regions["eu"].put("k", "a", b"1", None)
    await until(lambda: names == ["a"], 20)
    await regions["ap"].delete("k", "a", None)
    await until(lambda: names == ["a", "a"], 20)
    await feed.stop()
    assert (errors, forgot) == ([], [])
