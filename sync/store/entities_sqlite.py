"""Entities in a SQLite file of their own, which several processes may use at once.

WAL with `synchronous=FULL`: what `put` returned survives kill -9 and power loss. All calls run one
after the other in one worker thread that the object owns, so the event loop never waits for the
disk; at most `pending_max` callers wait for it, more are refused with `StoreError`. Another
process's write is waited for up to `busy_timeout_ms`.

The file is made on the first call, readable by its owner only. A file made by a newer version of
the software is refused rather than guessed at.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sync.store.entities import (
    LIST_MAX,
    Changes,
    Entity,
    StoreFull,
    check_body,
    check_expected,
    check_name,
)
from sync.store.port import StoreError

T = TypeVar("T")

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entity (
    kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, deleted INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (kind, id));
"""
# AUTOINCREMENT never gives a number twice, also when the row with the highest one was replaced.


class SQLiteEntities:
    """An `EntityStore` on the SQLite file at `path`."""

    def __init__(self, path: Path, *, busy_timeout_ms: int = 5000, pending_max: int = 1000) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._pending_max = pending_max
        self._pending = 0
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="entities")
        self._db: sqlite3.Connection | None = None

    async def get(self, kind: str, name: str) -> Entity | None:
        return await self._run(lambda db: _read(db, kind, name))

    async def list(self, kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        return await self._run(
            lambda db: [
                Entity(kind, *row)
                for row in db.execute(
                    "SELECT id, version, body FROM entity"
                    " WHERE kind = ? AND id > ? AND NOT deleted ORDER BY id LIMIT ?",
                    (kind, after, min(limit, LIST_MAX)),
                )
            ]
        )

    async def put(self, kind: str, name: str, body: bytes, expect: int | None) -> int:
        check_name(kind, name)
        check_body(body)
        return await self._run(lambda db: _write(db, kind, name, body, expect))

    async def delete(self, kind: str, name: str, expect: int | None) -> int:
        return await self._run(lambda db: _write(db, kind, name, None, expect))

    async def changes(self, since: int, limit: int) -> Changes:
        return await self._run(lambda db: _changes(db, since, limit))

    async def head(self) -> int:
        return await self._run(_head)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreError("the entity store is closed")
        if self._pending >= self._pending_max:
            raise StoreError(f"{self._pending} calls already wait for {self._path.name}")
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._in_thread, work
            )
        finally:
            self._pending -= 1

    def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._db is None:
                self._db = self._open()
            return work(self._db)
        except (sqlite3.Error, OSError) as error:
            raise _explained(self._path, error) from error

    def _open(self) -> sqlite3.Connection:
        # Made here and not by SQLite, so that nobody else can ever read it. SQLite gives the
        # files that it adds beside it (-wal, -shm) the same mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy_timeout_ms / 1000
        while True:
            try:
                # Several processes that make the same file at once get "locked" at once here:
                # SQLite does not wait while it switches the journal's mode.
                db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        db.execute("PRAGMA synchronous = FULL")
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} was made by a newer version of goutong (schema {found}, "
                f"this one knows {SCHEMA_VERSION}): start that version"
            )
        if found < SCHEMA_VERSION:
            db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )


def _read(db: sqlite3.Connection, kind: str, name: str) -> Entity | None:
    row = db.execute(
        "SELECT version, body, deleted FROM entity WHERE kind = ? AND id = ?", (kind, name)
    ).fetchone()
    return None if row is None else Entity(kind, name, row[0], row[1], bool(row[2]))


def _write(
    db: sqlite3.Connection,
    kind: str,
    name: str,
    body: bytes | None,
    expect: int | None,
) -> int:
    """Write the entity, or its tombstone where `body` is None, and its line in the feed."""
    db.execute("BEGIN IMMEDIATE")
    try:
        found = _read(db, kind, name)
        version = found.version if found else 0
        gone = found is None or found.deleted
        check_expected(expect, version, gone)
        if body is None and gone:
            db.execute("ROLLBACK")
            return 0
        db.execute(
            "INSERT OR REPLACE INTO entity (kind, id, version, deleted, body)"
            " VALUES (?, ?, ?, ?, ?)",
            (kind, name, version + 1, body is None, body or b""),
        )
        db.execute("INSERT OR REPLACE INTO feed (kind, id) VALUES (?, ?)", (kind, name))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return version + 1


def _changes(db: sqlite3.Connection, since: int, limit: int) -> Changes:
    rows = db.execute(
        "SELECT seq, kind, id FROM feed WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit)
    ).fetchall()
    if rows:
        return rows[-1][0], [(kind, name) for _, kind, name in rows]
    return min(since, _head(db)), []


def _head(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM feed").fetchone()[0])


def _explained(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """The error in words that say which file and what to do."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StoreFull(f"no space left for {path}")
    if isinstance(error, FileNotFoundError):
        return StoreError(f"the folder of {path} does not exist")
    return StoreError(f"{path}: {error}")
