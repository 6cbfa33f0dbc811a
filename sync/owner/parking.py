"""Parking: what is to be done later leaves the memory for the open set (PROTOCOL.md 3).

An entry holds the message whole. The message leaves the memory, and lets its rows go, once the
entry and then a by-id row that names all its records stand; whatever happened to it meanwhile
keeps it here.
"""

from zlib import crc32

from sync.lattice import RANK
from sync.naming import attempt_name
from sync.owner.book import Book
from sync.owner.state import Limits, Msg, Phase, WriteByIds, WriteOpen
from sync.records import Intent, OpenEntry, encode
from sync.store.port import OpenRow

LATE_MAX_MS = 10_000  # beyond how far ahead the open set is read while clocks go forward


class Parking(Book):
    """The events of parking."""

    def __init__(self, home: str, owner: str, limits: Limits) -> None:
        super().__init__(home, owner, limits)
        self._to_park: list[tuple[OpenRow, Msg]] = []
        self._leaving: list[tuple[Msg, int]] = []
        self._sealed_leaving: list[tuple[Msg, int]] = []

    def leave_sent(self, msg: Msg) -> None:
        """A message that was sent waits elsewhere for evidence, once its provider ids stand."""
        if msg.parking < 0:  # else an entry of it is still being written
            self._leaving.append((msg, len(msg.records)))

    def seal(self) -> None:
        """Also for those that wait elsewhere: their provider ids stand by the next flush."""
        super().seal()
        self._sealed_leaving, self._leaving = self._leaving, []

    def flush(self) -> None:
        """Park what was to leave by the last `seal`, unless more was heard of it since."""
        super().flush()
        leaving, self._sealed_leaving = self._sealed_leaving, []
        for msg, records in leaving:
            here = msg.phase is Phase.AWAITING and self.msgs.get(msg.id) is msg
            if here and msg.parking < 0 and len(msg.records) == records:
                self._park(msg)

    def _park(self, msg: Msg) -> None:
        assert msg.message is not None
        assert msg.accept is not None
        due_ms = min(msg.due_ms, msg.message.expires_ms)  # its end must not come late
        if msg.message.until and msg.message.escalate_at_ms:
            due_ms = min(due_ms, msg.message.escalate_at_ms)
        if self.due_asked[msg.shard] - due_ms > LATE_MAX_MS:
            msg.due_ms = due_ms  # the clock went back: behind what was read it would be late
            self._stay(msg)
            return
        msg.phase = Phase.PARKING
        msg.fixed = True
        epoch = self.shards[msg.shard].epoch
        due_ms = max(due_ms, self.due_asked[msg.shard] + 1)
        places = tuple(p for p, _ in msg.effects)
        unsettled = tuple(
            (place, record)
            for place, record in msg.effects
            if type(record) is Intent
            and attempt_name(place.log, place.row, place.index) in msg.unsettled
        )
        entry = OpenEntry(msg.message, msg.accept, due_ms, msg.tries, epoch, places, unsettled)
        msg.due_ms, msg.parking = due_ms, due_ms // self.limits.bucket_ms
        self.marks.due.hold("due", msg.shard, msg.parking)
        row = OpenRow(self.home, msg.shard, msg.parking, msg.id, epoch, due_ms, encode(entry))
        self._to_park.append((row, msg))

    def set_aside(self, msg: Msg, now_ms: int) -> None:
        """It waits for a provider for long, or memory is short: the open set has it for a while."""
        assert msg.phase is Phase.OFFERED  # so its content is at hand
        spread_ms = crc32(msg.id.encode()) % self.limits.set_aside_ms
        msg.due_ms = now_ms + self.limits.set_aside_ms + spread_ms
        self._park(msg)

    def write_parked(self) -> None:
        """Write the entries gathered since the last time."""
        if self._to_park:
            gathered, self._to_park = self._to_park, []
            self.out.append(WriteOpen([row for row, _ in gathered], [msg for _, msg in gathered]))

    def open_durable(self, msgs: list[Msg]) -> None:
        """The open entries stand; their by-id rows follow, then they may leave the memory."""
        here = [msg for msg in msgs if msg.parking >= 0 and msg.shard in self.shards]
        if here:
            for msg in here:
                msg.listed = msg.named
            rows = [self.by_id_row(msg) for msg in here]
            self.out.append(WriteByIds(rows, ("parked", here)))

    def parked(self, msg: Msg) -> None:
        """Entry and by-id row stand: the logs may forget it, the open set has it.

        Where the open set was read past its time meanwhile, perhaps before the entry stood, the
        message stays in memory and holds the bucket, so that a next owner reads it.
        """
        bucket, msg.parking = msg.parking, -1
        if bucket < 0 or msg.shard not in self.shards:
            return
        if msg.phase is not Phase.PARKING:  # ended meanwhile: its by-id row lets the bucket go
            if msg.bucket < 0:
                msg.bucket = bucket
            else:
                self.marks.due.release("due", msg.shard, bucket)
            if msg.phase is Phase.ENDED:
                self.touch(msg)
        elif msg.cancel or self._ended_meanwhile(msg):
            self.marks.due.release("due", msg.shard, bucket)
            self.wait_until(msg, 0)
        elif msg.named != msg.listed:  # a late answer or a copy came, which the row does not name
            self.marks.due.release("due", msg.shard, bucket)
            self._stay(msg)
        else:
            self.let_go(msg)
            if msg.due_ms <= self.due_asked[msg.shard]:
                msg.bucket = bucket
                self._stay(msg)
            else:
                self.marks.due.release("due", msg.shard, bucket)
                self.drop(msg)

    def _stay(self, msg: Msg) -> None:
        """It waits in memory for its time; what was sent waits there for evidence."""
        if RANK[msg.state] >= RANK["sent"]:
            msg.phase = Phase.AWAITING
        else:
            self.wait_until(msg, msg.due_ms)

    def _ended_meanwhile(self, msg: Msg) -> bool:
        """Whether it was sent, and is not parked to wait for evidence of more."""
        if RANK[msg.state] < RANK["sent"]:
            return False
        return msg.message is None or self.what_follows(msg, 0) != "wait"
