"""The journal's store in memory, with the same semantics as on SQLite.

For tests and for tools that need no disk. `MemoryTables` holds the rows and applies one write at a
time, without a clock or a loop; `MemoryJournal` puts the port around it: answers come in a later
turn of the event loop, in the order of `submit`. Nothing survives the process. `refuse` may answer
a write instead of the tables, as a full disk or a lost answer would.
"""

import asyncio
from collections.abc import Callable, Sequence

from sync.by_id import latest
from sync.lease import Lease
from sync.maps import MapRow
from sync.naming import log_name
from sync.replication import ReplicationChange
from sync.serving import ServingSet
from sync.store.port import (
    Answer,
    ByIdRow,
    Done,
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
    StoreError,
    SwapLease,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
    SwapShards,
    ViewRow,
    Write,
    homes_named,
)

OpenKey = tuple[str, int, int, str]


class MemoryTables:
    """The rows. Reads are plain methods, named as in the port."""

    def __init__(self, home: str | Sequence[str], shards: int) -> None:
        self.shard_rows = {
            each: [ShardRow(shard, "", 0) for shard in range(shards)] for each in homes_named(home)
        }
        self.logs: dict[str, dict[int, bytes]] = {}
        self.by_id: dict[str, dict[int, ByIdRow]] = {}
        self.open: dict[OpenKey, OpenRow] = {}
        self.floor_rows: dict[tuple[str, str], bytes] = {}
        self.keys: dict[tuple[str, str], bytes] = {}
        self.segments: dict[tuple[str, int], dict[tuple[str, int], bytes]] = {}
        self.pending_rows: dict[tuple[str, str], list[bytes]] = {}
        self.view_rows: dict[str, dict[tuple[int, str, int, str], ViewRow]] = {}
        self.registered: dict[str, Registered] = {}
        self.lease_rows: dict[str, Lease] = {}
        self.serving_row: ServingSet | None = None
        self.maps_row: MapRow | None = None
        self.replication_row: ReplicationChange | None = None

    # Writing

    def apply(self, write: Write) -> Answer:
        """Carry out one write and answer it."""
        if type(write) is PutRow:
            return self._put_row(write)
        if type(write) is PutKey and write.log and self._closed(write.log):
            return "revoked"
        if type(write) is SwapLease:
            return self._swap_lease(write)
        if type(write) is SwapShards:
            return self._swap_shards(write)
        if type(write) is SwapServing:
            return self._swap_serving(write)
        if type(write) is SwapMaps:
            return self._swap_maps(write)
        if type(write) is SwapReplication:
            return self._swap_replication(write)
        self._put(write)
        return "ok"

    def _closed(self, log: str) -> bool:
        lease = self.lease_rows.get(log_name(log).incarnation)
        return lease is not None and lease.state != "active"

    def _put_row(self, write: PutRow) -> Answer:
        if self._closed(write.log):
            return "revoked"
        self.logs.setdefault(write.log, {}).setdefault(write.row, write.body)
        return "ok"

    def _put(self, write: Write) -> None:
        if isinstance(write, PutById):
            for by_id in write.rows:
                self._put_by_id(by_id)
        elif isinstance(write, PutOpen):
            for entry in write.rows:
                self._put_open(entry)
        elif isinstance(write, PutFloor):
            self.floor_rows[(write.home, write.owner)] = write.body
        elif isinstance(write, PutKey):
            self.keys.setdefault((write.tenant, write.key), write.body)
        elif isinstance(write, PutProviderIds):
            segments = self.segments.setdefault((write.account, write.bucket), {})
            segments.setdefault((write.writer, write.seq), write.body)
        elif isinstance(write, PutPending):
            bodies = self.pending_rows.setdefault((write.account, write.provider_id), [])
            if write.body not in bodies:
                bodies.append(write.body)
        elif isinstance(write, PutViews):
            for row in write.rows:
                key = (row.at_ms, row.writer, row.seq, row.kind)
                self.view_rows.setdefault(row.part, {}).setdefault(key, row)
        elif isinstance(write, Register):
            self.registered[write.incarnation] = Registered(
                write.incarnation, write.region, write.url, list(write.logs)
            )

    def _put_by_id(self, row: ByIdRow) -> None:
        epochs = self.by_id.setdefault(row.id, {})
        there = epochs.get(row.epoch)
        if there is None or there.stamp <= row.stamp:
            epochs[row.epoch] = row

    def _put_open(self, row: OpenRow) -> None:
        key = (row.home, row.bucket, row.shard, row.id)
        there = self.open.get(key)
        if there is None or there.epoch <= row.epoch:
            self.open[key] = row

    def _swap_lease(self, write: SwapLease) -> Answer:
        there = self.lease_rows.get(write.lease.incarnation)
        if there != write.expect:
            return Swapped(False, lease=there)
        self.lease_rows[write.lease.incarnation] = write.lease
        return Swapped(True, lease=write.lease)

    def _swap_shards(self, write: SwapShards) -> Answer:
        rows = self.shard_rows.get(write.home, [])
        there = {row.shard: row for row in rows}
        if any(there.get(row.shard) != row for row in write.expect):
            return Swapped(False, shards=list(rows))
        given = [ShardRow(row.shard, write.owner, row.epoch + 1) for row in write.expect]
        for row in given:
            rows[row.shard] = row
        return Swapped(True, shards=given)

    def _swap_serving(self, write: SwapServing) -> Answer:
        if self.serving_row != write.expect:
            return Swapped(False, serving=self.serving_row)
        self.serving_row = write.row
        return Swapped(True, serving=write.row)

    def _swap_maps(self, write: SwapMaps) -> Answer:
        if self.maps_row != write.expect:
            return Swapped(False, maps=self.maps_row)
        self.maps_row = write.row
        return Swapped(True, maps=write.row)

    def _swap_replication(self, write: SwapReplication) -> Answer:
        if self.replication_row != write.expect:
            return Swapped(False, replication=self.replication_row)
        self.replication_row = write.row
        return Swapped(True, replication=write.row)

    # Reading

    def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        """Up to `limit` rows from `first` on, up to the first gap."""
        rows = self.logs.get(log, {})
        found: list[tuple[int, bytes]] = []
        while len(found) < limit and first in rows:
            found.append((first, rows[first]))
            first += 1
        return found

    def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        """For each id that has any, what counts of its rows."""
        found = {i: latest(self.by_id.get(i, {}).values()) for i in ids}
        return {i: row for i, row in found.items() if row is not None}

    def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        """One page of a bucket."""
        found = [
            row
            for row in self.open.values()
            if row.home == home
            and row.bucket == bucket
            and row.shard in shards
            and (row.due_ms, row.id) > after
            and row.due_ms <= until_ms
        ]
        return sorted(found, key=lambda row: (row.due_ms, row.id))[:limit]

    def floors(self, home: str) -> dict[str, bytes]:
        """Owner to floor."""
        return {owner: body for (home_, owner), body in self.floor_rows.items() if home_ == home}

    def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        """Segments, newest first."""
        return list(reversed(self.segments.get((account, bucket), {}).values()))

    def pending(self, account: str, ids: list[str]) -> list[bytes]:
        """Receipts of these provider ids that wait."""
        return [body for i in ids for body in self.pending_rows.get((account, i), ())]

    def views(
        self, part: str, kinds: list[str] | None, before: tuple[int, str, int] | None, limit: int
    ) -> list[ViewRow]:
        """Segments, newest first."""
        rows = self.view_rows.get(part, {})
        found = [
            row
            for key, row in sorted(rows.items(), reverse=True)
            if (kinds is None or row.kind in kinds) and (before is None or key[:3] < before)
        ]
        return found[:limit]

    def last_row(self, log: str) -> int:
        """The number of the log's last row."""
        return max(self.logs.get(log, {}), default=0)


class MemoryJournal:
    """See the module's docstring; implements `sync.store.port.JournalStore`.

    `home` is one home's name or several homes', each of so many shards.
    """

    closes_revoked = True
    forces = None

    def __init__(self, home: str | Sequence[str], shards: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.tables = MemoryTables(home, shards)
        self.refuse: Callable[[Write], str] = lambda _: ""
        self._waiting: list[tuple[Write, Done]] = []
        self._closed = False

    def submit(self, write: Write, done: Done) -> None:
        """Apply the write in the next turn and answer it there."""
        self._waiting.append((write, done))
        if len(self._waiting) == 1:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        answers = [self.refuse(write) or self.tables.apply(write) for write, _ in waiting]
        for (_, done), answer in zip(waiting, answers, strict=True):
            done(answer)

    def _read(self) -> MemoryTables:
        if self._closed:
            raise StoreError("the journal cannot be read: it is closed")
        return self.tables

    async def shards_of_home(self, home: str) -> list[ShardRow]:
        return list(self._read().shard_rows.get(home, ()))

    async def lease(self, incarnation: str) -> Lease | None:
        return self._read().lease_rows.get(incarnation)

    async def leases(self) -> list[Lease]:
        return [x for x in self._read().lease_rows.values() if x.state == "active"]

    async def serving(self) -> ServingSet | None:
        return self._read().serving_row

    async def maps(self) -> MapRow | None:
        return self._read().maps_row

    async def replication(self) -> ReplicationChange | None:
        return self._read().replication_row

    async def registry(self) -> list[Registered]:
        return list(self._read().registered.values())

    async def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        return self._read().rows(log, first, limit)

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        rows = self._read().rows(log, first, limit)
        return [PutRow(log, row, body, at_quorum=True) for row, body in rows]

    async def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        return self._read().by_ids(ids)

    async def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        return self._read().open_due(home, shards, bucket, after, until_ms, limit)

    async def floors(self, home: str) -> dict[str, bytes]:
        return self._read().floors(home)

    async def key(self, tenant: str, key: str) -> bytes | None:
        return self._read().keys.get((tenant, key))

    async def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        return self._read().provider_ids(account, bucket)

    async def pending(self, account: str, ids: list[str]) -> list[bytes]:
        return self._read().pending(account, ids)

    async def views(
        self, part: str, kinds: list[str] | None, before: tuple[int, str, int] | None, limit: int
    ) -> list[ViewRow]:
        return self._read().views(part, kinds, before, limit)

    async def last_row(self, log: str) -> int:
        return self._read().last_row(log)

    async def logs(self) -> dict[str, int]:
        return {log: max(rows) for log, rows in self._read().logs.items() if rows}

    async def close(self) -> None:
        """Finish what was submitted, then close."""
        while self._waiting:
            await asyncio.sleep(0)
        self._closed = True
