"""The journal's port on the simulated store, for one process of one region.

Each write takes its timestamp once: the process's wall clock, always rising. A write that is
repeated after `unknown` keeps it. A dead process is told nothing, and writes nothing.
"""

from typing import TYPE_CHECKING, Any

from core.sim.process import Process
from core.sim.store.rows import FORCED, REGISTRY, Version, pick, picked
from core.sim.store.swaps import (
    MAPS,
    REPLICATION,
    SERVING,
    Swap,
    lease_register,
    shards_register,
)
from sync.by_id import latest
from sync.forced import PLAIN, Forced, Ruling
from sync.lease import Lease
from sync.maps import MapRow
from sync.replication import ReplicationChange, in_force
from sync.serving import ServingSet, first_set
from sync.store.port import (
    Answer,
    ByIdRow,
    Done,
    OpenRow,
    PutRow,
    Registered,
    ShardRow,
    StoreError,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
    ViewRow,
    Write,
)

if TYPE_CHECKING:
    from asyncio import Future

    from core.sim.store.reads import Look
    from core.sim.store.store import SimStore

UNKNOWN_MAX = 256


class SimView:
    """Implements `sync.store.port.JournalStore`. `salt` tells equal times of processes apart."""

    def __init__(self, store: "SimStore", process: Process, salt: int) -> None:
        self._store = store
        self._process = process
        self._salt = salt
        self._stamp = 0
        self._unknown: dict[int, tuple[Write, int]] = {}
        self._waiting = 0
        self._emptied: Future[None] | None = None
        self._closed = False
        self._ruling = PLAIN
        self._alone = False
        self.closes_revoked = store.refuses_revoked
        self.forces = self if store.forces_change else None
        self._find = store.rows.partitions.get

    # Writing

    def submit(self, write: Write, done: Done) -> None:
        """Write; the process may end just before or just after."""
        process, store = self._process, self._store
        if process.dead:
            return
        crashes = store.crashes(process)
        if crashes == "before":
            process.crash("crashed before a write")
        known = self._unknown.get(id(write))
        stamp = known[1] if known else self._stamp_of(write)
        self._waiting += 1

        def told(answer: Answer) -> None:
            self._waiting -= 1
            self._remember(write, stamp, answer)
            done(answer)
            if not self._waiting and self._emptied is not None and not self._emptied.done():
                self._emptied.set_result(None)

        if self._alone and isinstance(write, SwapServing | SwapMaps | SwapReplication):
            shown = Swapped(False, serving=first_set([process.region], "alone"))
            store.scheduler.after(0.0, lambda: told(shown), process)
        elif isinstance(write, Swap):
            store.swaps.submit(process, write, told, self._ruling)
        else:
            store.writes.submit(process, write, stamp, told, self._alone)
            store.strike(process)
        if crashes == "after":
            process.crash("crashed after a write")

    def _stamp_of(self, write: Write) -> int:
        if type(write) is PutRow and write.at_us:
            return write.at_us
        self._stamp = max(self._process.wall_us() + self._salt, self._stamp + 1000)
        return self._stamp

    def _remember(self, write: Write, stamp: int, answer: Answer) -> None:
        if answer == "unknown":
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.pop(next(iter(self._unknown)))
            self._unknown[id(write)] = (write, stamp)
        elif self._unknown:
            self._unknown.pop(id(write), None)

    async def close(self) -> None:
        """Wait for the answers that are due, then refuse to be read."""
        if self._waiting:
            self._emptied = self._process.loop.create_future()
            await self._emptied
        self._closed = True

    # Reading

    async def shards_of_home(self, home: str) -> list[ShardRow]:
        self._check_open()
        swaps = self._store.swaps
        found: list[ShardRow] = await swaps.read(
            self._process,
            shards_register(home, self._ruling),
            lambda: swaps.shards(home, self._ruling),
            self._alone,
        )
        return found

    async def lease(self, incarnation: str) -> Lease | None:
        self._check_open()
        rows = self._store.tables.of(self._ruling).lease_rows
        found: Lease | None = await self._store.swaps.read(
            self._process,
            lease_register(incarnation, self._ruling),
            lambda: rows.get(incarnation),
            self._alone,
        )
        return found

    async def serving(self) -> ServingSet | None:
        self._check_open()
        truth = self._store.truth
        if self._alone:
            return first_set([self._process.region], "alone")
        found: ServingSet | None = await self._store.swaps.read(
            self._process, SERVING, lambda: truth.serving_row
        )
        return found

    async def maps(self) -> MapRow | None:
        self._check_open()
        truth = self._store.truth
        if not self._store.maps_change or self._alone:
            return truth.maps_row if self._alone else None
        found: MapRow | None = await self._store.swaps.read(
            self._process, MAPS, lambda: truth.maps_row
        )
        return found

    async def replication(self) -> ReplicationChange | None:
        self._check_open()
        store, process = self._store, self._process
        if not store.replication_changes or self._alone:
            return None

        def look() -> ReplicationChange | None:
            row = store.truth.replication_row
            if row is not None and row.driver == process.name and len(in_force(row)) > 1:
                store.alters.strike(process)
            return row

        found: ReplicationChange | None = await store.swaps.read(process, REPLICATION, look)
        return found

    async def leases(self) -> list[Lease]:
        swaps, ruling = self._store.swaps, self._ruling
        found = await self._read(lambda _asked, _stale: swaps.shown_leases(ruling))
        return [lease for lease in found if lease.state == "active"]

    async def registry(self) -> list[Registered]:
        found: dict[str, Registered] = await self._all_of(REGISTRY)
        return list(found.values())

    async def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        return await self._rows(log, first, limit, local=False)

    async def rows_local(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        """As `rows`, asked of the own region's replicas alone."""
        return await self._rows(log, first, limit, local=True)

    async def _rows(self, log: str, first: int, limit: int, local: bool) -> list[tuple[int, bytes]]:
        def look(asked: int, stale: list[Version]) -> list[tuple[int, bytes]]:
            there, found = self._find(("log", log)) or {}, []
            for row in range(first, first + limit):
                body = pick(there.get(row), asked, stale)
                if body is None:
                    break
                found.append((row, body))
            return found

        rows: list[tuple[int, bytes]] = await self._read(look, local)
        return rows

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        def look(asked: int, stale: list[Version]) -> list[PutRow]:
            there, found = self._find(("log", log)) or {}, []
            for row in range(first, first + limit):
                version = picked(there.get(row), asked, stale)
                if version is None:
                    break
                found.append(PutRow(log, row, version.value, True, -version.rank))
            return found

        rows: list[PutRow] = await self._read(look, local=True)
        return rows

    async def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        def look(asked: int, stale: list[Version]) -> dict[str, ByIdRow]:
            found = {}
            for message_id in ids:
                there = (self._find(("id", message_id)) or {}).values()
                rows = [pick(version, asked, stale) for version in there]
                row = latest(each for each in rows if each is not None)
                if row is not None:
                    found[message_id] = row
            return found

        rows: dict[str, ByIdRow] = await self._read(look)
        return rows

    async def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        def look(asked: int, stale: list[Version]) -> list[OpenRow]:
            found = []
            for shard in shards:
                for version in (self._find(("open", home, shard, bucket)) or {}).values():
                    row = pick(version, asked, stale)
                    if row and row.due_ms <= until_ms and (row.due_ms, row.id) > after:
                        found.append(row)
            return sorted(found, key=lambda row: (row.due_ms, row.id))[:limit]

        rows: list[OpenRow] = await self._read(look)
        return rows

    async def floors(self, home: str) -> dict[str, bytes]:
        found: dict[str, bytes] = await self._all_of(("floor", home))
        return found

    async def key(self, tenant: str, key: str) -> bytes | None:
        found: dict[str, bytes] = await self._all_of(("key", tenant, key), local=True)
        return found.get("")

    async def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        found: dict[Any, tuple[int, bytes]] = await self._all_of(("sent", account, bucket))
        return [body for _, body in sorted(found.values(), reverse=True)]

    async def pending(self, account: str, ids: list[str]) -> list[bytes]:
        def look(asked: int, stale: list[Version]) -> list[bytes]:
            found = []
            for provider_id in ids:
                for version in (self._find(("pending", account, provider_id)) or {}).values():
                    body = pick(version, asked, stale)
                    if body is not None:
                        found.append(body)
            return found

        bodies: list[bytes] = await self._read(look)
        return bodies

    async def views(
        self, part: str, kinds: list[str] | None, before: tuple[int, str, int] | None, limit: int
    ) -> list[ViewRow]:
        found: dict[Any, ViewRow] = await self._all_of(("view", part), local=True)
        rows = [
            found[key]
            for key in sorted(found, reverse=True)
            if (kinds is None or key[3] in kinds) and (before is None or key[:3] < before)
        ]
        return rows[:limit]

    async def last_row(self, log: str) -> int:
        rows = await self._all_of(("log", log))
        return max(rows, default=0)

    async def logs(self) -> dict[str, int]:
        def look(asked: int, _: list[Version]) -> dict[str, int]:
            found = {}
            for partition, rows in self._store.rows.partitions.items():
                if partition[0] == "log":
                    # Only the last row's number is told, so nothing has to be repaired.
                    last = max((n for n, v in rows.items() if v.mask & asked), default=0)
                    if last:
                        found[partition[1]] = last
            return found

        logs: dict[str, int] = await self._read(look)
        return logs

    # Asking

    def _all_of(self, partition: tuple[Any, ...], local: bool = False) -> "Future[Any]":
        def look(asked: int, stale: list[Version]) -> dict[Any, Any]:
            found = {}
            for key, version in (self._find(partition) or {}).items():
                value = pick(version, asked, stale)
                if value is not None:
                    found[key] = value
            return found

        return self._read(look, local)

    def _read(self, look: "Look", local: bool = False) -> "Future[Any]":
        self._check_open()
        return self._store.reads.read(self._process, local or self._alone, look)

    # Forced ownership

    async def forced(self, here: bool) -> list[Forced]:
        """As `sync.store.port.Forces` has it."""

        def look(asked: int, stale: list[Version]) -> list[Forced]:
            rows = self._find(FORCED) or {}
            found = [pick(version, asked, stale) for version in rows.values()]
            return [row for row in found if row is not None]

        self._check_open()
        rows: list[Forced] = await self._store.reads.read(self._process, here, look, not here)
        return rows

    def under(self, ruling: Ruling) -> "SimView":
        """From now on this process lives under the ruling; as `sync.store.port.Forces` has it."""
        self._ruling = ruling
        self._alone = ruling.alone_in(self._process.region)
        self._store.tables.began(self._process.name, ruling)
        return self

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the journal cannot be read: it is closed")
