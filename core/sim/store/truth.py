"""What stands, for checkers: all rows in plain tables, free of levels and replicas.

It never refuses a row: what a store without the check of SQLite would let stand stands here too.
Later stamps win, whenever they arrive. `changed` names log rows that were written with two bodies,
which nothing in the protocol may do.
"""

from sync.records import Place, Record, decode_row
from sync.store.memory_journal import MemoryTables
from sync.store.port import Answer, OpenRow, PutFloor, PutOpen, PutRow, Register, ShardRow, Write


class Truth(MemoryTables):
    """`MemoryTables` of several homes, with decoded records."""

    def __init__(self, homes: list[str], shards: int) -> None:
        super().__init__(homes[0], shards)
        for home in homes[1:]:
            self.shard_rows[home] = [ShardRow(shard, "", 0) for shard in range(shards)]
        self.changed: list[tuple[str, int]] = []
        self._stamps: dict[tuple[object, ...], int] = {}
        self._records: dict[tuple[str, int], list[Record]] = {}
        self._unread: list[tuple[str, int]] = []
        self._by_shard: dict[tuple[str, str, int], list[tuple[Place, Record]]] = {}

    def put(self, write: Write, stamp: int) -> Answer:
        """A write with its stamp; an older one changes nothing."""
        if type(write) is PutRow:
            rows = self.logs.setdefault(write.log, {})
            there = rows.setdefault(write.row, write.body)
            if there is write.body:
                self._unread.append((write.log, write.row))
            elif there != write.body:
                self.changed.append((write.log, write.row))
            return "ok"
        if type(write) is PutFloor and self._is_older(("floor", write.home, write.owner), stamp):
            return "ok"
        if type(write) is Register and self._is_older(("who", write.incarnation), stamp):
            return "ok"
        if type(write) is PutOpen:
            write = PutOpen([row for row in write.rows if not self._is_stale(row, stamp)])
        return self.apply(write)

    def _is_stale(self, row: OpenRow, stamp: int) -> bool:
        return self._is_older(("open", row.home, row.bucket, row.shard, row.id, row.epoch), stamp)

    def _is_older(self, key: tuple[object, ...], stamp: int) -> bool:
        if self._stamps.get(key, stamp) > stamp:
            return True
        self._stamps[key] = stamp
        return False

    def _closed(self, log: str) -> bool:  # noqa: ARG002 # nothing is refused here
        return False

    def records(self, log: str, row: int) -> list[Record]:
        """The records of a row, decoded once; empty if the row is not there."""
        found = self._records.get((log, row))
        if found is None:
            body = self.logs.get(log, {}).get(row)
            if body is None:
                return []
            found = self._records[(log, row)] = decode_row(body)
        return found

    def of_shard(self, kind: str, home: str, shard: int) -> list[tuple[Place, Record]]:
        """Every record of a shard that stands in logs of this kind (`accept`, `effect`)."""
        unread, self._unread = self._unread, []
        seen = set()
        for log, row in unread:
            if (log, row) in seen:
                continue
            seen.add((log, row))
            kind_, home_, _ = log.split(".", 2)
            for index, record in enumerate(self.records(log, row)):
                place = Place(log, row, index)
                self._by_shard.setdefault((kind_, home_, record.shard), []).append((place, record))
        return self._by_shard.get((kind, home, shard), [])
