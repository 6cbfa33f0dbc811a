"""Every implementation of the journal's store keeps the same promises."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sync.lease import Lease
from sync.naming import by_id_partition
from sync.store.memory_journal import MemoryJournal
from sync.store.port import (
    Answer,
    ByIdRow,
    JournalStore,
    OpenRow,
    PutById,
    PutFloor,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    Registered,
    ShardRow,
    SwapLease,
    Swapped,
    SwapShards,
    ViewRow,
)
from sync.store.sqlite_journal import SQLiteJournal
from tests.contract.conftest import Do

LOG = "effect.h.urgent.c1.0"
FAR_MS = 1 << 60
REFUSING = ["memory", "sqlite", "sim-one"]  # those that check for revoked writers, as SQLite does


ID = "h-u0000000001x"


def by_id_row(message_id: str, epoch: int, body: bytes, stamp: int = 0) -> ByIdRow:
    return ByIdRow(by_id_partition(message_id), message_id, epoch, body, stamp)


def by_id(body: bytes, epoch: int, stamp: int = 0) -> PutById:
    return PutById([by_id_row(ID, epoch, body, stamp)])


def entry(
    message_id: str, due_ms: int, epoch: int = 1, body: bytes = b"", shard: int = 0
) -> OpenRow:
    return OpenRow("h", shard, 7, message_id, epoch, due_ms, body)


async def test_rows_are_read_up_to_the_first_gap(store: JournalStore, do: Do) -> None:
    for row in (1, 2, 4):
        assert await do(PutRow(LOG, row, b"%d" % row)) == "ok"
    assert await store.rows(LOG, 1, 10) == [(1, b"1"), (2, b"2")]
    assert await store.rows(LOG, 2, 10) == [(2, b"2")]
    assert await store.rows(LOG, 3, 10) == []
    assert await store.rows(LOG, 4, 10) == [(4, b"4")]
    assert await store.rows(LOG, 1, 1) == [(1, b"1")]
    assert await store.rows("effect.h.urgent.c9.0", 1, 10) == []
    assert await store.last_row(LOG) == 4
    assert await store.last_row("effect.h.urgent.c9.0") == 0
    assert await store.logs() == {LOG: 4}


async def test_rows_are_read_over_the_bounds_of_partitions(store: JournalStore, do: Do) -> None:
    rows = [(row, b"%d" % row) for row in range(970, 1070)]
    for row, body in rows:
        assert await do(PutRow(LOG, row, body)) == "ok"
    assert await store.rows(LOG, 970, 200) == rows
    assert await store.rows(LOG, 1020, 9) == rows[50:59]
    assert await store.last_row(LOG) == 1069
    assert await store.logs() == {LOG: 1069}
    assert await do(PutRow(LOG, 2047, b"last of its partition")) == "ok"
    assert await store.last_row(LOG) == 2047


async def test_a_row_is_written_once(store: JournalStore, do: Do) -> None:
    assert await do(PutRow(LOG, 1, b"first")) == "ok"
    assert await do(PutRow(LOG, 1, b"again")) == "ok"
    assert await store.rows(LOG, 1, 9) == [(1, b"first")]


async def test_rows_of_the_own_region_come_as_what_writes_them_again(
    store: JournalStore, do: Do
) -> None:
    log = "accept.h.normal_local.c1.0"
    for row in (1, 2, 3, 5):
        assert await do(PutRow(log, row, b"%d" % row)) == "ok"
    again = await store.rows_here(log, 2, 9)
    assert [(put.log, put.row, put.body) for put in again] == [(log, 2, b"2"), (log, 3, b"3")]
    assert all(put.at_quorum for put in again)
    for put in again:
        assert await do(put) == "ok"
    assert await store.rows(log, 1, 9) == [(1, b"1"), (2, b"2"), (3, b"3")]
    assert await store.rows_here(log, 2, 9) == again
    assert [put.row for put in await store.rows_here(log, 1, 2)] == [1, 2]
    assert await store.rows_here("accept.h.normal_local.c9.0", 1, 9) == []


@pytest.mark.parametrize("store", REFUSING, indirect=True)
@pytest.mark.parametrize("state", ["revoked", "left"])
async def test_no_row_of_a_writer_whose_lease_is_over(
    store: JournalStore, do: Do, state: str
) -> None:
    held = Lease("c1", 1, "n1", "active")
    assert await do(SwapLease(None, held)) == Swapped(True, lease=held)
    assert await do(PutRow(LOG, 1, b"1")) == "ok"
    over = Lease("c1", 1, "n1", "revoked" if state == "revoked" else "left", 1, {LOG: 1})
    assert await do(SwapLease(held, over)) == Swapped(True, lease=over)
    assert await do(PutRow(LOG, 2, b"2")) == "revoked"
    assert await do(PutRow("effect.h.urgent.c2.0", 1, b"of another")) == "ok"
    assert await store.rows(LOG, 1, 9) == [(1, b"1")]
    assert await store.lease("c1") == over
    assert await store.leases() == []


@pytest.mark.parametrize("store", REFUSING, indirect=True)
async def test_a_key_row_is_refused_with_its_log(store: JournalStore, do: Do) -> None:
    held = Lease("c1", 1, "n1", "active")
    await do(SwapLease(None, held))
    await do(SwapLease(held, Lease("c1", 1, "n1", "revoked")))
    assert await do(PutKey("t", "k", b"late", "accept.h.urgent_local.c1.0")) == "revoked"
    assert await store.key("t", "k") is None
    assert await do(PutKey("t", "k", b"one", "accept.h.urgent_local.c2.0")) == "ok"
    assert await do(PutKey("t", "k", b"two")) == "ok"
    assert await store.key("t", "k") == b"one"


async def test_of_two_key_rows_the_first_counts(store: JournalStore, do: Do) -> None:
    assert await do(PutKey("t", "k", b"one", "accept.h.urgent_local.c2.0")) == "ok"
    assert await do(PutKey("t", "k", b"two")) == "ok"
    assert await do(PutKey("t", "l", b"of another key")) == "ok"
    assert await store.key("t", "k") == b"one"
    assert await store.key("u", "k") is None


@pytest.mark.parametrize("store", REFUSING, indirect=True)
async def test_the_revocation_and_a_row_in_one_batch_keep_their_order(
    store: JournalStore, do: Do
) -> None:
    held = Lease("c1", 1, "n1", "active")
    await do(SwapLease(None, held))
    first, swapped, second = await asyncio.gather(
        do(PutRow(LOG, 1, b"1")),
        do(SwapLease(held, Lease("c1", 1, "n1", "revoked"))),
        do(PutRow(LOG, 2, b"2")),
    )
    assert isinstance(swapped, Swapped)
    assert swapped.applied
    # The rows may be refused although they were handed over first, but never written afterwards.
    assert second == "revoked"
    assert len(await store.rows(LOG, 1, 9)) == (first == "ok")


async def test_a_lease_is_set_only_from_what_was_expected(store: JournalStore, do: Do) -> None:
    one = Lease("c1", 1, "n1", "active", 3, {"a": 1})
    two = Lease("c1", 2, "n2", "active")
    assert await do(SwapLease(one, two)) == Swapped(False, lease=None)
    assert await do(SwapLease(None, one)) == Swapped(True, lease=one)
    assert await do(SwapLease(None, two)) == Swapped(False, lease=one)
    stale = Lease("c1", 1, "another nonce", "active", 3, {"a": 1})
    assert await do(SwapLease(stale, two)) == Swapped(False, lease=one)
    assert await do(SwapLease(one, two)) == Swapped(True, lease=two)
    assert await store.leases() == [two]
    assert await store.lease("nobody") is None


async def test_shards_are_given_all_or_none(store: JournalStore, do: Do) -> None:
    free = [ShardRow(shard, "", 0) for shard in range(4)]
    assert await store.shards_of_home("h") == free
    given = [ShardRow(0, "c1", 1), ShardRow(1, "c1", 1)]
    assert await do(SwapShards("h", free[:2], "c1")) == Swapped(True, shards=given)
    refused = await do(SwapShards("h", [free[1], free[2]], "c2"))
    assert isinstance(refused, Swapped)
    assert not refused.applied
    assert await store.shards_of_home("h") == [*given, *free[2:]]
    assert await store.shards_of_home("i") == free
    again = await do(SwapShards("h", given[:1], "c2"))
    assert again == Swapped(True, shards=[ShardRow(0, "c2", 2)])
    unknown = await do(SwapShards("h", [ShardRow(99, "", 0)], "c2"))
    assert isinstance(unknown, Swapped)
    assert not unknown.applied


async def test_of_several_epochs_the_highest_counts(store: JournalStore, do: Do) -> None:
    await do(by_id(b"new owner", 2))
    await do(by_id(b"old owner, late", 1))
    found = await store.by_ids([ID, "h-u0000000001y", "no id"])
    assert {i: (r.epoch, r.body) for i, r in found.items()} == {ID: (2, b"new owner")}


async def test_an_earlier_by_id_row_does_not_come_back_over_a_later_one(
    store: JournalStore, do: Do
) -> None:
    await do(by_id(b"open", 1, stamp=1))
    await do(by_id(b"ended", 1, stamp=2))
    await do(by_id(b"open", 1, stamp=1))
    assert (await store.by_ids([ID]))[ID].body == b"ended"
    both = PutById([by_id_row(ID, 2, b"later", 5), by_id_row(ID, 2, b"earlier", 4)])
    await do(both)
    assert (await store.by_ids([ID]))[ID].body == b"later"


async def test_many_by_id_rows_at_once(store: JournalStore, do: Do) -> None:
    ids = [f"h-u00000000{n % 3}0x{n}" for n in range(700)]
    rows = [by_id_row(i, 1, i.encode(), n) for n, i in enumerate(ids)]
    assert await do(PutById(rows)) == "ok"
    found = await store.by_ids(ids)
    assert {i: row.body for i, row in found.items()} == {i: i.encode() for i in ids}


async def test_open_entries_in_pages_by_their_time(store: JournalStore, do: Do) -> None:
    rows = [entry("c", 20), entry("a", 20), entry("b", 10, shard=1), entry("d", 30)]
    assert await do(PutOpen([*rows, entry("other shard", 1, shard=2)])) == "ok"
    first = await store.open_due("h", [0, 1], 7, (-1, ""), FAR_MS, 2)
    assert [row.id for row in first] == ["b", "a"]
    rest = await store.open_due("h", [0, 1], 7, (first[-1].due_ms, first[-1].id), FAR_MS, 9)
    assert [row.id for row in rest] == ["c", "d"]
    due = await store.open_due("h", [0, 1], 7, (-1, ""), 20, 9)
    assert [row.id for row in due] == ["b", "a", "c"]
    assert await store.open_due("h", [0, 1], 8, (-1, ""), FAR_MS, 9) == []
    assert await store.open_due("elsewhere", [0, 1], 7, (-1, ""), FAR_MS, 9) == []


async def test_an_open_entry_is_replaced_by_its_owner(store: JournalStore, do: Do) -> None:
    await do(PutOpen([entry("a", 10, body=b"first try")]))
    await do(PutOpen([entry("a", 20, body=b"second try")]))
    found = await store.open_due("h", [0], 7, (-1, ""), FAR_MS, 9)
    assert [(row.due_ms, row.body) for row in found] == [(20, b"second try")]


async def test_floors_are_overwritten_by_their_owner(store: JournalStore, do: Do) -> None:
    await do(PutFloor("h", "c1", b"1"))
    await do(PutFloor("h", "c2", b"2"))
    await do(PutFloor("h", "c1", b"3"))
    assert await store.floors("h") == {"c1": b"3", "c2": b"2"}
    assert await store.floors("elsewhere") == {}


async def test_provider_ids_newest_first(store: JournalStore, do: Do) -> None:
    for seq in (1, 2):
        await do(PutProviderIds("acc", 5, "c1", seq, b"%d" % seq))
    await do(PutProviderIds("acc", 5, "c2", 1, b"other writer"))
    await do(PutProviderIds("acc", 5, "c1", 1, b"repeated"))
    assert await store.provider_ids("acc", 5) == [b"other writer", b"2", b"1"]
    assert await store.provider_ids("acc", 6) == []


async def test_pending_receipts_of_an_account(store: JournalStore, do: Do) -> None:
    await do(PutPending("acc", "p1", b"delivered"))
    await do(PutPending("acc", "p1", b"failed"))
    await do(PutPending("acc", "p1", b"failed"))
    await do(PutPending("acc", "p2", b"x"))
    await do(PutPending("other", "p1", b"y"))
    assert sorted(await store.pending("acc", ["p1"])) == [b"delivered", b"failed"]
    assert len(await store.pending("acc", ["p1", "p2", "p3"])) == 3
    assert await store.pending("acc", []) == []


def segment(at_ms: int, writer: str, seq: int, kind: str = "sms/sent", part: str = "p") -> ViewRow:
    return ViewRow(part, kind, at_ms, writer, seq, f"{at_ms} {writer} {seq} {kind}".encode())


async def test_views_newest_first_by_kind_and_page(store: JournalStore, do: Do) -> None:
    rows = [
        segment(10, "c1", 1),
        segment(10, "c1", 2, "sms/failed"),
        segment(10, "c2", 1),
        segment(9, "c9", 7),
        segment(11, "c1", 3, "email/sent"),
    ]
    assert await do(PutViews([*rows, segment(12, "c1", 4, part="other")])) == "ok"
    newest = [rows[4], rows[2], rows[1], rows[0], rows[3]]
    assert await store.views("p", None, None, 10) == newest
    assert await store.views("p", None, None, 2) == newest[:2]
    assert await store.views("p", None, (10, "c2", 1), 10) == newest[2:]
    assert await store.views("p", ["sms/failed", "email/sent"], None, 10) == [rows[4], rows[1]]
    assert await store.views("p", ["sms/sent"], (10, "c1", 2), 1) == [rows[0]]
    assert await store.views("p", [], None, 10) == []
    assert await store.views("nowhere", None, None, 10) == []
    walked, before = [], None
    while page := await store.views("p", ["sms/sent", "sms/failed", "none"], before, 1):
        walked += page
        before = (page[0].at_ms, page[0].writer, page[0].seq)
    assert walked == newest[1:]


async def test_a_segment_is_written_once(store: JournalStore, do: Do) -> None:
    first = segment(10, "c1", 1)
    await do(PutViews([first]))
    assert await do(PutViews([ViewRow("p", "sms/sent", 10, "c1", 1, b"again")])) == "ok"
    assert await store.views("p", None, None, 9) == [first]
    assert await do(PutViews([])) == "ok"


async def test_many_segments_at_once(store: JournalStore, do: Do) -> None:
    rows = [segment(n // 7, "c1", n, f"k{n % 150}") for n in range(900)]
    assert await do(PutViews(rows)) == "ok"
    assert await store.views("p", None, None, 1000) == rows[::-1]
    kinds = [f"k{n}" for n in range(150)]
    assert await store.views("p", kinds, None, 5) == rows[:-6:-1]


async def test_who_is_registered(store: JournalStore, do: Do) -> None:
    await do(Register("c1", "h", "http://one", ["a"]))
    await do(Register("c1", "h", "http://one", ["a", "b"]))
    assert await store.registry() == [Registered("c1", "h", "http://one", ["a", "b"])]


async def test_memory_answers_what_it_is_told_to(tmp_path: Path) -> None:
    store = MemoryJournal("h", 1)
    store.refuse = lambda write: "full" if isinstance(write, PutRow) else ""
    answers: list[Answer] = []
    store.submit(PutRow(LOG, 1, b"1"), answers.append)
    store.submit(PutFloor("h", "c1", b"1"), answers.append)
    assert answers == []
    await store.close()
    assert answers == ["full", "ok"]


async def test_sqlite_says_full_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    store = SQLiteJournal(tmp_path / "journal.db", "h", 1, lambda: 0)
    loop = asyncio.get_running_loop()
    store._db.execute("PRAGMA max_page_count=40")
    told: asyncio.Future[Answer] = loop.create_future()
    store.submit(PutRow(LOG, 1, b"x" * 400_000), told.set_result)
    assert await told == "full"
    assert await store.rows(LOG, 1, 1) == []
    store._db.execute("PRAGMA max_page_count=4000")
    told = loop.create_future()
    store.submit(PutRow(LOG, 1, b"x" * 400_000), told.set_result)
    assert await told == "ok"
    await store.close()


async def test_sqlite_says_unknown_while_another_process_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SQLiteJournal(path, "h", 1, lambda: 0, busy_timeout_ms=20)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    loop = asyncio.get_running_loop()
    told: asyncio.Future[Answer] = loop.create_future()
    store.submit(PutRow(LOG, 1, b"1"), told.set_result)
    assert await told == "unknown"
    holder.execute("ROLLBACK")
    holder.close()
    told = loop.create_future()
    store.submit(PutRow(LOG, 1, b"1"), told.set_result)
    assert await told == "ok"
    await store.close()
