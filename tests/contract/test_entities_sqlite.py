"""What is particular to the entities on SQLite: the disk, other processes, another version."""

import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from sync.store.entities import StoreFull
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.port import StoreError

COUNTER = """
import asyncio, sys
from pathlib import Path
from sync.store.entities import StaleVersion
from sync.store.entities_sqlite import SQLiteEntities

async def main():
    store = SQLiteEntities(Path(sys.argv[1]))
    for _ in range(30):
        while True:
            found = await store.get("k", "counter")
            at, count = (found.version, int(found.body)) if found else (0, 0)
            try:
                await store.put("k", "counter", b"%d" % (count + 1), at)
                break
            except StaleVersion:
                pass
    await store.close()

asyncio.run(main())
"""

WRITER = """
import asyncio, sys
from pathlib import Path
from sync.store.entities_sqlite import SQLiteEntities

async def main():
    store = SQLiteEntities(Path(sys.argv[1]))
    n = 0
    while True:
        n += 1
        await store.put("k", f"{n:06}", b"x", 0)
        print(n, flush=True)

asyncio.run(main())
"""


async def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.db"
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", COUNTER, str(path))
        for _ in range(3)
    ]
    assert [await process.wait() for process in running] == [0, 0, 0]
    store = SQLiteEntities(path)
    found = await store.get("k", "counter")
    assert found is not None and (found.body, found.version) == (b"90", 90)
    assert await store.head() == 90
    await store.close()


async def test_what_put_returned_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "config.db"
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    lines = [await writer.stdout.readline() for _ in range(20)]
    writer.kill()
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    told = max(int(line) for line in lines if line.endswith(b"\n"))
    store = SQLiteEntities(path)
    there = [entity.id for entity in await store.list("k", limit=1000)]
    assert len(there) in (told, told + 1)
    await store.close()


async def test_the_file_is_for_its_owner_alone_and_writes_are_synced(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = SQLiteEntities(tmp_path / "config.db")
        await store.put("k", "a", b"", None)
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path)}
    assert modes == {0o600}
    synchronous = await store._run(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])
    assert synchronous == 2
    await store.close()


async def test_the_loop_does_not_wait_for_a_locked_file(tmp_path: Path) -> None:
    store = SQLiteEntities(tmp_path / "config.db", busy_timeout_ms=10_000)
    await store.put("k", "a", b"1", None)
    other = sqlite3.connect(tmp_path / "config.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(store.put("k", "a", b"2", None))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not writing.done()
    other.execute("ROLLBACK")
    other.close()
    assert await writing == 2
    await store.close()


async def test_a_file_locked_for_too_long_is_an_error(tmp_path: Path) -> None:
    store = SQLiteEntities(tmp_path / "config.db", busy_timeout_ms=20)
    await store.put("k", "a", b"1", None)
    other = sqlite3.connect(tmp_path / "config.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await store.put("k", "a", b"2", None)
    other.close()
    assert await store.put("k", "a", b"2", 1) == 2
    await store.close()


async def test_a_full_disk_says_so_and_recovers(tmp_path: Path) -> None:
    store = SQLiteEntities(tmp_path / "config.db")
    await store.put("k", "a", b"1", None)
    await store._run(lambda db: db.execute("PRAGMA max_page_count = 8").fetchone())
    with pytest.raises(StoreFull, match="no space left"):
        await store.put("k", "b", bytes(100_000), None)
    assert await store.get("k", "b") is None
    await store._run(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await store.put("k", "b", bytes(100_000), None) == 1
    await store.close()


async def test_callers_beyond_the_bound_are_refused(tmp_path: Path) -> None:
    store = SQLiteEntities(tmp_path / "config.db", pending_max=2)
    results = await asyncio.gather(*(store.head() for _ in range(5)), return_exceptions=True)
    assert results[:2] == [0, 0]
    assert all(isinstance(result, StoreError) for result in results[2:])
    assert await store.head() == 0
    await store.close()


async def test_a_missing_folder_and_a_newer_file_are_explained(tmp_path: Path) -> None:
    lost = SQLiteEntities(tmp_path / "gone" / "config.db")
    with pytest.raises(StoreError, match="folder"):
        await lost.head()
    await lost.close()
    newer = sqlite3.connect(tmp_path / "config.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    store = SQLiteEntities(tmp_path / "config.db")
    with pytest.raises(StoreError, match="newer version"):
        await store.head()
    await store.close()
