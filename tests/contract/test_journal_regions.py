"""What only several datacentres can show of the journal's store: levels, and answers that fail.

A region that is out of reach is played by a node that is frozen. What was sent to it meanwhile it
gets when it goes on; so a row that never left its region is written while only that one replicates.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest

from sync.forced import Forced, ruling
from sync.lease import Lease
from sync.serving import first_set
from sync.store.port import (
    Answer,
    OpenRow,
    PutFloor,
    PutForced,
    PutKey,
    PutOpen,
    PutRow,
    Register,
    Registered,
    ShardRow,
    StoreError,
    SwapLease,
    Swapped,
    SwapServing,
    SwapShards,
    Write,
)
from tests.support.cassandra_stores import Stores

pytestmark = pytest.mark.cassandra
LOCAL_LOG = "accept.h.normal_local.c1.0"
GLOBAL_LOG = "accept.h.normal_global.c1.0"
EFFECTS = "effect.h.urgent.c1.0"
ANSWERS_S = 3.0  # what is not answered by then is unknown
Open = Callable[..., Awaitable[Any]]


@pytest.fixture
async def opened(cassandra_stores: Stores) -> AsyncIterator[Open]:
    """Open a store in a region; all are closed, and what was written is gone, after the test."""
    async with AsyncExitStack() as stack:

        async def open_in(region: str, **others: Any) -> Any:
            store = await cassandra_stores.open(region, ANSWERS_S, **others)
            stack.push_async_callback(store.close)
            return store

        yield open_in
    await cassandra_stores.empty()


@contextmanager
def frozen(stores: Stores, *regions: str) -> Iterator[None]:
    for region in regions:
        stores.nodes[region].send(signal.SIGSTOP)
    try:
        yield
    finally:
        for region in regions:
            stores.nodes[region].send(signal.SIGCONT)


async def do(store: Any, write: Write) -> Answer:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    store.submit(write, told.set_result)
    return await told


async def until_known(store: Any, write: Write) -> Answer:
    """Repeat the same write until its outcome is known."""
    while (answer := await do(store, write)) == "unknown":
        await asyncio.sleep(0.2)
    return answer


async def readable(read: Callable[[], Awaitable[Any]]) -> Any:
    """What is read once enough regions answer.

    For seconds after a table was made its readers wait for a frozen node: what is usual there is
    not known yet.
    """
    while True:
        try:
            return await read()
        except StoreError:
            await asyncio.sleep(0.2)


async def test_a_local_row_stands_in_its_region_until_it_is_written_again_at_quorum(
    cassandra_stores: Stores, opened: Open
) -> None:
    # As if its region had been cut off: the others never got what was written.
    await cassandra_stores.replicate(["eu"])
    eu, us = await opened("eu"), await opened("us")
    for row in (1, 2):
        assert await do(eu, PutRow(LOCAL_LOG, row, b"%d" % row)) == "ok"
    assert await do(eu, PutKey("t", "k", b"key")) == "ok"
    await cassandra_stores.replicate(["eu", "us", "ap"])
    here = await eu.rows_here(LOCAL_LOG, 1, 2)
    assert [(put.row, put.body) for put in here] == [(1, b"1"), (2, b"2")]
    with frozen(cassandra_stores, "eu"):
        assert await readable(lambda: us.rows(LOCAL_LOG, 1, 9)) == []
        assert await readable(lambda: us.rows_here(LOCAL_LOG, 1, 9)) == []
        assert await readable(lambda: us.last_row(LOCAL_LOG)) == 0
    assert await us.key("t", "k") is None
    assert await eu.key("t", "k") == b"key"
    for put in here:
        assert await until_known(eu, put) == "ok"
    assert (await readable(lambda: us.rows(LOCAL_LOG, 1, 2))) == [(1, b"1"), (2, b"2")]
    assert await readable(lambda: us.rows_here(LOCAL_LOG, 1, 2)) == here
    assert await readable(lambda: us.last_row(LOCAL_LOG)) == 2


async def test_what_asks_for_a_quorum_is_not_answered_by_one_region(
    cassandra_stores: Stores, opened: Open
) -> None:
    eu = await opened("eu")
    with frozen(cassandra_stores, "us", "ap"):
        assert await do(eu, Register("c1", "eu", "u", [LOCAL_LOG])) == "ok"
        asked = (
            PutRow(GLOBAL_LOG, 1, b"1"),
            PutRow(EFFECTS, 1, b"1"),
            PutRow(LOCAL_LOG, 1, b"1", at_quorum=True),
            Register("c1", "eu", "u", [LOCAL_LOG, GLOBAL_LOG], at_quorum=True),
            PutFloor("h", "c1", b"1"),
        )
        assert await asyncio.gather(*(do(eu, write) for write in asked)) == ["unknown"] * 5
        for read in (eu.rows(EFFECTS, 1, 9), eu.last_row(EFFECTS), eu.registry()):
            with pytest.raises(StoreError):
                await read
    for write in asked:
        assert await until_known(eu, write) == "ok"
    assert [who.logs for who in await eu.registry()] == [[LOCAL_LOG, GLOBAL_LOG]]


async def test_swaps_do_not_wait_for_a_region_that_is_frozen(
    cassandra_stores: Stores, opened: Open
) -> None:
    eu, us = await opened("eu"), await opened("us")
    one, two = Lease("c1", 1, "n1", "active"), Lease("c1", 2, "n2", "active")
    with frozen(cassandra_stores, "ap"):
        assert await do(eu, SwapLease(None, one)) == Swapped(True, lease=one)
        assert await do(us, SwapLease(None, two)) == Swapped(False, lease=one)
        assert await do(us, SwapLease(one, two)) == Swapped(True, lease=two)
        free = await us.shards_of_home("h")
        given = [ShardRow(row.shard, "c1", 1) for row in free[:2]]
        assert await do(eu, SwapShards("h", free[:2], "c1")) == Swapped(True, shards=given)
        refused = await do(us, SwapShards("h", free, "c2"))
        assert refused == Swapped(False, shards=[*given, *free[2:]])
        assert await do(us, PutRow(EFFECTS, 1, b"1")) == "ok"
        assert await eu.rows(EFFECTS, 1, 9) == [(1, b"1")]


async def test_only_one_of_two_regions_takes_a_shard(opened: Open) -> None:
    eu, us = await opened("eu"), await opened("us")
    free = (await eu.shards_of_home("h"))[:1]
    answers = await asyncio.gather(
        until_known(eu, SwapShards("h", free, "c1")), until_known(us, SwapShards("h", free, "c2"))
    )
    stands = (await us.shards_of_home("h"))[0]
    assert stands.epoch == 1
    # Both may be refused: then one was applied whose first answer was lost.
    assert sum(answer.applied for answer in answers if isinstance(answer, Swapped)) <= 1
    assert stands.owner in ("c1", "c2")


async def test_without_a_majority_nothing_is_known_and_a_repeat_finds_out(
    cassandra_stores: Stores, opened: Open
) -> None:
    eu = await opened("eu")
    lease, early, late = (
        Lease("c1", 1, "n1", "active"),
        *(PutFloor("h", "c1", body) for body in (b"early", b"late")),
    )
    row = PutRow(EFFECTS, 1, b"the same bytes")
    with frozen(cassandra_stores, "us", "ap"):
        answers = await asyncio.gather(
            *(do(eu, write) for write in (SwapLease(None, lease), early, row))
        )
        assert answers == ["unknown"] * 3
        for read in (eu.lease("c1"), eu.leases(), eu.shards_of_home("h"), eu.floors("h")):
            with pytest.raises(StoreError):
                await read
    found = await until_known(eu, SwapLease(None, lease))
    assert isinstance(found, Swapped)
    assert found.lease == lease
    assert await eu.lease("c1") == lease
    # A repeat keeps its timestamp: it comes over nothing that was written meanwhile.
    assert await until_known(eu, late) == "ok"
    assert await until_known(eu, early) == "ok"
    assert await eu.floors("h") == {"c1": b"late"}
    before = await eu.rows_here(EFFECTS, 1, 1)
    assert await until_known(eu, PutRow(EFFECTS, 1, b"the same bytes")) == "ok"
    assert await eu.rows(EFFECTS, 1, 9) == [(1, b"the same bytes")]
    assert before == await eu.rows_here(EFFECTS, 1, 1)


async def test_a_region_that_owns_by_force_goes_on_alone(
    cassandra_stores: Stores, opened: Open
) -> None:
    eu, us = await opened("eu"), await opened("us")
    held, forced_row = Lease("c1", 1, "n1", "active"), Forced(1, ("eu",), alone=True)
    assert await until_known(eu, SwapLease(None, held)) == Swapped(True, lease=held)
    with frozen(cassandra_stores, "us", "ap"):
        with pytest.raises(StoreError):
            await eu.forces.forced(here=False)
        assert await do(eu, PutForced(forced_row, at_quorum=False)) == "ok"
        assert await do(eu, PutForced(forced_row, at_quorum=True)) == "unknown"
        rows = await eu.forces.forced(here=True)
        assert rows == [forced_row]
        alone = eu.forces.under(ruling(rows))
        await _owns_alone(alone)
    assert forced_row in await readable(lambda: us.forces.forced(here=False))
    # Its leases and shards are of the force number: those of before are as they were.
    assert await readable(lambda: eu.lease("c1")) == held
    assert all(shard.owner == "" for shard in await eu.shards_of_home("h"))
    joined = us.forces.under(ruling([Forced(1, ("eu", "us"))]))
    assert await joined.lease("c1") == held
    assert [shard.owner for shard in await joined.shards_of_home("h")] == ["c2", "", "", ""]


async def _owns_alone(alone: Any) -> None:
    mine, shards = Lease("c2", 1, "n1", "active"), await alone.shards_of_home("h")
    assert {(row.owner, row.epoch) for row in shards} == {("", 1 << 40)}
    assert await do(alone, SwapLease(None, mine)) == Swapped(True, lease=mine)
    assert await alone.leases() == [mine]
    given = [ShardRow(0, "c2", (1 << 40) + 1)]
    assert await do(alone, SwapShards("h", shards[:1], "c2")) == Swapped(True, shards=given)
    assert await do(alone, PutRow("effect.h.urgent.c2.0", 1, b"1")) == "ok"
    assert await alone.rows("effect.h.urgent.c2.0", 1, 9) == [(1, b"1")]
    assert await do(alone, PutFloor("h", "c2", b"floor")) == "ok"
    assert await alone.floors("h") == {"c2": b"floor"}
    only = first_set(["eu"], "alone")
    assert await alone.serving() == only
    swap = SwapServing(only, first_set(["eu", "us"], "n"))
    assert await do(alone, swap) == Swapped(False, serving=only)
    assert await alone.maps() is None
    assert await alone.replication() is None


async def test_a_row_of_one_region_is_found_by_whoever_asks_all(
    cassandra_stores: Stores, opened: Open
) -> None:
    row = Forced(1, ("eu",), alone=True)
    await cassandra_stores.replicate(["eu"])
    eu, ap = await opened("eu"), await opened("ap")
    assert await do(eu, PutForced(row, at_quorum=False)) == "ok"
    await cassandra_stores.replicate(["eu", "us", "ap"])
    assert await ap.forces.forced(here=True) == []
    with frozen(cassandra_stores, "us"):
        assert await readable(lambda: ap.forces.forced(here=False)) == [row]
    assert await readable(lambda: ap.forces.forced(here=False)) == [row]


async def test_what_waits_for_its_turn_is_done_too(opened: Open) -> None:
    store = await opened("eu", requests_max=2, batch_rows_max=3)
    floors = [PutFloor("h", f"c{n}", b"%d" % n) for n in range(40)]
    answers = await asyncio.gather(*(do(store, write) for write in floors))
    assert set(answers) == {"ok"}
    assert len(await store.floors("h")) == 40
    await asyncio.gather(*(do(store, Register(f"c{n}", "eu", "u", [])) for n in range(9)))
    assert sorted(await store.registry(), key=lambda who: who.incarnation) == [
        Registered(f"c{n}", "eu", "u", []) for n in range(9)
    ]


async def test_a_row_that_is_too_large_is_a_mistake_of_ours(opened: Open) -> None:
    store = await opened("eu", row_bytes_max=1000)
    with pytest.raises(ValueError, match="row_bytes_max"):
        store.submit(PutRow(EFFECTS, 1, b"x" * 1001), lambda _: None)
    assert await do(store, PutRow(EFFECTS, 1, b"x" * 1000)) == "ok"


async def test_an_audit_reads_past_what_is_missing(opened: Open) -> None:
    store = await opened("eu")
    rows = (1, 3, 1023, 1024, 5000)
    for row in rows:
        assert await until_known(store, PutRow(GLOBAL_LOG, row, b"%d" % row)) == "ok"
    entries = [OpenRow("h", 1, bucket, f"m{bucket}", 1, 7, b"") for bucket in (5, 6)]
    assert await until_known(store, PutOpen(entries)) == "ok"
    assert [each async for each in store.scan_rows(GLOBAL_LOG, 5000)] == [
        (row, b"%d" % row) for row in rows
    ]
    assert sorted([each async for each in store.scan_open()]) == [("m5", 5), ("m6", 6)]
