"""A journal of an older version is taken on with all that it holds."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sync.lease import Lease
from sync.maps import MapRow
from sync.placement import Kept, world_map
from sync.replication import ReplicationChange, plan
from sync.serving import first_set
from sync.store.port import (
    Answer,
    PutRow,
    PutViews,
    StoreError,
    SwapLease,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
    ViewRow,
    Write,
)
from sync.store.sqlite_journal import SQLiteJournal
from sync.store.sqlite_schema import VERSION

LOG = "effect.h.urgent.c1.0"


async def put(store: SQLiteJournal, write: Write) -> Answer:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    store.submit(write, told.set_result)
    return await told


def older(path: Path, version: str, *lacking: str) -> None:
    """The file as an older version left it, without the tables that came later."""
    with sqlite3.connect(path) as db:
        for table in lacking:
            db.execute(f"DROP TABLE {table}")
        db.execute("UPDATE meta SET value=? WHERE name='version'", (version,))
    db.close()


async def test_a_journal_without_views_gets_them_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    await put(store, PutRow(LOG, 1, b"kept"))
    await store.close()
    older(path, "2", "views", "serving", "maps", "replication")
    for _ in range(2):
        store = SQLiteJournal(path, "h", 4, lambda: 0)
        row = ViewRow("p", "k", 1, "c1", 1, b"body")
        assert await put(store, PutViews([row])) == "ok"
        assert await store.views("p", None, None, 9) == [row]
        assert await store.rows(LOG, 1, 9) == [(1, b"kept")]
        await store.close()


async def test_a_journal_without_serving_regions_gets_their_row(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    row = ViewRow("p", "k", 1, "c1", 1, b"body")
    await put(store, PutViews([row]))
    await store.close()
    older(path, "3", "serving", "maps", "replication")
    first = first_set(["h"], "n1")
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    assert await store.serving() is None
    assert await put(store, SwapServing(None, first)) == Swapped(True, serving=first)
    await store.close()
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    assert await store.serving() == first
    assert await store.views("p", None, None, 9) == [row]
    await store.close()


async def test_a_journal_without_a_placement_map_gets_its_row(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    await put(store, SwapServing(None, first_set(["h"], "n1")))
    await store.close()
    older(path, "4", "maps", "replication")
    row = MapRow("n1", (Kept(world_map(["h"], 4)),))
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    assert await store.maps() is None
    assert await put(store, SwapMaps(None, row)) == Swapped(True, maps=row)
    await store.close()
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    assert await store.maps() == row
    assert await store.serving() == first_set(["h"], "n1")
    await store.close()


async def test_leases_of_before_name_no_change_of_replication(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    held = Lease("c1", 1, "n1", "active", 2)
    await put(store, SwapLease(None, held))
    await store.close()
    older(path, "5", "replication")
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE leases DROP COLUMN replication_version")
    db.close()
    change = plan("k", {"h": 1}, {"h": 2}, "n1")
    assert isinstance(change, ReplicationChange)
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    assert await store.lease("c1") == held
    renewed = Lease("c1", 2, "n2", "active", 2, replication_version=1)
    assert await put(store, SwapLease(held, renewed)) == Swapped(True, lease=renewed)
    assert await put(store, SwapReplication(None, change)) == Swapped(True, replication=change)
    await store.close()
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    assert await store.leases() == [renewed]
    assert await store.replication() == change
    await store.close()


@pytest.mark.parametrize("version", ["1", str(VERSION + 1)])
async def test_versions_that_are_unknown_are_refused(tmp_path: Path, version: str) -> None:
    path = tmp_path / "journal.db"
    await SQLiteJournal(path, "h", 4, lambda: 0).close()
    older(path, version)
    with pytest.raises(StoreError, match=f"version {version}"):
        SQLiteJournal(path, "h", 4, lambda: 0)
