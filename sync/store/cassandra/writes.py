"""Plain writes: which requests each is made of.

Rows of one partition go into batches of that partition (unlogged, so one mutation each), within
bounds. A write of several requests is `ok` when all of them are; a repeat sends them all again,
which changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from sync.naming import ROWS_PER_PARTITION, log_name
from sync.store.cassandra.levels import Levels
from sync.store.cassandra.session import Request
from sync.store.cassandra.settings import CassandraSettings
from sync.store.port import (
    PutById,
    PutFloor,
    PutForced,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    Registered,
    Write,
)

ROW_BESIDE_BODY = 100  # bytes of a row's key and of what the wire adds
HEADS_MAX = 65_536
OF_HOMES = {
    "row": "INSERT INTO {ks}.log_rows (log, part, row, body) VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
    "row_again": "INSERT INTO {ks}.log_rows (log, part, row, body) VALUES (?, ?, ?, ?) "
    "USING TIMESTAMP ? AND TTL ?",
    "head": "INSERT INTO {ks}.log_heads (home, log, row) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "by_id": "INSERT INTO {ks}.by_id (part, id, epoch, stamp, body) VALUES (?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?",
    "open": "INSERT INTO {ks}.open_set (home, bucket, shard, id, epoch, due_ms, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "due": "INSERT INTO {ks}.open_due (home, bucket, shard, due_ms, id) VALUES (?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?",
    "floor": "INSERT INTO {ks}.floors (home, owner, body) VALUES (?, ?, ?) USING TIMESTAMP ?",
}
OF_ALL = {
    "put_key": "INSERT INTO {ks}.keys (tenant, key, at_us, body) VALUES (?, ?, ?, ?) "
    "USING TIMESTAMP ?",
    "sent": "INSERT INTO {ks}.provider_segments (account, bucket, at_us, writer, seq, body) "
    "VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "put_pending": "INSERT INTO {ks}.pending (account, provider_id, digest, body) "
    "VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
    "view": "UPDATE {ks}.views USING TIMESTAMP ? SET kinds = kinds + ?, body = ? WHERE part = ? "
    "AND kind = ? AND at_ms = ? AND writer = ? AND seq = ? AND at_us = ?",
    "put_registry": "INSERT INTO {ks}.registry (one, incarnation, body) VALUES (1, ?, ?) "
    "USING TIMESTAMP ?",
    "put_forced": "INSERT INTO {ks}.forced (one, number, alone, regions) VALUES (1, ?, ?, ?) "
    "USING TIMESTAMP ?",
}
Part = tuple[Any, Sequence[Any]]
Statement = Callable[[str, str], Any]


class Writes:
    """`statement(name, home)` is a prepared one, in the home's keyspace or in the main one."""

    def __init__(
        self, settings: CassandraSettings, statement: Statement, wall_us: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._statement = statement
        self._wall_us = wall_us
        self._heads: dict[str, int] = {}
        self._made: dict[type, Callable[[Any, int, int], list[Request]]] = {
            PutRow: self._row,
            PutById: self._by_id,
            PutOpen: self._open,
            PutFloor: self._floor,
            PutKey: self._key,
            PutProviderIds: self._provider_ids,
            PutPending: self._pending,
            PutViews: self._views,
            Register: self._register,
            PutForced: self._forced,
        }

    def requests(self, write: Write, stamp: int, levels: Levels) -> list[Request]:
        """What carries the write out; nothing for one without rows."""
        return self._made[type(write)](write, stamp, levels.of(write))

    def _row(self, write: PutRow, stamp: int, level: int) -> list[Request]:
        self._sized(len(write.body))
        log, part = write.log, write.row // ROWS_PER_PARTITION
        home = log_name(log).home
        values = [log, part, write.row, write.body, stamp]
        if write.at_us:
            lived_s = (self._wall_us() - write.at_us) // 1_000_000
            values.append(max(1, self._settings.ttl_s - max(0, lived_s)))
        row = (self._statement("row_again" if write.at_us else "row", home), values)
        made = [Request([row], level)]
        if self._heads.get(log, -1) < part or write.at_quorum:
            # The row's number as the timestamp: the highest stays, in whatever order they come.
            head = (self._statement("head", home), (home, log, write.row, write.row))
            made.append(Request([head], level))
        return made

    def row_stands(self, write: PutRow) -> None:
        """A row was written, and with it where the log's newest partition is."""
        part = write.row // ROWS_PER_PARTITION
        if self._heads.get(write.log, -1) < part:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            self._heads[write.log] = part

    def _by_id(self, write: PutById, stamp: int, level: int) -> list[Request]:
        rows = [
            (
                r.part,
                self._statement("by_id", r.part.partition(".")[0]),
                (r.part, r.id, r.epoch, r.stamp, r.body, stamp),
                len(r.body),
            )
            for r in write.rows
        ]
        return self._grouped(rows, level)

    def _open(self, write: PutOpen, stamp: int, level: int) -> list[Request]:
        rows: list[tuple[Any, Any, Sequence[Any], int]] = []
        for r in write.rows:
            place = (r.home, r.bucket, r.shard)
            entry = (*place, r.id, r.epoch, r.due_ms, r.body, stamp)
            rows.append((place, self._statement("open", r.home), entry, len(r.body)))
            due = (*place, r.due_ms, r.id, stamp)
            rows.append((place, self._statement("due", r.home), due, 0))
        return self._grouped(rows, level, at_once=2)

    def _views(self, write: PutViews, stamp: int, level: int) -> list[Request]:
        view = self._statement("view", "")
        rows = [
            (
                r.part,
                view,
                (stamp, {r.kind}, r.body, r.part, r.kind, r.at_ms, r.writer, r.seq, stamp),
                len(r.body),
            )
            for r in write.rows
        ]
        return self._grouped(rows, level)

    def _floor(self, write: PutFloor, stamp: int, level: int) -> list[Request]:
        values = (write.home, write.owner, write.body, stamp)
        return self._single("floor", values, level, write.body, write.home)

    def _key(self, write: PutKey, stamp: int, level: int) -> list[Request]:
        values = (write.tenant, write.key, stamp, write.body, stamp)
        return self._single("put_key", values, level, write.body)

    def _provider_ids(self, write: PutProviderIds, stamp: int, level: int) -> list[Request]:
        values = (write.account, write.bucket, stamp, write.writer, write.seq, write.body, stamp)
        return self._single("sent", values, level, write.body)

    def _pending(self, write: PutPending, stamp: int, level: int) -> list[Request]:
        digest = blake2b(write.body, digest_size=16).digest()
        values = (write.account, write.provider_id, digest, write.body, stamp)
        return self._single("put_pending", values, level, write.body)

    def _register(self, write: Register, stamp: int, level: int) -> list[Request]:
        who = Registered(write.incarnation, write.region, write.url, write.logs)
        values = (write.incarnation, msgspec.msgpack.encode(who), stamp)
        return self._single("put_registry", values, level, b"")

    def _forced(self, write: PutForced, stamp: int, level: int) -> list[Request]:
        row = write.row
        values = (row.number, row.alone, ",".join(row.regions), stamp)
        return self._single("put_forced", values, level, b"")

    def _single(
        self, name: str, values: Sequence[Any], level: int, body: bytes, home: str = ""
    ) -> list[Request]:
        self._sized(len(body))
        return [Request([(self._statement(name, home), values)], level)]

    def _sized(self, body_bytes: int) -> int:
        """A row's size. One that is too large would be refused for ever: its maker has a bound."""
        if body_bytes > self._settings.row_bytes_max:
            what = f"a row of {body_bytes} bytes is over row_bytes_max"
            raise ValueError(f"{what} ({self._settings.row_bytes_max})")
        return body_bytes + ROW_BESIDE_BODY

    def _grouped(
        self, rows: Iterable[tuple[Any, Any, Sequence[Any], int]], level: int, at_once: int = 1
    ) -> list[Request]:
        """(partition, statement, values, bytes) as batches of one partition each.

        `at_once` rows in a row stay in one batch: what one mutation has to write.
        """
        bytes_max, rows_max = self._settings.batch_bytes_max, self._settings.batch_rows_max
        made: list[Request] = []
        filling: dict[Any, tuple[list[Part], int]] = {}
        listed = list(rows)
        for at in range(0, len(listed), at_once):
            some = listed[at : at + at_once]
            partition = some[0][0]
            parts, size = filling.get(partition, ([], 0))
            adds = sum(self._sized(row[3]) for row in some)
            if parts and (size + adds > bytes_max or len(parts) + at_once > rows_max):
                parts, size = [], 0
            if not parts:
                made.append(Request(parts, level))
            parts += [(statement, values) for _, statement, values, _ in some]
            filling[partition] = (parts, size + adds)
        return made
