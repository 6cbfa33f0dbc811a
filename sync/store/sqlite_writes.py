"""How each write of the journal's port is carried out inside one SQLite transaction.

`Transaction.apply` is called between BEGIN IMMEDIATE and COMMIT, in the committer's thread. Many
rows go in one statement, because each step of a statement gives the interpreter's lock away and
has to win it back from the event loop.
"""

import json
import sqlite3
from typing import Any

import msgspec

from sync.lease import Lease
from sync.maps import MapRow
from sync.naming import log_name
from sync.replication import ReplicationChange
from sync.serving import ServingSet
from sync.store.port import (
    Answer,
    PutById,
    PutFloor,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    ShardRow,
    SwapLease,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
    SwapShards,
    Write,
)

CHUNKS = (256, 64, 16, 4, 1)
BY_ID_NEWER = (
    " ON CONFLICT (id, epoch) DO UPDATE SET body=excluded.body, at_s=excluded.at_s, "
    "stamp=excluded.stamp WHERE excluded.stamp >= by_id.stamp"
)


def many_values(table: str, verb: str, width: int, rows: int) -> str:
    """An INSERT of `rows` rows in one statement."""
    one = "(" + ",".join("?" * width) + ")"
    return f"{verb} INTO {table} VALUES " + ",".join([one] * rows)


class Transaction:
    """One transaction under way. `now_s` stamps rows for their expiry."""

    def __init__(self, db: sqlite3.Connection, now_s: int) -> None:
        self._db = db
        self._now_s = now_s
        self._revoked: dict[str, bool] = {}
        self._by_id: list[Any] = []
        self._views: list[Any] = []

    def apply(self, write: Write) -> Answer:
        """Carry out one write and answer it."""
        if type(write) is PutRow:
            return self._put_row(write)
        if type(write) is PutById:
            for row in write.rows:
                self._by_id += (row.part, row.id, row.epoch, row.body, self._now_s, row.stamp)
            return "ok"
        if type(write) is PutViews:
            for view in write.rows:
                key = (view.part, view.kind, view.at_ms, view.writer, view.seq)
                self._views += (*key, view.body, self._now_s)
            return "ok"
        answer: Answer = _OTHERS[type(write)](self, write)
        return answer

    def finish(self) -> None:
        """Write what was gathered; call once before COMMIT."""
        self._insert("by_id", "INSERT", 6, self._by_id, BY_ID_NEWER)
        self._insert("views", "INSERT OR IGNORE", 7, self._views)

    def _insert(self, table: str, verb: str, width: int, values: list[Any], tail: str = "") -> None:
        at, rows = 0, len(values) // width
        for chunk in CHUNKS:
            while rows >= chunk:
                sql = many_values(table, verb, width, chunk) + tail
                self._db.execute(sql, values[at : at + width * chunk])
                at += width * chunk
                rows -= chunk

    def _put_row(self, write: PutRow) -> Answer:
        if self._closed(write.log):
            return "revoked"
        self._db.execute(
            "INSERT OR IGNORE INTO log_rows VALUES (?,?,?,?)",
            (write.log, write.row, write.body, self._now_s),
        )
        return "ok"

    def _closed(self, log: str) -> bool:
        """Whether the log's writer was revoked or has left, as this transaction sees it."""
        incarnation = log_name(log).incarnation
        revoked = self._revoked.get(incarnation)
        if revoked is None:
            sql = "SELECT state FROM leases WHERE incarnation=?"
            found = self._db.execute(sql, (incarnation,)).fetchone()
            revoked = self._revoked[incarnation] = found is not None and found[0] != "active"
        return revoked

    def _put_open(self, write: PutOpen) -> Answer:
        self._db.executemany(
            "INSERT OR REPLACE INTO open_set VALUES (?,?,?,?,?,?,?,?)",
            [
                (r.home, r.shard, r.bucket, r.id, r.epoch, r.due_ms, r.body, self._now_s)
                for r in write.rows
            ],
        )
        return "ok"

    def _put_floor(self, write: PutFloor) -> Answer:
        self._db.execute(
            "INSERT OR REPLACE INTO floors VALUES (?,?,?,?)",
            (write.home, write.owner, write.body, self._now_s),
        )
        return "ok"

    def _put_key(self, write: PutKey) -> Answer:
        if write.log and self._closed(write.log):
            return "revoked"
        self._db.execute(
            "INSERT OR IGNORE INTO keys VALUES (?,?,?,?)",
            (write.tenant, write.key, write.body, self._now_s),
        )
        return "ok"

    def _put_provider_ids(self, write: PutProviderIds) -> Answer:
        self._db.execute(
            "INSERT OR IGNORE INTO provider_segments VALUES (?,?,?,?,?,?)",
            (write.account, write.bucket, write.writer, write.seq, write.body, self._now_s),
        )
        return "ok"

    def _put_pending(self, write: PutPending) -> Answer:
        self._db.execute(
            "INSERT OR IGNORE INTO pending VALUES (?,?,?,?)",
            (write.account, write.provider_id, write.body, self._now_s),
        )
        return "ok"

    def _register(self, write: Register) -> Answer:
        self._db.execute(
            "INSERT OR REPLACE INTO registry VALUES (?,?,?,?,?)",
            (write.incarnation, write.region, write.url, json.dumps(write.logs), self._now_s),
        )
        return "ok"

    def _swap_lease(self, write: SwapLease) -> Answer:
        there = read_lease(self._db, write.lease.incarnation)
        if there != write.expect:
            return Swapped(False, lease=there)
        new = write.lease
        self._revoked.pop(new.incarnation, None)  # rows later in this transaction look again
        self._db.execute(
            "INSERT OR REPLACE INTO leases VALUES (?,?,?,?,?,?,?,?)",
            (
                new.incarnation,
                new.counter,
                new.nonce,
                new.state,
                new.map_version,
                json.dumps(new.last_rows),
                self._now_s,
                new.replication_version,
            ),
        )
        return Swapped(True, lease=new)

    def _swap_shards(self, write: SwapShards) -> Answer:
        there = {row.shard: row for row in read_shards(self._db, write.home)}
        if any(there.get(row.shard) != row for row in write.expect):
            return Swapped(False, shards=list(there.values()))
        given = [ShardRow(row.shard, write.owner, row.epoch + 1) for row in write.expect]
        self._db.executemany(
            "UPDATE shards SET owner=?, epoch=? WHERE home=? AND shard=?",
            [(row.owner, row.epoch, write.home, row.shard) for row in given],
        )
        return Swapped(True, shards=given)

    def _swap_serving(self, write: SwapServing) -> Answer:
        there = read_serving(self._db)
        if there != write.expect:
            return Swapped(False, serving=there)
        body = msgspec.msgpack.encode(write.row)
        self._db.execute("INSERT OR REPLACE INTO serving VALUES (1, ?)", (body,))
        return Swapped(True, serving=write.row)

    def _swap_maps(self, write: SwapMaps) -> Answer:
        there = read_maps(self._db)
        if there != write.expect:
            return Swapped(False, maps=there)
        body = msgspec.msgpack.encode(write.row)
        self._db.execute("INSERT OR REPLACE INTO maps VALUES (1, ?)", (body,))
        return Swapped(True, maps=write.row)

    def _swap_replication(self, write: SwapReplication) -> Answer:
        there = read_replication(self._db)
        if there != write.expect:
            return Swapped(False, replication=there)
        body = msgspec.msgpack.encode(write.row)
        self._db.execute("INSERT OR REPLACE INTO replication VALUES (1, ?)", (body,))
        return Swapped(True, replication=write.row)


_OTHERS: dict[type, Any] = {
    PutOpen: Transaction._put_open,
    PutFloor: Transaction._put_floor,
    PutKey: Transaction._put_key,
    PutProviderIds: Transaction._put_provider_ids,
    PutPending: Transaction._put_pending,
    Register: Transaction._register,
    SwapLease: Transaction._swap_lease,
    SwapShards: Transaction._swap_shards,
    SwapServing: Transaction._swap_serving,
    SwapMaps: Transaction._swap_maps,
    SwapReplication: Transaction._swap_replication,
}


def lease_of(row: Any) -> Lease:
    """A lease from its columns."""
    return Lease(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), row[7])


def read_lease(db: sqlite3.Connection, incarnation: str) -> Lease | None:
    """One lease as it stands."""
    found = db.execute("SELECT * FROM leases WHERE incarnation=?", (incarnation,)).fetchone()
    return None if found is None else lease_of(found)


def read_shards(db: sqlite3.Connection, home: str) -> list[ShardRow]:
    """A home's shards as they stand."""
    sql = "SELECT shard, owner, epoch FROM shards WHERE home=? ORDER BY shard"
    return [ShardRow(*row) for row in db.execute(sql, (home,))]


def read_serving(db: sqlite3.Connection) -> ServingSet | None:
    """The row of the serving regions as it stands."""
    found = db.execute("SELECT body FROM serving").fetchone()
    return None if found is None else msgspec.msgpack.decode(found[0], type=ServingSet)


def read_maps(db: sqlite3.Connection) -> MapRow | None:
    """The row of the placement map as it stands."""
    found = db.execute("SELECT body FROM maps").fetchone()
    return None if found is None else msgspec.msgpack.decode(found[0], type=MapRow)


def read_replication(db: sqlite3.Connection) -> ReplicationChange | None:
    """The row of the change of replication as it stands."""
    found = db.execute("SELECT body FROM replication").fetchone()
    return None if found is None else msgspec.msgpack.decode(found[0], type=ReplicationChange)
