"""What stands in the store, indexed for checkers: records by shard and message, floors, by-id rows.

Fed with each write once it stands at its level. What stood on too few replicas only comes in when
faults are over and everything was repaired.

What an owner wrote whose first floor came to stand after the next owner had taken its shard counts
for nothing: it was followed by no call and no word, and nobody has to read it. Where the next owner
read it as it took the shard over, it may count all the same, and does once a by-id row says so.
"""

from sync.by_id import latest
from sync.forced import force_of
from sync.lattice import gather
from sync.naming import attempt_place, log_name
from sync.records import (
    ById,
    Cancel,
    End,
    FloorPart,
    Intent,
    Message,
    OpenEntry,
    Outcome,
    Place,
    Record,
    State,
    decode_by_id,
    decode_floor,
    decode_open,
    decode_row,
)
from sync.store.port import (
    ByIdRow,
    OpenRow,
    PutById,
    PutFloor,
    PutOpen,
    PutRow,
    PutViews,
    SwapShards,
    ViewRow,
    Write,
)

Pair = tuple[Place, Record]


class Journal:
    """See the module's docstring."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, list[Record]]] = {}
        self.ended_at_ms: dict[str, int] = {}
        self.views: list[ViewRow] = []
        self._by_message: dict[tuple[str, str], list[Pair]] = {}
        self._by_shard: dict[tuple[str, str, int], list[Pair]] = {}
        self._by_id: dict[str, dict[int, ByIdRow]] = {}
        self._open: dict[str, dict[tuple[int, int], tuple[int, OpenRow]]] = {}
        self._took: dict[tuple[str, int, int], float] = {}
        self._begun: dict[tuple[str, int, int], float] = {}
        self._floors: dict[tuple[str, str], tuple[int, list[FloorPart]]] = {}

    def took(self, write: SwapShards, now: float) -> None:
        """Shards were taken."""
        for row in write.expect:
            self._took[(write.home, row.shard, row.epoch + 1)] = now

    def add(self, write: Write, stamp: int, now: float, wall_ms: int) -> bool:
        """A write stands; whether it is new."""
        if isinstance(write, PutRow):
            return self._add_row(write)
        if isinstance(write, PutById):
            for row in write.rows:
                self._add_by_id(row, wall_ms)
        elif isinstance(write, PutOpen):
            for entry in write.rows:
                self._add_entry(entry, stamp)
        elif isinstance(write, PutFloor):
            return self._add_floor(write, stamp, now)
        elif isinstance(write, PutViews):
            self.views.extend(write.rows)
        return True

    def _add_row(self, write: PutRow) -> bool:
        rows = self.rows.setdefault(write.log, {})
        if write.row in rows:
            return False
        records = rows[write.row] = decode_row(write.body)
        name = log_name(write.log)
        for index, record in enumerate(records):
            pair = (Place(write.log, write.row, index), record)
            self._by_message.setdefault((name.kind, record.id), []).append(pair)
            self._by_shard.setdefault((name.kind, name.home, record.shard), []).append(pair)
        return True

    def _add_entry(self, entry: OpenRow, stamp: int) -> None:
        entries, key = self._open.setdefault(entry.id, {}), (entry.bucket, entry.epoch)
        if key not in entries or entries[key][0] <= stamp:
            entries[key] = (stamp, entry)

    def _add_floor(self, write: PutFloor, stamp: int, now: float) -> bool:
        key, parts = (write.home, write.owner), decode_floor(write.body)
        for part in parts:
            for shard, epoch in part.shards:
                self._begun.setdefault((write.home, shard, epoch), now)
        if key in self._floors and self._floors[key][0] > stamp:
            return False
        self._floors[key] = (stamp, parts)
        return True

    def _add_by_id(self, row: ByIdRow, wall_ms: int) -> None:
        rows, force = self._by_id.setdefault(row.id, {}), force_of(row.epoch)
        known = rows.get(force)
        if known is None or (known.epoch, known.stamp) <= (row.epoch, row.stamp):
            rows[force] = row
        if decode_by_id(row.body).ended:
            self.ended_at_ms.setdefault(row.id, wall_ms)

    # Asking

    def of(self, kind: str, message_id: str) -> list[Pair]:
        """The records of a message in logs of this kind."""
        return self._by_message.get((kind, message_id), [])

    def of_shard(self, kind: str, home: str, shard: int) -> list[Pair]:
        """Every record of a shard in logs of this kind."""
        return self._by_shard.get((kind, home, shard), [])

    def by_id(self, message_id: str) -> ById | None:
        """What the by-id row of the highest epoch says; of several force numbers all rows."""
        row = latest(self._by_id.get(message_id, {}).values())
        return None if row is None else decode_by_id(row.body)

    def entry(self, message_id: str, due: int) -> OpenEntry | None:
        """The last open entry of the message that is found from bucket `due` on."""
        found = [row for _, row in self._open.get(message_id, {}).values() if row.bucket >= due]
        if not found:
            return None
        return decode_open(max(found, key=lambda row: (row.epoch, row.bucket)).body)

    def waiting(self) -> list[str]:
        """Messages that have an entry in the open set."""
        return list(self._open)

    def floor_epoch(self, home: str, shard: int) -> int:
        """The highest epoch that a floor of the home names for the shard."""
        return max(
            (
                epoch
                for (of, _), (_, parts) in self._floors.items()
                if of == home
                for part in parts
                for each, epoch in part.shards
                if each == shard
            ),
            default=0,
        )

    def state(self, message_id: str) -> State:
        """The join of everything that the logs say of the message."""
        counted, perhaps = self._counted(message_id)
        state = gather(counted)[1]
        known = self.by_id(message_id) if perhaps else None
        if known is None or not known.ended:
            return state
        told = gather([*counted, *perhaps])[1]
        return told if known.state == told else state

    def furthest(self, message_id: str) -> State:
        """The most that an owner may tell of the message by now."""
        counted, perhaps = self._counted(message_id)
        return gather([*counted, *perhaps])[1]

    def _counted(self, message_id: str) -> tuple[list[Pair], list[Pair]]:
        """The records of a message that count, and those that count if the next owner read them."""
        counted: list[Pair] = []
        perhaps: list[Pair] = []
        for place, record in [*self.of("effect", message_id), *self.of("accept", message_id)]:
            if type(record) is Message or type(record) is Cancel:
                continue
            if not self.too_late(place, record):
                counted.append((place, record))
            elif self._read_on(place, record):
                perhaps.append((place, record))
        return counted, perhaps

    def too_late(self, place: Place, record: Record) -> bool:
        """Whether it is an effect that counts for nothing: see the module's docstring."""
        home, epoch = log_name(place.log).home, self._epoch_of(record)
        following = self._took.get((home, record.shard, epoch + 1))
        if not epoch or following is None:
            return False
        begun = self._begun.get((home, record.shard, epoch))
        return begun is None or begun > following

    def _read_on(self, place: Place, record: Record) -> bool:
        """Whether a later owner of the shard reads the record's log."""
        home, epoch = log_name(place.log).home, self._epoch_of(record)
        return any(
            each == record.shard and its_epoch > epoch and place.log in part.effect
            for (of, _), (_, parts) in self._floors.items()
            if of == home
            for part in parts
            for each, its_epoch in part.shards
        )

    def _epoch_of(self, record: Record) -> int:
        if isinstance(record, Intent | End):
            return record.epoch
        if type(record) is Outcome:
            at = attempt_place(record.id.partition("-")[0], record.attempt)
            row = self.rows.get(at[0], {}).get(at[1], []) if at else []
            intent = row[at[2]] if at and at[2] < len(row) else None
            return intent.epoch if type(intent) is Intent else 0
        return 0


def home_and_shard(message_id: str) -> tuple[str, int]:
    """Where a message belongs."""
    home, _, rest = message_id.partition("-")
    return home, int(rest[1:4], 16)
