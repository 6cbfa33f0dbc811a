"""One process that works for two homes: everything of a message stays in its home."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.engine.logs import Ticket
from sync.lease import Lease
from sync.naming import home_of, log_name
from sync.records import decode_by_id, decode_floor, decode_row
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, SwapLease, Swapped, SwapShards, Write
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

HOMES = (HOME, OTHER)
ALL = dict.fromkeys(HOMES, SHARDS)


@pytest.fixture
async def store() -> MemoryJournal:
    return MemoryJournal(HOMES, SHARDS)


@pytest.fixture
async def rig(store: MemoryJournal) -> AsyncIterator[Rig]:
    made = Rig(store)
    await made.start()
    await until(lambda: made.owned() == ALL)
    yield made
    await made.end()


async def write(store: MemoryJournal, what: Write) -> Answer:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    store.submit(what, told.set_result)
    return await told


def state(rig: Rig, message_id: str) -> str:
    msg = rig.engine.find(message_id)
    return "" if msg is None else msg.state


async def floor_behind(store: MemoryJournal, home: str) -> list[str]:
    """Logs of the home that its floor does not pass to their ends; also those of other homes."""
    behind: list[str] = []
    floors = await store.floors(home)
    if "c1" not in floors:
        return [home]
    parts = decode_floor(floors["c1"])
    for log, last in (await store.logs()).items():
        marks = [{**part.accept, **part.effect}.get(log) for part in parts]
        if log_name(log).home == home:
            behind += [log] * (not marks or any(mark != last for mark in marks))
        else:
            behind += [log] * any(mark is not None for mark in marks)
    return behind


async def all_passed(store: MemoryJournal, home: str) -> bool:
    """Whether its floor is at the end of all its logs, and names no other home's."""
    return not await floor_behind(store, home)


async def test_messages_of_both_homes_go_all_their_way(rig: Rig, store: MemoryJournal) -> None:
    rig.open_account()
    messages = [rig.message(home) for home in HOMES * 6]
    for message in messages:
        assert log_name((await rig.accept(message)).log).home == home_of(message.id)
    await until(lambda: len(rig.adapter.sent) == len(messages))
    assert set(rig.adapter.sent.values()) == {message.id for message in messages}
    for provider_id, message_id in rig.adapter.sent.items():
        await until(lambda each=message_id: state(rig, each) == "sent")
        assert await rig.report(provider_id)
        await until(lambda each=message_id: state(rig, each) == "delivered")
    for home in HOMES:
        ids = [message.id for message in messages if home_of(message.id) == home]
        assert rig.engine.homes[home].owner.recent.keys() == set(ids)


async def test_what_is_written_of_a_message_names_its_home_alone(
    rig: Rig, store: MemoryJournal
) -> None:
    rig.open_account()
    messages = [rig.message(home) for home in HOMES * 3]
    for message in messages:
        await rig.accept(message)
    await until(lambda: len(rig.adapter.sent) == len(messages))

    async def written() -> bool:
        rows = await store.by_ids([message.id for message in messages])
        return len(rows) == len(messages) and all(
            decode_by_id(row.body).ended and decode_by_id(row.body).state == "sent"
            for row in rows.values()
        )

    await until(written)
    for home in HOMES:
        await until(lambda home=home: all_passed(store, home))
    for log in await store.logs():
        for _, body in await store.rows(log, 1, 1000):
            assert {home_of(record.id) for record in decode_row(body)} == {log_name(log).home}


@pytest.mark.parametrize(("lost", "kept"), [(HOME, OTHER), (OTHER, HOME)])
async def test_a_home_that_is_lost_leaves_the_other_at_work(
    rig: Rig, store: MemoryJournal, lost: str, kept: str
) -> None:
    await write(store, SwapLease(None, Lease("c2", 1, "n", "active")))
    rows = await store.shards_of_home(lost)
    given = await write(store, SwapShards(lost, rows, "c2"))
    assert isinstance(given, Swapped)
    assert given.applied
    await until(lambda: rig.owned() == {kept: SHARDS, lost: 0})
    rig.open_account()
    mine, theirs = rig.message(kept), rig.message(lost)
    await rig.accept(theirs)
    await rig.accept(mine)
    await until(lambda: state(rig, mine.id) == "sent")
    assert list(rig.adapter.sent.values()) == [mine.id]


async def test_who_comes_after_finds_both_homes_work(rig: Rig, store: MemoryJournal) -> None:
    messages = [rig.message(home, ahead) for home in HOMES for ahead in (0, 1_000)]
    for message in messages:
        await rig.accept(message)
    await rig.engine.membership.leave()
    await rig.end()
    after = Rig(store, "c3")
    try:
        await after.start()
        await until(lambda: after.owned() == ALL)
        after.open_account()
        await until(lambda: len(after.adapter.sent) == len(messages))
    finally:
        await after.end()
    assert set(after.adapter.sent.values()) == {message.id for message in messages}


async def test_a_short_bucket_is_written_and_taken_up(store: MemoryJournal) -> None:
    """What is scheduled for long goes to the open set, and comes back when it is due."""
    rig = Rig(store, bucket_ms=500)
    try:
        await rig.start()
        rig.open_account()
        messages = [rig.message(home, 1_500) for home in HOMES]
        for message in messages:
            await rig.accept(message)
        await until(lambda: len(store.tables.open) == len(messages))
        for row in store.tables.open.values():
            assert (row.home, row.bucket) == (home_of(row.id), row.due_ms // 500)
        await until(lambda: len(rig.adapter.sent) == len(messages))
    finally:
        await rig.end()


async def test_a_record_of_another_home_is_not_taken(rig: Rig) -> None:
    stranger, mine = rig.message("else"), rig.message(HOME)
    assert not rig.engine.logs.takes([mine.id, stranger.id], True, False)
    assert not rig.engine.logs.accept(stranger, True, False, Ticket(lambda _: None))
    assert rig.engine.find(stranger.id) is None
    assert not rig.engine.where.knows_home(stranger.id)
