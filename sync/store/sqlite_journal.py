"""The journal's store on SQLite: one file, WAL, a commit is on the disk when it is answered.

One committer thread takes everything submitted since its last commit into one transaction: all
logs and views of the process together. Commits start at least `interval_ms` apart, so that a busy
process commits many records at once; rows of urgent logs and the first write after a pause do not
wait. Reads run in a thread of their own on a second connection.

When the disk is full or another process holds the file too long, the transaction is rolled back
and each of its writes is answered `full` or `unknown`; whoever submitted repeats. Rows older than
the TTL are deleted in small steps after commits. Several processes may use one file.
"""

import asyncio
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sync.lease import Lease
from sync.maps import MapRow
from sync.replication import ReplicationChange
from sync.serving import ServingSet
from sync.store.port import (
    Answer,
    ByIdRow,
    Done,
    OpenRow,
    PutRow,
    Registered,
    ShardRow,
    StoreError,
    ViewRow,
    Write,
    homes_named,
)
from sync.store.sqlite_checkpoints import Checkpoints
from sync.store.sqlite_schema import EXPIRING, connect, create
from sync.store.sqlite_views import read_views
from sync.store.sqlite_writes import (
    Transaction,
    lease_of,
    read_lease,
    read_maps,
    read_replication,
    read_serving,
    read_shards,
)

T = TypeVar("T")
SWEEP_EVERY_COMMITS = 64
SWEEP_ROWS = 500


class SQLiteJournal:
    """See the module's docstring; implements `sync.store.port.JournalStore`.

    `home` is one home's name or several homes'; `shard_count` is that of the first.
    """

    closes_revoked = True
    forces = None

    def __init__(
        self,
        path: Path,
        home: str | Sequence[str],
        shards: int,
        wall_ms: Callable[[], int],
        interval_ms: float = 2.0,
        ttl_s: int = 45 * 86400,
        busy_timeout_ms: int = 5000,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._wall_ms = wall_ms
        self._interval_s = interval_ms / 1000
        self._ttl_s = ttl_s
        self._db = connect(path, busy_timeout_ms)
        self.shard_count = create(self._db, homes_named(home), shards)
        self._checkpoints = Checkpoints(connect(path, busy_timeout_ms))
        self._read_db = connect(path, busy_timeout_ms)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
        self._waiting: list[tuple[Write, Done]] = []
        self._busy = False
        self._armed: asyncio.Handle | None = None
        self._urgent = False
        self._started_at = 0.0
        self._commits = 0
        self.on_commit: Callable[[int, float], None] | None = None
        self._queue: queue.SimpleQueue[list[tuple[Write, Done]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-commit", daemon=True)
        self._thread.start()

    # Writing

    def submit(self, write: Write, done: Done) -> None:
        """Put a write into the next transaction."""
        self._waiting.append((write, done))
        urgent = type(write) is PutRow and ".urgent" in write.log
        self._urgent = self._urgent or urgent
        if not self._busy and (urgent or self._armed is None):
            self._arm()

    def _arm(self) -> None:
        """Begin when it is time; at once for what is urgent."""
        if self._armed is not None:
            self._armed.cancel()
        wait_s = self._started_at + self._interval_s - self._loop.time()
        if wait_s > 0 and not self._urgent:
            self._armed = self._loop.call_later(wait_s, self._begin)
        else:
            self._armed = self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._armed = None
        if self._busy or not self._waiting:
            return
        self._urgent = False
        batch, self._waiting = self._waiting, []
        self._busy = True
        self._started_at = self._loop.time()
        self._queue.put(batch)

    def _finish(self, batch: list[tuple[Write, Done]], answers: list[Answer]) -> None:
        self._busy = False
        if self.on_commit is not None:
            self.on_commit(len(batch), self._loop.time() - self._started_at)
        if self._waiting and self._armed is None:
            self._arm()
        for (_, done), answer in zip(batch, answers, strict=True):
            done(answer)

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            try:
                answers = self._commit(batch)
            except BaseException as error:
                self._loop.call_soon_threadsafe(_raise, error)
                return
            with suppress(RuntimeError):  # the loop was closed under us: nobody waits any more
                self._loop.call_soon_threadsafe(self._finish, batch, answers)
            self._checkpoints.committed(self._db)
            self._commits += 1
            if self._commits % SWEEP_EVERY_COMMITS == 0:
                self._sweep()

    def _commit(self, batch: list[tuple[Write, Done]]) -> list[Answer]:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            transaction = Transaction(db, self._wall_ms() // 1000)
            answers = [transaction.apply(write) for write, _ in batch]
            transaction.finish()
            db.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                if db.in_transaction:
                    db.execute("ROLLBACK")
            answer = "full" if "full" in str(error) else "unknown"
            return [answer] * len(batch)
        return answers

    def _sweep(self) -> None:
        before_s = self._wall_ms() // 1000 - self._ttl_s
        for table in EXPIRING:
            with suppress(sqlite3.Error):
                sql = (
                    f"DELETE FROM {table} WHERE at_s < ? AND rowid IN "  # noqa: S608
                    f"(SELECT rowid FROM {table} ORDER BY rowid LIMIT {SWEEP_ROWS})"
                )
                self._db.execute(sql, (before_s,))

    # Reading

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._reader, work, self._read_db)
        except sqlite3.Error as error:
            raise StoreError(f"the journal cannot be read: {error}") from error

    async def shards_of_home(self, home: str) -> list[ShardRow]:
        return await self._read(lambda db: read_shards(db, home))

    async def lease(self, incarnation: str) -> Lease | None:
        return await self._read(lambda db: read_lease(db, incarnation))

    async def leases(self) -> list[Lease]:
        sql = "SELECT * FROM leases WHERE state='active'"
        return await self._read(lambda db: [lease_of(r) for r in db.execute(sql).fetchall()])

    async def serving(self) -> ServingSet | None:
        return await self._read(read_serving)

    async def maps(self) -> MapRow | None:
        return await self._read(read_maps)

    async def replication(self) -> ReplicationChange | None:
        return await self._read(read_replication)

    async def registry(self) -> list[Registered]:
        sql = "SELECT incarnation, region, url, logs FROM registry"
        return await self._read(
            lambda db: [
                Registered(r[0], r[1], r[2], json.loads(r[3])) for r in db.execute(sql).fetchall()
            ]
        )

    async def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        sql = "SELECT row, body FROM log_rows WHERE log=? AND row>=? ORDER BY row LIMIT ?"
        found = await self._read(lambda db: db.execute(sql, (log, first, limit)).fetchall())
        return list(_without_gap(found, first))

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        """One file is every region: such a row stands, and writing it again changes nothing."""
        rows = await self.rows(log, first, limit)
        return [PutRow(log, row, body, at_quorum=True) for row, body in rows]

    async def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        def work(db: sqlite3.Connection) -> dict[str, ByIdRow]:
            found: dict[str, ByIdRow] = {}
            for at in range(0, len(ids), 256):
                part = ids[at : at + 256]
                sql = f"SELECT part, id, epoch, body, stamp FROM by_id WHERE id IN ({_marks(part)})"  # noqa: S608
                for row in db.execute(sql, part).fetchall():
                    if row[1] not in found or found[row[1]].epoch < row[2]:
                        found[row[1]] = ByIdRow(*row)
            return found

        return await self._read(work)

    async def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        sql = (
            "SELECT home, shard, bucket, id, epoch, due_ms, body FROM open_set WHERE home=? "  # noqa: S608
            f"AND bucket=? AND shard IN ({_marks(shards)}) AND (due_ms, id) > (?, ?) "
            "AND due_ms <= ? ORDER BY due_ms, id LIMIT ?"
        )
        values = (home, bucket, *shards, *after, until_ms, limit)
        found = await self._read(lambda db: db.execute(sql, values).fetchall())
        return [OpenRow(*row) for row in found]

    async def floors(self, home: str) -> dict[str, bytes]:
        sql = "SELECT owner, body FROM floors WHERE home=?"
        return dict(await self._read(lambda db: db.execute(sql, (home,)).fetchall()))

    async def key(self, tenant: str, key: str) -> bytes | None:
        sql = "SELECT body FROM keys WHERE tenant=? AND key=?"
        found = await self._read(lambda db: db.execute(sql, (tenant, key)).fetchone())
        return None if found is None else bytes(found[0])

    async def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        sql = "SELECT body FROM provider_segments WHERE account=? AND bucket=? ORDER BY rowid DESC"
        found = await self._read(lambda db: db.execute(sql, (account, bucket)).fetchall())
        return [row[0] for row in found]

    async def pending(self, account: str, ids: list[str]) -> list[bytes]:
        def work(db: sqlite3.Connection) -> list[bytes]:
            found: list[bytes] = []
            for at in range(0, len(ids), 256):
                part = ids[at : at + 256]
                sql = (
                    "SELECT body FROM pending WHERE account=? AND provider_id IN "  # noqa: S608
                    f"({_marks(part)})"
                )
                found += [row[0] for row in db.execute(sql, (account, *part)).fetchall()]
            return found

        return await self._read(work)

    async def views(
        self, part: str, kinds: list[str] | None, before: tuple[int, str, int] | None, limit: int
    ) -> list[ViewRow]:
        return await self._read(lambda db: read_views(db, part, kinds, before, limit))

    async def last_row(self, log: str) -> int:
        sql = "SELECT MAX(row) FROM log_rows WHERE log=?"
        found = await self._read(lambda db: db.execute(sql, (log,)).fetchone())
        return int(found[0] or 0)

    async def logs(self) -> dict[str, int]:
        sql = "SELECT log, MAX(row) FROM log_rows GROUP BY log"
        return dict(await self._read(lambda db: db.execute(sql).fetchall()))

    async def close(self) -> None:
        """Finish what was submitted, then close."""
        while self._busy or self._waiting:
            await asyncio.sleep(0.001)
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._reader.shutdown(wait=True)
        await self._loop.run_in_executor(None, self._checkpoints.close)
        self._read_db.close()
        self._db.close()


def _raise(error: BaseException) -> None:
    """In the loop, where an unforeseen failure ends the process."""
    raise error


def _marks(values: list[Any]) -> str:
    return ",".join("?" * len(values))


def _without_gap(rows: list[tuple[int, bytes]], first: int) -> Iterator[tuple[int, bytes]]:
    for expected, row in enumerate(rows, first):
        if row[0] != expected:
            return
        yield row
