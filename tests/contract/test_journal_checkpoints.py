"""The journal's WAL stays small, though no commit waits for a checkpoint."""

import asyncio
from pathlib import Path

from sync.store import sqlite_checkpoints
from sync.store.port import Answer, PutRow
from sync.store.sqlite_journal import SQLiteJournal

PAGE_BYTES = 4096
ROWS = 400
AT_ONCE = 4
BODY = b"x" * 20_000


async def test_the_wal_begins_anew_while_rows_are_written(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(sqlite_checkpoints, "WAL_PAGES", 50)
    monkeypatch.setattr(sqlite_checkpoints, "EVERY_COMMITS", 8)
    store = SQLiteJournal(tmp_path / "journal.db", "h", 4, lambda: 0, interval_ms=0)
    loop = asyncio.get_running_loop()
    for row in range(1, ROWS + 1):
        told: asyncio.Future[Answer] = loop.create_future()
        store.submit(PutRow("effect.h.urgent.c1.0", row, BODY), told.set_result)
        assert await told == "ok"
    written = ROWS * len(BODY)
    assert (tmp_path / "journal.db-wal").stat().st_size < written // AT_ONCE
    assert len(await store.rows("effect.h.urgent.c1.0", 1, ROWS)) == ROWS
    await store.close()
    assert not (tmp_path / "journal.db-wal").exists()
