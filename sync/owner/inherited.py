"""What comes to an owner otherwise than by being read: from the open set, from former owners, late.

A message that came by a takeover or from the open set is looked up by id before anything is done
with it. What a former owner wrote after its shard was taken over is known for what it is.
"""

from sync.forced import force_of
from sync.owner.copies import content_found
from sync.owner.intake import Intake
from sync.owner.state import Phase
from sync.records import EffectRecord, End, Intent, OpenEntry, Outcome, Place


class Inherited(Intake):
    """The events of what others left. Follow each with `ask`."""

    def effect_durable(self, place: Place, record: EffectRecord, now_ms: int) -> None:
        """An effect stands. Follow with `ask`.

        An answer may come when its message has ended and left the memory: it is looked up then. An
        intent may come to stand when its shard was lost, and perhaps taken again, since it was
        written: no call follows from that one.
        """
        msg = self.find(record.id)
        if msg is not None and type(record) is Intent and record is not msg.intending:
            self.late_effect(place, record)
        elif msg is not None:
            self.effect_stands(msg, place, record, now_ms)
        elif record.shard in self.shards and type(record) is Intent:
            self.late_effect(place, record)
        elif record.shard in self.shards:
            self.taken_over(record.id, record.shard, [(place, record)])
            self.look_up([record.id])

    def late_effect(self, place: Place, record: EffectRecord) -> None:
        """An effect of a former owner came to stand after its shard was taken over. Follow with
        `ask`.

        Whoever takes a shard over reads all effects of the former owners at quorum, and by then
        their leases are over. So what stands later was never followed by a call, or by a word: a
        late intent leaves nothing in doubt, and a late end ends nothing. A late outcome settles
        what it answers. Under a lower force number an owner may live on, so all of its counts.
        """
        msg = self.find(record.id)
        if msg is None:
            msg = self.add(record.id, record.shard)
            self._join_early(msg)
            self._asked.append(record.id)
        if all(known != place for known, _ in msg.effects):
            msg.effects.append((place, record))
        self.hold_effect(msg, place)
        if isinstance(record, Intent | End):
            if force_of(record.epoch) < force_of(self.shards[record.shard].epoch):
                self.classify_all(msg)
            else:
                msg.late |= {place}
        elif type(record) is Outcome and record.kind != "unknown":
            msg.unsettled.pop(record.attempt, None)
        self.rejoin(msg)
        if msg.phase is Phase.ENDED:
            self.touch(msg)
        else:
            self._stirred.append(msg)

    def look_up(self, ids: list[str]) -> None:
        """Look these up with the next `ask`."""
        self._asked += ids

    def opened_entry(self, entry: OpenEntry, bucket: int) -> None:
        """An entry of the open set is due soon: look it up, then it waits for its time.

        Of a message that is in memory it holds the bucket, until a by-id row that says ended
        stands. That such a row is being written is not enough. What the entry names as an effect
        and not as unsettled was settled, or came too late to count: its by-id row does not say so.
        """
        message = entry.message
        if message.shard not in self.shards:
            return
        known = self.find(message.id)
        if known is not None:
            if known.message is None and content_found(known, entry.accept, message):
                self._wake(known)  # it is whole here, whatever became of its row
            if known.bucket < 0 and (known.phase is not Phase.ENDED or known.by_id < 2):
                known.bucket = bucket
                self.marks.due.hold("due", known.shard, bucket)
            return
        msg = self.add(message.id, message.shard)
        msg.message, msg.accept = message, entry.accept
        msg.due_ms, msg.tries, msg.fixed, msg.by_id = entry.due_ms, entry.tries, True, 1
        msg.bucket = bucket
        msg.effects.extend(entry.unsettled)
        msg.late = frozenset(entry.effects).difference(place for place, _ in entry.unsettled)
        self.marks.due.hold("due", msg.shard, bucket)
        self._join_early(msg)
        self._asked.append(message.id)

    def taken_over(
        self, message_id: str, shard: int, effects: list[tuple[Place, EffectRecord]]
    ) -> None:
        """A message found in the effect logs of former owners: `look_up` before anything."""
        assert self.find(message_id) is None  # the shard, or the message, was just not here
        msg = self.add(message_id, shard)
        self._join_early(msg)
        for place, record in effects:
            msg.effects.append((place, record))
            self.hold_effect(msg, place)
        self.classify_all(msg)
