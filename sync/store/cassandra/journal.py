"""The journal's store on Cassandra, for one process of one region.

Log rows of a revoked incarnation are not refused, and may land however late (`closes_revoked`).
Whoever submitted a write that was `unknown` repeats it; it has the same timestamp then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from sync.forced import PLAIN, Forced, Ruling
from sync.lease import Lease
from sync.maps import MapRow
from sync.naming import ROWS_PER_PARTITION
from sync.replication import ReplicationChange
from sync.serving import ServingSet, first_set
from sync.store.cassandra import reads, swaps, writes
from sync.store.cassandra.errors import HOPELESS
from sync.store.cassandra.forced import read_forced
from sync.store.cassandra.levels import LOCAL, SERIAL, Levels
from sync.store.cassandra.schema import VERSION
from sync.store.cassandra.session import Session, connect
from sync.store.cassandra.settings import CassandraSettings
from sync.store.cassandra.stamps import Stamps
from sync.store.cassandra.views import read_views
from sync.store.port import (
    Answer,
    ByIdRow,
    Done,
    OpenRow,
    PutRow,
    Registered,
    ShardRow,
    StoreError,
    Swapped,
    ViewRow,
    Write,
)
from sync.store.shard_rows import first_rows

CLOSE_S = 10.0
OF_HOMES = {**writes.OF_HOMES, **reads.OF_HOMES, **swaps.OF_HOMES}
OF_ALL = {**writes.OF_ALL, **reads.OF_ALL, **swaps.OF_ALL}
assert len(OF_HOMES) + len(OF_ALL) == sum(
    len(module.OF_HOMES) + len(module.OF_ALL) for module in (writes, reads, swaps)
)  # each name is one statement's


class CassandraJournal:
    """See the module's docstring; implements `sync.store.port.JournalStore` and `Forces`.

    Made by `open_journal`. `counts` is the number of shards of each home.
    """

    closes_revoked = False

    def __init__(
        self,
        settings: CassandraSettings,
        session: Session,
        wall_us: Callable[[], int],
        counts: dict[str, int],
        ruling: Ruling = PLAIN,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._session = session
        self._wall_us = wall_us
        self._counts = counts
        self._ruling = ruling
        self._levels = Levels(ruling, settings.region)
        self._stamps = Stamps(wall_us)
        self._reads = reads.Reads(session, self._statement, self._levels)
        self._writes = writes.Writes(settings, self._statement, wall_us)
        self._swaps = swaps.Swaps(
            session, self._statement, self._levels, ruling, self._shards_of, self._shards_shown
        )
        self._statements: dict[tuple[str, str], Any] = {}
        self._stands: dict[str, int] = {}
        self._under_way = 0
        self._emptied: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def _statement(self, name: str, home: str) -> Any:
        keyspace = self._settings.keyspace_of(home)
        found = self._statements.get((name, keyspace))
        if found is None:
            if name in OF_ALL:
                text = OF_ALL[name].format(ks=self._settings.keyspace)
            else:
                text = OF_HOMES[name].format(ks=keyspace)
            found = self._statements[(name, keyspace)] = self._session.prepared(text)
            if name in reads.LARGE:
                found.fetch_size = reads.LARGE_PAGE_ROWS
        return found

    @property
    def last_error(self) -> str:
        """What the store said last when it did not carry a request out; for people."""
        return self._session.last_error

    # Writing

    def submit(self, write: Write, done: Done) -> None:
        """See the port. A row that is larger than may be raises here."""

        def answered(answer: Answer) -> None:
            self._under_way -= 1
            done(answer)
            if not self._under_way and self._emptied is not None and not self._emptied.done():
                self._emptied.set_result(None)

        self._under_way += 1
        try:
            self._submit(write, answered)
        except BaseException:
            self._under_way -= 1
            raise

    def _submit(self, write: Write, answered: Done) -> None:
        kind = type(write)
        if type(write) is PutRow and self._is_written(write):
            self._loop.call_soon(answered, "ok")
        elif kind in swaps.KINDS:
            if self._levels.alone and kind in swaps.NAMES:
                shown = Swapped(False, serving=self._alone_set())
                self._loop.call_soon(answered, shown)
            else:
                self._swaps.submit(cast(swaps.Swap, write), answered)
        else:
            self._put(write, answered)

    def _is_written(self, write: PutRow) -> bool:
        """A row is written once: the last one of a log that is known to stand is left as it is."""
        return not write.at_quorum and not write.at_us and self._stands.get(write.log) == write.row

    def _put(self, write: Write, done: Done) -> None:
        stamp = self._stamps.of(write)
        requests = self._writes.requests(write, stamp, self._levels)
        left, answer = len(requests), "ok"

        def told(_: Any, error: BaseException | None) -> None:
            nonlocal left, answer
            left -= 1
            if isinstance(error, HOPELESS):
                raise error
            if error is not None:
                answer = "unknown"
            if left:
                return
            self._stamps.answered(write, stamp, answer == "ok")
            if answer == "ok" and type(write) is PutRow:
                self._row_stands(write)
            done(answer)

        if not requests:
            self._loop.call_soon(done, "ok")
        for request in requests:
            self._session.send(request, told)

    def _row_stands(self, write: PutRow) -> None:
        self._writes.row_stands(write)
        if not write.at_us:
            self._stands[write.log] = write.row

    async def close(self) -> None:
        """See the port. A request that failed unforeseen is never answered, nor waited for."""
        if self._under_way:
            self._emptied = self._loop.create_future()
            await asyncio.wait([self._emptied], timeout=CLOSE_S)
        await self._session.close()

    # Reading

    async def shards_of_home(self, home: str) -> list[ShardRow]:
        count = self._shards_of(home)
        if not count:
            return []
        number = self._ruling.number
        found = await self._reads.ask(
            "shards", (home, number), self._levels.serial, home, ahead=True
        )
        rows = first_rows(count, number)
        for shard, owner, epoch in found:
            rows[shard] = ShardRow(shard, owner, epoch)
        return rows

    def _shards_of(self, home: str) -> int:
        return self._counts.get(home, 0)

    def _shards_shown(self, home: str, told: Callable[[list[ShardRow] | None], None]) -> None:
        async def read() -> None:
            try:
                rows = await self.shards_of_home(home)
            except StoreError:
                told(None)
            else:
                told(rows)

        task = self._loop.create_task(read())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def lease(self, incarnation: str) -> Lease | None:
        return await self._reads.lease(incarnation, self._swaps.lease_force)

    async def leases(self) -> list[Lease]:
        return await self._reads.leases(self._swaps.lease_force)

    async def serving(self) -> ServingSet | None:
        if self._levels.alone:
            return self._alone_set()
        return swaps.decoded(await self._agreed("serving", SERIAL), ServingSet)

    async def maps(self) -> MapRow | None:
        # Where the region is alone the map is as the region has it.
        level = LOCAL if self._levels.alone else SERIAL
        return swaps.decoded(await self._agreed("maps", level), MapRow)

    async def replication(self) -> ReplicationChange | None:
        if self._levels.alone:
            return None
        return swaps.decoded(await self._agreed("replication", SERIAL), ReplicationChange)

    async def _agreed(self, name: str, level: int) -> bytes | None:
        rows = await self._reads.ask("agreed", (name,), level, ahead=True)
        return rows[0][0] if rows else None

    def _alone_set(self) -> ServingSet:
        return first_set([self._settings.region], "alone")

    async def registry(self) -> list[Registered]:
        return await self._reads.registry()

    async def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        return await self._reads.rows(log, first, limit)

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        return await self._reads.rows_here(log, first, limit)

    async def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        return await self._reads.by_ids(ids)

    async def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        return await self._reads.open_due(home, shards, bucket, after, until_ms, limit)

    async def floors(self, home: str) -> dict[str, bytes]:
        return await self._reads.floors(home)

    async def key(self, tenant: str, key: str) -> bytes | None:
        return await self._reads.key(tenant, key)

    async def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        return await self._reads.provider_ids(account, bucket)

    async def pending(self, account: str, ids: list[str]) -> list[bytes]:
        return await self._reads.pending(account, ids)

    async def views(
        self, part: str, kinds: list[str] | None, before: tuple[int, str, int] | None, limit: int
    ) -> list[ViewRow]:
        return await read_views(self._reads, part, kinds, before, limit)

    async def last_row(self, log: str) -> int:
        return await self._reads.last_row(log)

    async def logs(self) -> dict[str, int]:
        return await self._reads.logs(self._counts)

    # For an audit

    async def scan_rows(self, log: str, last: int) -> AsyncIterator[tuple[int, bytes]]:
        """Every row of a log that is there, in order, up to the partition of row `last`."""
        for part in range(last // ROWS_PER_PARTITION + 1):
            for row in await self._reads.scan(log, part):
                yield row

    async def scan_open(self) -> AsyncIterator[tuple[str, int]]:
        """Id and bucket of every entry of the open set."""
        for keyspace in self._settings.all_keyspaces():
            for entry in await self._reads.scan_open(keyspace):
                yield entry

    # Forced ownership

    @property
    def forces(self) -> "CassandraJournal | None":
        return self if len(self._settings.replication) > 1 else None

    async def forced(self, here: bool) -> list[Forced]:
        return await read_forced(self._reads, here)

    def under(self, ruling: Ruling) -> "CassandraJournal":
        return CassandraJournal(self._settings, self._session, self._wall_us, self._counts, ruling)


async def open_journal(
    settings: CassandraSettings, wall_us: Callable[[], int], session: Session | None = None
) -> CassandraJournal:
    """Prepare, connected before or now; `StoreError` where the tables are not as known here.

    The session ends with the journal.
    """
    session = session or await connect(settings)
    try:
        texts = [text.format(ks=settings.keyspace) for text in OF_ALL.values()]
        for keyspace in settings.all_keyspaces():
            texts += [text.format(ks=keyspace) for text in OF_HOMES.values()]
        await session.prepare(texts)
        journal = CassandraJournal(settings, session, wall_us, {})
        meta = dict(await journal._reads.ask("meta", (), SERIAL))
        version = meta.get("version", "none")
        if version != str(VERSION):
            raise StoreError(
                f"the store has schema version {version}, this program knows {VERSION}: "
                "start the version that wrote it, or `goutong store init|upgrade`"
            )
    except BaseException:
        await session.close()
        raise
    for name, value in meta.items():
        if name.startswith("shards."):
            journal._counts[name.removeprefix("shards.")] = int(value)
    return journal
