"""The configuration's store on Cassandra: one for all regions.

An entity is a row under compare-and-set at SERIAL, confirmed at quorum, so no two edits win over
each other in any region, and what was told as written outlives the loss of one. Reads are those of
the own region's majority: they go on while the region is cut off, and show its last knowledge. A
write returns when its own region shows it, too.

A compare-and-set whose answer was lost is settled by a SERIAL read: each version carries the names
of the latest writes. What cannot be settled raises `StoreError`, and may have happened.

The names of a kind are put down before their entities, so `list` finds all; `changes` is told by
`entity_changes`.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sync.store.cassandra.entity_changes import EntityChanges
from sync.store.cassandra.levels import LOCAL, QUORUM, SERIAL
from sync.store.cassandra.session import Request, Session
from sync.store.entities import (
    LIST_MAX,
    Changes,
    Entity,
    check_body,
    check_expected,
    check_name,
)
from sync.store.port import StoreError

Rows = list[Any]
_TRIES = 8
_AGAIN_S = 0.1
_NAMES_KEPT = 16  # of the writes of the latest versions
_HERE_WAIT_S = 1.0
_HERE_LOOK_S = 0.005
_READS_AT_ONCE = 32  # also the names that are read at least: some may be of tombstones
_READ = "SELECT version, deleted, body FROM {ks}.entities WHERE kind = ? AND id = ?"
_NEWEST = "SELECT version, deleted, written FROM {ks}.entities WHERE kind = ? AND id = ?"
_FIRST = (
    "INSERT INTO {ks}.entities (kind, id, version, deleted, body, written) "
    "VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS"
)
_NEXT = (
    "UPDATE {ks}.entities SET version = ?, deleted = ?, body = ?, written = ? "
    "WHERE kind = ? AND id = ? IF version = ?"
)
_NAME = "INSERT INTO {ks}.entity_names (kind, id) VALUES (?, ?)"
_NAMES = "SELECT id FROM {ks}.entity_names WHERE kind = ? AND id > ? LIMIT ?"


async def open_entities(
    session: Session, keyspace: str, writer: str, clock_s: Callable[[], float], first: int
) -> "CassandraEntities":
    """The store on a session. `writer` is a name that no process had before; `first` is where the
    numbers of its changes begin, so that those of another process are known as foreign."""
    texts = [each.format(ks=keyspace) for each in (_READ, _NEWEST, _FIRST, _NEXT, _NAME, _NAMES)]
    await session.prepare(texts)
    changes = EntityChanges(session, keyspace, writer, clock_s, first)
    await changes.open()
    return CassandraEntities(session, keyspace, writer, changes)


class _Busy:
    """The turn of those in this process who write one name."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class CassandraEntities:
    """An `EntityStore`; see the module's docstring. The session is its caller's."""

    def __init__(
        self, session: Session, keyspace: str, writer: str, changes: EntityChanges
    ) -> None:
        self._session = session
        self._keyspace = keyspace
        self._writer = writer
        self._changes = changes
        self._writes = 0
        self._closed = False
        self._busy: dict[tuple[str, str], _Busy] = {}

    async def get(self, kind: str, name: str) -> Entity | None:
        self._check_open()
        rows = await self._ask(_READ, (kind, name), LOCAL)
        return Entity(kind, name, rows[0][0], rows[0][2] or b"", rows[0][1]) if rows else None

    async def list(self, kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        self._check_open()
        wanted = min(limit, LIST_MAX)
        found: Rows = []
        while len(found) < wanted:
            page = max(wanted - len(found), _READS_AT_ONCE)
            names = [row[0] for row in await self._ask(_NAMES, (kind, after, page), LOCAL)]
            for at in range(0, len(names), _READS_AT_ONCE):
                some = names[at : at + _READS_AT_ONCE]
                read = await asyncio.gather(*(self.get(kind, name) for name in some))
                found += [entity for entity in read if entity is not None and not entity.deleted]
            if len(names) < page:
                break
            after = names[-1]
        return found[:wanted]

    async def put(self, kind: str, name: str, body: bytes, expect: int | None) -> int:
        check_name(kind, name)
        check_body(body)
        return await self._write(kind, name, body, expect)

    async def delete(self, kind: str, name: str, expect: int | None) -> int:
        return await self._write(kind, name, None, expect)

    async def changes(self, since: int, limit: int) -> Changes:
        self._check_open()
        return await self._changes.since(since, limit)

    async def head(self) -> int:
        self._check_open()
        return self._changes.head

    async def close(self) -> None:
        self._closed = True

    async def _write(self, kind: str, name: str, body: bytes | None, expect: int | None) -> int:
        """One write after the other for a name: those of one process need not fight each other."""
        self._check_open()
        busy = self._busy.setdefault((kind, name), _Busy())
        busy.users += 1
        try:
            async with busy.lock:
                return await self._write_alone(kind, name, body, expect)
        finally:
            busy.users -= 1
            if not busy.users:
                del self._busy[kind, name]

    async def _write_alone(
        self, kind: str, name: str, body: bytes | None, expect: int | None
    ) -> int:
        for _ in range(_TRIES):
            rows = await self._ask(_NEWEST, (kind, name), QUORUM)
            version, deleted, before = rows[0] if rows else (0, True, "")
            check_expected(expect, version, deleted)
            if body is None and deleted:
                return 0
            if not rows:
                await self._changes.at_both_levels(_NAME, (kind, name))
            await self._changes.announce(kind, name, version + 1)
            try:
                ours = await self._swap(kind, name, body, version, before)
            except BaseException:
                # It may have happened, or happen still.
                self._changes.expect(kind, name, version + 1)
                raise
            if ours and await self._until_here(kind, name, version + 1):
                self._changes.tell(kind, name)
            else:
                self._changes.expect(kind, name, version + 1)
            if ours:
                return int(version) + 1
        raise StoreError(f"{kind} {name} is changed by others all the time; nothing was written")

    async def _swap(
        self, kind: str, name: str, body: bytes | None, version: int, before: str
    ) -> bool:
        """Whether the version after this one is ours; `before` has the names of earlier writes."""
        self._writes += 1
        mine = f"{self._writer}/{self._writes}"
        written = " ".join([mine, *before.split()][:_NAMES_KEPT])
        values: tuple[Any, ...] = (version + 1, body is None, body or b"", written)
        values = (*values, kind, name, version) if version else (kind, name, *values)
        statement = self._statement(_NEXT if version else _FIRST)
        request = Request([(statement, values)], QUORUM, SERIAL)
        try:
            answered = await self._session.ask(request, ahead=True)
        except StoreError:
            return await self._settled(kind, name, version, mine)
        return bool(answered[0]["[applied]"])

    async def _settled(self, kind: str, name: str, version: int, mine: str) -> bool:
        """What became of a write whose answer was lost; whatever was under way has ended then."""
        rows = await self._stands(kind, name)
        stands, _, written = rows[0] if rows else (0, True, "")
        if mine in written.split():
            return True
        if stands > version + _NAMES_KEPT:
            raise StoreError(f"{kind} {name} was changed by others; ours may have been before")
        return False

    async def _stands(self, kind: str, name: str) -> Rows:
        """What stands, at SERIAL; where others write the same entity a read may have to wait."""
        for _ in range(_TRIES - 1):
            with suppress(StoreError):
                return await self._ask(_NEWEST, (kind, name), SERIAL)
            await asyncio.sleep(_AGAIN_S)
        return await self._ask(_NEWEST, (kind, name), SERIAL)

    async def _until_here(self, kind: str, name: str, version: int) -> bool:
        """Wait until the own region shows the version; False where it does not in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _HERE_WAIT_S
        with suppress(StoreError):
            while loop.time() < until:
                rows = await self._ask(_NEWEST, (kind, name), LOCAL)
                if rows and rows[0][0] >= version:
                    return True
                await asyncio.sleep(_HERE_LOOK_S)
        return False

    async def _ask(self, text: str, values: Sequence[Any], level: int) -> Rows:
        request = Request([(self._statement(text), values)], level)
        rows: Rows = await self._session.ask(request)
        return rows

    def _statement(self, text: str) -> Any:
        return self._session.prepared(text.format(ks=self._keyspace))

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the entity store is closed")
