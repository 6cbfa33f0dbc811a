"""The owner's shards: taking them, reading for them in groups, floors, giving them up.

Shards that stand alike are read as one group: one cursor for each accept log. A shard that was
just taken is a group of its own until it has read as far as the others. A group reads only while
there is room in memory; what does not fit stays in the log.
"""

from heapq import heappop

from msgspec import Struct

from sync.owner.book import BUCKET_MS, ShardState
from sync.owner.intake import Intake
from sync.owner.marks import Holds, merge_parts
from sync.owner.sending import IDLE
from sync.owner.state import Limits, Phase
from sync.owner.takeover import Loaded
from sync.records import FloorPart, OpenEntry, Record


class Group:
    """Shards read together. `cursors` are the last rows read; `former` the effect logs of others.

    `live` once the first floor that names the shards stands: before that nothing is read, and of
    the messages in `found`, which former owners left, none is looked up and so none goes on.
    """

    __slots__ = ("closed", "cursors", "former", "found", "live", "shards")

    def __init__(self, loaded: Loaded) -> None:
        self.found = list(loaded.effects)
        self.shards = {shard for shard, _ in loaded.shards}
        self.cursors = dict(loaded.cursors)
        self.former = dict(loaded.effect_read)
        self.closed = set(loaded.closed)
        self.live = False


class Want(Struct, frozen=True):
    """Rows that a group can take now: read `log` from row `first` on."""

    log: str
    first: int


class Owner(Intake):
    """See the package's docstring."""

    def __init__(self, home: str, owner: str, limits: Limits) -> None:
        super().__init__(home, owner, limits)
        self.groups: list[Group] = []
        self._ends: dict[str, int] = {}

    # Taking and giving up

    def begin(self, loaded: Loaded, now_ms: int) -> None:
        """Shards are ours and what their former owners left was read; not live yet."""
        for shard, epoch in loaded.shards:
            self.shards[shard] = ShardState(epoch, now_ms)
            self.opened[shard] = loaded.due
        self.groups.append(Group(loaded))
        for message_id, (shard, effects) in loaded.effects.items():
            self.taken_over(message_id, shard, effects)

    def go(self, shards: set[int]) -> None:
        """The first floor that names these shards stands: they may be worked on."""
        for group in self.groups:
            if group.shards <= shards and not group.live:
                group.live = True
                self.look_up(group.found)
                group.found = []

    def lose(self, shards: set[int]) -> None:
        """Shards are no longer ours: forget everything about them."""
        for shard in shards:
            self.shards.pop(shard, None)
            self.opened.pop(shard, None)
            self.marks.forget(shard)
        for msg in [m for m in (*self.msgs.values(), *self.recent.values()) if m.shard in shards]:
            self.drop(msg)
        for early_id in [i for i, e in self.early.items() if e.shard in shards]:
            self.early.pop(early_id)
        for group in self.groups:
            group.shards -= shards
        self.groups = [g for g in self.groups if g.shards]

    # Reading

    def logs_known(self, logs: list[str], ends: dict[str, int]) -> None:
        """The accept logs of this home, and the last rows of those that will never grow again."""
        self._ends = ends
        for group in self.groups:
            for log in logs:
                if log not in group.cursors and log not in group.closed:
                    group.cursors[log] = 0

    def row_available(self, log: str, row: int, records: list[Record]) -> None:
        """A row is here, by signal, from our own writer or from the store. Follow with `ask`."""
        for group in self.groups:
            if group.live and group.cursors.get(log) == row - 1 and self.room > 0:
                group.cursors[log] = row
                self.row_read(log, row, records, group.shards)

    def wants(self, known_rows: dict[str, int]) -> list[Want]:
        """What to read from the store: logs that are behind `known_rows`, if there is room.

        A log that is not in `known_rows` is asked for too: nobody told how far it is.
        """
        if self.room <= 0:
            return []
        wanted: dict[str, int] = {}
        for group in self.groups:
            if not group.live:
                continue
            for log, at in group.cursors.items():
                if at < known_rows.get(log, at + 1):
                    wanted[log] = min(wanted.get(log, at + 1), at + 1)
        return [Want(log, first) for log, first in sorted(wanted.items(), key=_urgent_first)]

    def due_buckets(self, now_ms: int, lead_ms: int) -> list[tuple[int, list[int]]]:
        """Buckets of the open set to take up now: (bucket, shards)."""
        if self.room <= 0:
            return []
        last = (now_ms + lead_ms) // BUCKET_MS
        due: dict[int, list[int]] = {}
        for group in self.groups:
            for shard in group.shards if group.live else ():
                if self.opened[shard] <= last:
                    due.setdefault(self.opened[shard], []).append(shard)
        return sorted(due.items())

    def bucket_read(self, bucket: int, shards: list[int], entries: list[OpenEntry]) -> None:
        """A whole bucket was read for these shards. Follow with `ask`."""
        for shard in shards:
            if self.opened.get(shard) == bucket:
                self.opened[shard] = bucket + 1
        for entry in entries:
            self.opened_entry(entry, bucket)

    # Time

    def tick(self, now_ms: int) -> None:
        """Each fraction of a second: offer again what is due."""
        while self._timers and self._timers[0][0] <= now_ms:
            _, _, msg = heappop(self._timers)
            if msg.phase is Phase.WAITING and msg.due_ms <= now_ms and msg.id in self.msgs:
                self.again(msg, now_ms)

    def sweep(self, now_ms: int) -> None:
        """Each second or so: end what has expired."""
        for msg in list(self.msgs.values()):
            if msg.phase in IDLE:
                self.expire_idle(msg, now_ms)

    # Floors

    def floor_parts(self, own_effects: dict[str, int]) -> list[FloorPart]:
        """This owner's floor now; `own_effects` are the last durable rows of its effect logs."""
        self._merge_groups()
        parts: list[FloorPart] = []
        for group in self.groups:
            effects = {**group.former, **own_effects}
            closed = tuple(sorted(group.closed))
            read = dict.fromkeys(group.shards, (group.cursors, closed))
            parts += self.floor(read, effects)
            self._close_logs(group)
        return merge_parts(parts)

    def _close_logs(self, group: Group) -> None:
        """Logs that ended and that nothing needs any more are not followed any longer."""
        for log, at in list(group.cursors.items()):
            if self._ends.get(log, at + 1) <= at and self._free(self.marks.accept, log, group):
                del group.cursors[log]
                group.closed.add(log)
        for log in list(group.former):
            if log in self._ends and self._free(self.marks.effect, log, group):
                del group.former[log]
                group.closed.add(log)

    @staticmethod
    def _free(holds: Holds, log: str, group: Group) -> bool:
        return all(holds.lowest(log, shard) is None for shard in group.shards)

    def _merge_groups(self) -> None:
        merged: list[Group] = []
        for group in self.groups:
            for other in merged:
                if (
                    group.live
                    and other.live
                    and group.cursors == other.cursors
                    and group.closed == other.closed
                    and group.former == other.former
                ):
                    other.shards |= group.shards
                    break
            else:
                merged.append(group)
        self.groups = merged


def _urgent_first(want: tuple[str, int]) -> tuple[bool, str]:
    return ".urgent" not in want[0], want[0]
