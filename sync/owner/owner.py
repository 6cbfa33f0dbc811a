"""The owner's shards: taking them, reading for them in groups, floors, giving them up.

Shards that stand alike are read as one group: one cursor for each accept log. A shard that was
just taken is a group of its own until it has read as far as the others. A group reads only while
there is room in memory; what does not fit stays in the log.
"""

from heapq import heappop

from msgspec import Struct

from sync.owner.book import ShardState
from sync.owner.handing import Handing
from sync.owner.marks import Holds, merge_parts
from sync.owner.sending import IDLE
from sync.owner.state import Limits, Msg, Phase
from sync.owner.takeover import Loaded
from sync.records import EffectRecord, End, FloorPart, Intent, OpenEntry, Place, Record

LAST_ID = "\x7f"  # behind every id
SHORT_WAIT_MS = 2_000


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


class DueWant(Struct, frozen=True):
    """Entries of the open set to take up: due after `after` (due_ms, id) and by `until_ms`.

    `held` are the shards as they are held now: one that is lost and taken again is another, one
    that only gets a new epoch is the same.
    """

    shards: list[int]
    held: list[ShardState]
    after: tuple[int, str]
    until_ms: int


class Want(Struct, frozen=True):
    """Rows that a group can take now: read `log` from row `first` on."""

    log: str
    first: int


class Owner(Handing):
    """See the package's docstring."""

    def __init__(self, home: str, owner: str, limits: Limits) -> None:
        super().__init__(home, owner, limits)
        self.groups: list[Group] = []
        self._ends: dict[str, int] = {}
        self._due_busy: set[int] = set()
        self._to_sweep: list[Msg] = []
        self._last_parts: dict[int, FloorPart] = {}

    # Taking and giving up

    def begin(self, loaded: Loaded, now_ms: int) -> None:
        """Shards are ours and what their former owners left was read; not live yet."""
        read_ms = loaded.due * self.limits.bucket_ms - 1
        for shard, epoch in loaded.shards:
            self.shards[shard] = ShardState(epoch, now_ms)
            self.due_read[shard] = (read_ms, LAST_ID)
            self.due_asked[shard] = read_ms
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
        self.losses += 1
        for shard in shards:
            self._lost_at[shard] = self.losses
            self.shards.pop(shard, None)
            self.due_read.pop(shard, None)
            self.due_asked.pop(shard, None)
            self._due_busy.discard(shard)
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

    def former_known(self, logs: list[str]) -> None:
        """Effect logs of owners that may have had any of the shards: read on in them, too."""
        for group in self.groups:
            for log in logs:
                if log not in group.former and log not in group.closed:
                    group.former[log] = 0

    def awaits(self, log: str, row: int) -> bool:
        """Whether some group takes this row now: it is next, and there is room."""
        return self._room_for(log) > 0 and any(
            group.live and group.cursors.get(log) == row - 1 for group in self.groups
        )

    def row_available(self, log: str, row: int, records: list[Record]) -> None:
        """A row is here, by signal, from our own writer or from the store. Follow with `ask`."""
        for group in self.groups:
            if group.live and group.cursors.get(log) == row - 1 and self._room_for(log) > 0:
                group.cursors[log] = row
                self.row_read(log, row, records, group.shards)

    def wants(self, known_rows: dict[str, int]) -> list[Want]:
        """What to read from the store: logs that are behind `known_rows`, if there is room.

        A log that is not in `known_rows` is asked for too: nobody told how far it is.
        """
        wanted: dict[str, int] = {}
        for group in self.groups:
            if not group.live:
                continue
            for log, at in group.cursors.items():
                if at < known_rows.get(log, at + 1) and self._room_for(log) > 0:
                    wanted[log] = min(wanted.get(log, at + 1), at + 1)
        return [Want(log, first) for log, first in sorted(wanted.items(), key=_urgent_first)]

    def former_wants(self) -> list[Want]:
        """Effect logs of former owners that may still grow: a row of theirs may land late."""
        wanted: dict[str, int] = {}
        for group in self.groups:
            for log, at in group.former.items() if group.live else ():
                wanted[log] = min(wanted.get(log, at + 1), at + 1)
        return [Want(log, first) for log, first in sorted(wanted.items())]

    def former_row(self, log: str, row: int, records: list[Record]) -> None:
        """A row of such a log stands. Follow with `ask`."""
        for group in self.groups:
            if group.live and group.former.get(log) == row - 1:
                group.former[log] = row
                for index, record in enumerate(records):
                    if record.shard in group.shards and isinstance(record, EffectRecord):
                        self._late(Place(log, row, index), record)

    def _late(self, place: Place, record: EffectRecord) -> None:
        """A row of a log that we had, too, when the shard was ours before may be our own now."""
        ours = self.shards[record.shard].epoch
        if not isinstance(record, Intent | End) or record.epoch != ours:
            self.late_effect(place, record)

    def _room_for(self, log: str) -> int:
        """Urgent lanes may use a reserve that others may not."""
        return self.due_room if ".urgent" in log else self.room

    @property
    def due_room(self) -> int:
        """How many more may be taken up that are due, or urgent: they have a reserve, so that they
        need not wait until everything was read that stands in the logs."""
        return self.room + self.limits.open_messages_max // 10

    # The open set

    def due_wants(self, now_ms: int, lead_ms: int) -> list[DueWant]:
        """What to read of the open set now: shards that were read equally far, up to soon.

        From here on `due_asked` says that the read was issued; answer with `due_rows` for each
        page and `due_done` at the end, also when the read failed.
        """
        until_ms = now_ms + lead_ms
        alike: dict[tuple[int, str], list[int]] = {}
        for group in self.groups:
            for shard in group.shards if group.live and self.due_room > 0 else ():
                if shard not in self._due_busy and self.due_read[shard][0] < until_ms:
                    alike.setdefault(self.due_read[shard], []).append(shard)
        for shards in alike.values():
            self._due_busy.update(shards)
            for shard in shards:
                self.due_asked[shard] = max(self.due_asked[shard], until_ms)
        return [
            DueWant(shards, [self.shards[s] for s in shards], after, until_ms)
            for after, shards in alike.items()
        ]

    def due_rows(self, rows: list[tuple[int, OpenEntry]]) -> None:
        """A page of entries with their buckets. Follow with `ask`."""
        for bucket, entry in rows:
            self.opened_entry(entry, bucket)

    def due_done(self, want: DueWant, upto: tuple[int, str]) -> None:
        """The shards of `want` were read up to there; not further if there was no room."""
        for shard, held in zip(want.shards, want.held, strict=True):
            if self.shards.get(shard) is held:
                self._due_busy.discard(shard)
                self.due_read[shard] = max(self.due_read[shard], upto)

    # Time

    def tick(self, now_ms: int) -> None:
        """Each fraction of a second: offer again what is due, write down what is to be parked.

        Many that are due at the same moment are taken in parts, so that no turn becomes long.
        """
        self.write_parked()
        for _ in range(self.limits.due_at_once_max):
            if not self._timers or self._timers[0][0] > now_ms:
                break
            _, _, msg = heappop(self._timers)
            waits = msg.phase is Phase.WAITING or msg.phase is Phase.AWAITING
            if waits and msg.due_ms <= now_ms and self.msgs.get(msg.id) is msg:
                self.again(msg, now_ms)

    def sweep(self, now_ms: int, most: int | None = None) -> bool:
        """End what has expired, set aside what waits for too long; `most` messages at a time, so
        that a great many do not hold up what comes meanwhile. Whether all were looked at.

        When memory is short, what was offered last goes to the open set, so that a provider that
        is away does not keep what others could send in the log.
        """
        if not self._to_sweep:
            # The same list each time: the collector walks a new one as long as memory is full.
            self._to_sweep.extend(self.msgs.values())
        at = 0 if most is None else max(0, len(self._to_sweep) - most)
        part = self._to_sweep[at:]
        del self._to_sweep[at:]
        wanted = self.limits.open_messages_max // 8
        short = self.room < wanted // 2
        too_many = wanted - self.room if short else 0
        for msg in reversed(part):
            if self.msgs.get(msg.id) is not msg:
                continue
            if msg.phase in IDLE:
                self.expire_idle(msg, now_ms)
                patience_ms = SHORT_WAIT_MS if too_many > 0 else self.limits.park_waiting_ms
                if self._waited(msg, patience_ms, now_ms):
                    self.set_aside(msg, now_ms)
                    too_many -= 1
            elif msg.phase is Phase.AWAITING:
                self._await_elsewhere(msg, short, now_ms)
        return not self._to_sweep

    def _await_elsewhere(self, msg: Msg, short: bool, now_ms: int) -> None:
        """Evidence comes soon or not for long: what still waits for it leaves the memory."""
        assert msg.message is not None
        msg.due_ms = msg.message.escalate_at_ms
        lasts = msg.due_ms - now_ms >= self.limits.park_after_ms
        lingered = now_ms - msg.offered_ms >= self.limits.await_in_memory_ms
        if now_ms >= msg.due_ms:
            self.again(msg, now_ms)
        elif msg.accept is not None and (short or (lasts and lingered)):
            self.leave_sent(msg)

    @staticmethod
    def _waited(msg: Msg, least_ms: int, now_ms: int) -> bool:
        """Whether it has been waiting for a provider for so long."""
        return msg.phase is Phase.OFFERED and now_ms - msg.offered_ms >= least_ms

    # Floors

    def floor_parts(self, own_effects: dict[str, int]) -> list[FloorPart]:
        """This owner's floor now; `own_effects` are the last durable rows of its effect logs.

        The last entry of a shard that was given up stays: who takes it over may not have read it.
        """
        self._merge_groups()
        parts: list[FloorPart] = []
        for group in self.groups:
            effects = {**group.former, **own_effects}
            closed = tuple(sorted(group.closed))
            read = dict.fromkeys(group.shards, (group.cursors, closed))
            parts += self.floor(read, effects)
            self._close_logs(group)
        for part in parts:
            self._last_parts[part.shards[0][0]] = part
        given_up = [part for shard, part in self._last_parts.items() if shard not in self.shards]
        return merge_parts(parts + given_up)

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
