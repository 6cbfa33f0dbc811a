"""A journal of an older version is taken on with all that it holds."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sync.store.port import Answer, PutRow, PutViews, StoreError, ViewRow, Write
from sync.store.sqlite_journal import SQLiteJournal
from sync.store.sqlite_schema import VERSION

LOG = "effect.h.urgent.c1.0"


async def put(store: SQLiteJournal, write: Write) -> Answer:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    store.submit(write, told.set_result)
    return await told


def older(path: Path, version: str) -> None:
    """The file as the version before views left it."""
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE views")
        db.execute("UPDATE meta SET value=? WHERE name='version'", (version,))
    db.close()


async def test_a_journal_without_views_gets_them_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SQLiteJournal(path, "h", 4, lambda: 0)
    await put(store, PutRow(LOG, 1, b"kept"))
    await store.close()
    older(path, "2")
    for _ in range(2):
        store = SQLiteJournal(path, "h", 4, lambda: 0)
        row = ViewRow("p", "k", 1, "c1", 1, b"body")
        assert await put(store, PutViews([row])) == "ok"
        assert await store.views("p", None, None, 9) == [row]
        assert await store.rows(LOG, 1, 9) == [(1, b"kept")]
        await store.close()


@pytest.mark.parametrize("version", ["1", str(VERSION + 1)])
async def test_versions_that_are_unknown_are_refused(tmp_path: Path, version: str) -> None:
    path = tmp_path / "journal.db"
    await SQLiteJournal(path, "h", 4, lambda: 0).close()
    older(path, version)
    with pytest.raises(StoreError, match=f"version {version}"):
        SQLiteJournal(path, "h", 4, lambda: 0)
