"""Reads of the journal, each of few partitions, without looking at what was not asked for."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sync.by_id import latest
from sync.lease import Lease
from sync.naming import ROWS_PER_PARTITION, by_id_partition, home_of, id_facts, log_name
from sync.store.cassandra.levels import LOCAL, Levels
from sync.store.cassandra.session import Request, Session
from sync.store.cassandra.writes import Statement
from sync.store.port import ByIdRow, OpenRow, PutRow, Registered

IN_MAX = 100  # ids that one statement names
OVER_MAX = 65_536
# Rows that may be large come so many at a time: a node holds what it answers in its memory.
LARGE = frozenset(("rows", "rows_here", "open_entries"))
LARGE_PAGE_ROWS = 32
OPEN_IDS = "SELECT id, bucket FROM {ks}.open_set"  # of all homes, read by nobody at work
OF_HOMES = {
    "rows": "SELECT row, body FROM {ks}.log_rows WHERE log = ? AND part = ? AND row >= ? LIMIT ?",
    "rows_here": "SELECT row, body, WRITETIME(body) FROM {ks}.log_rows WHERE log = ? AND part = ? "
    "AND row >= ? LIMIT ?",
    "last_of_part": "SELECT row FROM {ks}.log_rows WHERE log = ? AND part = ? "
    "ORDER BY row DESC LIMIT 1",
    "head_of": "SELECT row FROM {ks}.log_heads WHERE home = ? AND log = ?",
    "heads_of": "SELECT log FROM {ks}.log_heads WHERE home = ?",
    "by_ids": "SELECT part, id, epoch, body, stamp FROM {ks}.by_id WHERE part = ? AND id IN ?",
    "open_order": "SELECT due_ms, id FROM {ks}.open_due WHERE home = ? AND bucket = ? "
    "AND shard = ? AND (due_ms, id) > (?, ?) AND (due_ms) <= (?) LIMIT ?",
    "open_entries": "SELECT id, epoch, due_ms, body FROM {ks}.open_set WHERE home = ? "
    "AND bucket = ? AND shard = ? AND id IN ?",
    "floors": "SELECT owner, body FROM {ks}.floors WHERE home = ?",
    "shards": "SELECT shard, owner, epoch FROM {ks}.shards WHERE home = ? AND force = ?",
}
OF_ALL = {
    "lease": "SELECT body FROM {ks}.leases WHERE incarnation = ? AND force = ?",
    "lease_names": "SELECT incarnation FROM {ks}.lease_names WHERE force = ?",
    "agreed": "SELECT body FROM {ks}.agreed WHERE name = ?",
    "registry": "SELECT body FROM {ks}.registry WHERE one = 1",
    "key": "SELECT body FROM {ks}.keys WHERE tenant = ? AND key = ? LIMIT 1",
    "provider_ids": "SELECT at_us, writer, seq, body FROM {ks}.provider_segments "
    "WHERE account = ? AND bucket = ?",
    "pending": "SELECT body FROM {ks}.pending WHERE account = ? AND provider_id IN ?",
    "forced": "SELECT number, alone, regions FROM {ks}.forced WHERE one = 1",
    "meta": "SELECT name, value FROM {ks}.meta WHERE one = 1",
    "view_kinds": "SELECT DISTINCT part, kinds FROM {ks}.views WHERE part = ?",
    "views": "SELECT at_ms, writer, seq, body FROM {ks}.views WHERE part = ? AND kind = ? "
    "GROUP BY kind, at_ms, writer, seq LIMIT ?",
    "views_before": "SELECT at_ms, writer, seq, body FROM {ks}.views WHERE part = ? AND kind = ? "
    "AND (at_ms, writer, seq) < (?, ?, ?) GROUP BY kind, at_ms, writer, seq LIMIT ?",
}


class Reads:
    """See the module's docstring. `over` are leases known to be over, which nothing changes."""

    def __init__(self, session: Session, statement: Statement, levels: Levels) -> None:
        self._session = session
        self._statement = statement
        self._levels = levels
        self._over: set[tuple[int, str]] = set()

    async def ask(
        self, name: str, values: Sequence[Any], level: int, home: str = "", ahead: bool = False
    ) -> Any:
        """One statement's rows."""
        request = Request([(self._statement(name, home), values)], level)
        return await self._session.ask(request, ahead)

    # Logs

    async def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        """See the port."""
        found = await self._rows("rows", log, first, limit, self._levels.quorum)
        return [(row[0], row[1]) for row in found]

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        """See the port."""
        found = await self._rows("rows_here", log, first, limit, LOCAL)
        return [PutRow(log, row[0], row[1], at_quorum=True, at_us=row[2]) for row in found]

    async def _rows(self, name: str, log: str, first: int, limit: int, level: int) -> list[Any]:
        home = log_name(log).home
        found: list[Any] = []
        while limit > 0:
            part = first // ROWS_PER_PARTITION
            for row in await self.ask(name, (log, part, first, limit), level, home):
                if row[0] != first:
                    return found
                found.append(row)
                first, limit = first + 1, limit - 1
            if first // ROWS_PER_PARTITION == part:
                return found
        return found

    async def scan(self, log: str, part: int) -> list[tuple[int, bytes]]:
        """What there is of one partition of a log, past what is missing."""
        values = (log, part, part * ROWS_PER_PARTITION, ROWS_PER_PARTITION)
        return [
            (row[0], row[1])
            for row in await self.ask("rows", values, self._levels.quorum, log_name(log).home)
        ]

    async def scan_open(self, keyspace: str) -> list[tuple[str, int]]:
        """Id and bucket of each entry of the open set: of a whole table, so for an audit only."""
        text = OPEN_IDS.format(ks=keyspace)
        await self._session.prepare([text])
        request = Request([(self._session.prepared(text), ())], self._levels.quorum)
        return [(row[0], row[1]) for row in await self._session.ask(request)]

    async def last_row(self, log: str) -> int:
        """See the port."""
        home, level, last = log_name(log).home, self._levels.quorum, 0
        head = await self.ask("head_of", (home, log), level, home)
        if not head:
            return 0
        part = int(head[0][0]) // ROWS_PER_PARTITION
        while True:
            row = await self.ask("last_of_part", (log, part), level, home)
            if not row and not last and part:
                # The first row of the newest partition is not there: it was not answered yet.
                row = await self.ask("last_of_part", (log, part - 1), level, home)
                return int(row[0][0]) if row else 0
            if not row:
                return last
            last = int(row[0][0])
            if last % ROWS_PER_PARTITION != ROWS_PER_PARTITION - 1:
                return last
            part += 1

    async def logs(self, homes: Iterable[str]) -> dict[str, int]:
        """Of these homes."""
        level, names = self._levels.quorum, []
        for home in homes:
            names += [row[0] for row in await self.ask("heads_of", (home,), level, home)]
        lasts = await asyncio.gather(*(self.last_row(log) for log in names))
        return {log: last for log, last in zip(names, lasts, strict=True) if last}

    # What an owner wrote down

    async def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        """See the port."""
        parts: dict[str, list[str]] = {}
        for message_id in ids:
            if id_facts(message_id) is not None:
                parts.setdefault(by_id_partition(message_id), []).append(message_id)
        asked = [
            self.ask(
                "by_ids", (part, some[at : at + IN_MAX]), self._levels.quorum, home_of(some[0])
            )
            for part, some in parts.items()
            for at in range(0, len(some), IN_MAX)
        ]
        rows: dict[str, list[ByIdRow]] = {}
        for answer in await asyncio.gather(*asked):
            for row in answer:
                rows.setdefault(row[1], []).append(ByIdRow(*row))
        found = {message_id: latest(some) for message_id, some in rows.items()}
        return {message_id: row for message_id, row in found.items() if row is not None}

    async def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        """See the port."""
        found: list[OpenRow] = []
        while limit > len(found):
            wanted = limit - len(found)
            order = await self._open_order(home, shards, bucket, after, until_ms, wanted)
            found += await self._open_entries(home, bucket, order)
            if len(order) < wanted:
                break
            after = (order[-1][0], order[-1][1])
        return found

    async def _open_order(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[tuple[int, str, int]]:
        """(due_ms, id, shard), in order."""
        level = self._levels.quorum
        answers = await asyncio.gather(
            *(
                self.ask("open_order", (home, bucket, s, *after, until_ms, limit), level, home)
                for s in shards
            )
        )
        order = [
            (due_ms, message_id, shard)
            for shard, answer in zip(shards, answers, strict=True)
            for due_ms, message_id in answer
        ]
        return sorted(order)[:limit]

    async def _open_entries(
        self, home: str, bucket: int, order: list[tuple[int, str, int]]
    ) -> list[OpenRow]:
        """The entries that stand where the order says; others were moved within the bucket."""
        of_shard: dict[int, list[str]] = {}
        for _, message_id, shard in order:
            of_shard.setdefault(shard, []).append(message_id)
        asked = [
            (shard, (home, bucket, shard, some[at : at + IN_MAX]))
            for shard, some in of_shard.items()
            for at in range(0, len(some), IN_MAX)
        ]
        level = self._levels.quorum
        answers = await asyncio.gather(
            *(self.ask("open_entries", values, level, home) for _, values in asked)
        )
        newest: dict[tuple[int, str], OpenRow] = {}
        for (shard, _), answer in zip(asked, answers, strict=True):
            for message_id, epoch, due_ms, body in answer:
                there = newest.get((shard, message_id))
                if there is None or there.epoch < epoch:
                    row = OpenRow(home, shard, bucket, message_id, epoch, due_ms, body)
                    newest[(shard, message_id)] = row
        found = [(due_ms, newest.get((shard, i))) for due_ms, i, shard in order]
        return [row for due_ms, row in found if row is not None and row.due_ms == due_ms]

    async def floors(self, home: str) -> dict[str, bytes]:
        """See the port."""
        return dict(await self.ask("floors", (home,), self._levels.quorum, home))

    # Leases and the registry

    async def lease(self, incarnation: str, force: int) -> Lease | None:
        """At SERIAL."""
        return await self._lease(incarnation, force, self._levels.serial)

    async def leases(self, force: int) -> list[Lease]:
        """Those that are active, in a plain read; one that is over is not read again."""
        names = await self.ask("lease_names", (force,), self._levels.quorum)
        asked = [name for (name,) in names if (force, name) not in self._over]
        level = self._levels.quorum
        found = await asyncio.gather(*(self._lease(name, force, level) for name in asked))
        leases = [lease for lease in found if lease is not None]
        if len(self._over) >= OVER_MAX:
            self._over.clear()
        self._over |= {(force, one.incarnation) for one in leases if one.state != "active"}
        return [lease for lease in leases if lease.state == "active"]

    async def _lease(self, incarnation: str, force: int, level: int) -> Lease | None:
        rows = await self.ask("lease", (incarnation, force), level, ahead=True)
        if not rows:
            return None
        return msgspec.msgpack.decode(rows[0][0], type=Lease)

    async def registry(self) -> list[Registered]:
        """See the port."""
        rows = await self.ask("registry", (), self._levels.quorum)
        return [msgspec.msgpack.decode(body, type=Registered) for (body,) in rows]

    # Keys, receipts

    async def key(self, tenant: str, key: str) -> bytes | None:
        """See the port; of several rows the earliest."""
        rows = await self.ask("key", (tenant, key), LOCAL)
        return bytes(rows[0][0]) if rows else None

    async def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        """See the port; of a segment that was written again the earliest."""
        rows = await self.ask("provider_ids", (account, bucket), self._levels.quorum)
        first = {(writer, seq): (at_us, body) for at_us, writer, seq, body in rows}
        return [body for _, body in sorted(first.values(), reverse=True)]

    async def pending(self, account: str, ids: list[str]) -> list[bytes]:
        """See the port."""
        level = self._levels.quorum
        some = [ids[at : at + IN_MAX] for at in range(0, len(ids), IN_MAX)]
        answers = await asyncio.gather(
            *(self.ask("pending", (account, part), level) for part in some)
        )
        return [body for answer in answers for (body,) in answer]
