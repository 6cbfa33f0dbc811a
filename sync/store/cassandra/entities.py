"""The configuration's entities on Cassandra: one partition under compare-and-set.

Every write raises `head`, the sequence number of the latest change, and is applied only if `head`
is as it was read before: so one condition guards the entity's version, the order of the feed, and
whatever another region writes at the same moment. Who lost the race reads again. A change is a line
of the feed too: a row of the kind that no entity has, named by its number; the entity's earlier
line goes in the same batch.

Reads are at quorum: what a number of the feed stands for is there whenever the number is. In a
region that is cut off nothing can be read or changed; whoever follows keeps what it has.

A write whose answer is lost is judged by a read at SERIAL, and repeated while it may still be
applied: the nonce of its row tells it from all others. Where the store stays silent for `patience`
tries StoreError is raised, and the write may have happened or may happen late. Configuration
changes by hand and by bounces; some tens of changes a second are as much as one partition takes.
"""

import asyncio
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from sync.store.cassandra.errors import HOPELESS
from sync.store.cassandra.levels import QUORUM, SERIAL
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

FEED = ""
PATIENCE = 8
PAUSE_S = 0.05
OF_ALL = {
    "entity": "SELECT version, body, deleted, seq, nonce FROM {ks}.entities "
    "WHERE one = 1 AND kind = ? AND id = ?",
    "entity_head": "SELECT head FROM {ks}.entities WHERE one = 1 LIMIT 1",
    "entity_list": "SELECT id, version, body, deleted FROM {ks}.entities "
    "WHERE one = 1 AND kind = ? AND id > ? LIMIT ?",
    "entity_raise": "UPDATE {ks}.entities SET head = ? WHERE one = 1 IF head = ?",
    "entity_write": "UPDATE {ks}.entities SET version = ?, body = ?, deleted = ?, seq = ?, "
    "nonce = ? WHERE one = 1 AND kind = ? AND id = ?",
    "entity_forget": "DELETE FROM {ks}.entities WHERE one = 1 AND kind = ? AND id = ?",
}


class _Found(Struct, frozen=True):
    """An entity's row as it stands, with the feed's head."""

    version: int = 0
    deleted: bool = True
    seq: int = 0
    nonce: str = ""
    head: int | None = None
    body: bytes = b""


class CassandraEntities:
    """An `EntityStore` in the keyspace of a session that others may use too."""

    def __init__(self, session: Session, keyspace: str, random: Random) -> None:
        self._session = session
        self._keyspace = keyspace
        self._random = random
        self._closed = False

    async def prepare(self) -> None:
        """Make its statements known; StoreError where the table is not there."""
        await self._session.prepare([text.format(ks=self._keyspace) for text in OF_ALL.values()])

    # Reading

    async def get(self, kind: str, name: str) -> Entity | None:
        found = await self._read(kind, name, QUORUM)
        if not found.version:
            return None
        return Entity(kind, name, found.version, found.body, found.deleted)

    async def list(self, kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        wanted, found = min(limit, LIST_MAX), []
        while len(found) < wanted:
            asked = wanted - len(found)
            rows = await self._ask("entity_list", (kind, after, asked), QUORUM)
            found += [Entity(kind, row[0], row[1], row[2] or b"") for row in rows if not row[3]]
            if len(rows) < asked:
                break
            after = rows[-1][0]
        return found

    async def changes(self, since: int, limit: int) -> Changes:
        rows = await self._ask("entity_list", (FEED, _line(since), limit), QUORUM)
        if rows:
            return int(rows[-1][0]), [tuple(msgspec.msgpack.decode(row[2])) for row in rows]
        return min(since, await self.head()), []

    async def head(self) -> int:
        rows = await self._ask("entity_head", (), QUORUM)
        return int(rows[0][0] or 0) if rows else 0

    # Writing

    async def put(self, kind: str, name: str, body: bytes, expect: int | None) -> int:
        check_name(kind, name)
        check_body(body)
        return await self._write(kind, name, body, expect)

    async def delete(self, kind: str, name: str, expect: int | None) -> int:
        return await self._write(kind, name, None, expect)

    async def close(self) -> None:
        self._closed = True

    async def _write(self, kind: str, name: str, body: bytes | None, expect: int | None) -> int:
        nonce = f"{self._random.getrandbits(64):016x}"
        silent, found = 0, await self._read(kind, name, QUORUM)
        while True:
            check_expected(expect, found.version, found.deleted)
            if body is None and found.deleted:
                return 0
            applied = await self._swap(kind, name, found, body, nonce)
            if applied:
                return found.version + 1
            if applied is None:
                silent += 1
                if silent >= PATIENCE:
                    raise StoreError(f"{kind} {name}: the store does not answer; it may be written")
            await asyncio.sleep(self._random.random() * PAUSE_S)
            was, found = found, await self._read(kind, name, SERIAL)
            if found.nonce == nonce:
                return found.version
            if silent and found.version > was.version:
                # Ours may have been applied before the one that stands, or never.
                raise StoreError(f"{kind} {name}: changed at once by another; look at it again")

    async def _swap(
        self, kind: str, name: str, found: _Found, body: bytes | None, nonce: str
    ) -> bool | None:
        """Whether it was applied; None where that is not known."""
        seq = (found.head or 0) + 1
        values = (found.version + 1, body or b"", body is None, seq, nonce, kind, name)
        line = (1, msgspec.msgpack.encode((kind, name)), False, seq, nonce, FEED, _line(seq))
        parts = [
            (self._statement("entity_raise"), (seq, found.head)),
            (self._statement("entity_write"), values),
            (self._statement("entity_write"), line),
        ]
        if found.seq:
            parts.append((self._statement("entity_forget"), (FEED, _line(found.seq))))
        told: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()

        def answered(rows: Any, error: BaseException | None) -> None:
            if told.done():
                return
            if isinstance(error, HOPELESS):
                told.set_exception(error)
            else:
                told.set_result(None if error is not None else bool(rows[0]["[applied]"]))

        self._session.send(Request(parts, QUORUM, SERIAL), answered, ahead=True)
        return await told

    async def _read(self, kind: str, name: str, level: int) -> _Found:
        # The head is read first: a row that is newer than it makes the condition fail.
        head = await self._ask("entity_head", (), level)
        number = head[0][0] if head else None
        rows = await self._ask("entity", (kind, name), level)
        if not rows or rows[0][0] is None:
            return _Found(head=number)
        version, body, deleted, seq, nonce = rows[0]
        return _Found(version, deleted, seq, nonce, number, body or b"")

    def _statement(self, name: str) -> Any:
        return self._session.prepared(OF_ALL[name].format(ks=self._keyspace))

    async def _ask(self, name: str, values: tuple[Any, ...], level: int) -> Any:
        if self._closed:
            raise StoreError("the entity store is closed")
        return await self._session.ask(Request([(self._statement(name), values)], level))


def _line(seq: int) -> str:
    """The name of a line of the feed; names are in the order of numbers."""
    return f"{seq:019d}"
