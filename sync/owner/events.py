"""Cancels and receipts: joined to their message, or kept until it is seen (PROTOCOL.md 3 and 8).

One that comes before its message, or when that is no longer in memory, is joined through the
message's by-id row, or written into it where the message has not been seen yet. A mark passes it
only then.
"""

from sync.lattice import RANK
from sync.naming import id_facts
from sync.owner.sending import IDLE, Sending
from sync.owner.state import Limits, Msg, Phase, Revive, WriteByIds
from sync.records import ById, Cancel, Outcome, Place, Receipt, Record, decode_by_id
from sync.store.port import ByIdRow


class Early:
    """Cancels and receipts of a message that was not seen yet. `held` are the rows they hold.

    `asked` while their look-up or their by-id row is under way; `reviving` is the row whose
    records are being read.
    """

    __slots__ = ("asked", "events", "held", "id", "reviving", "shard")

    def __init__(self, message_id: str, shard: int) -> None:
        self.id = message_id
        self.shard = shard
        self.events: list[tuple[Place, Cancel | Receipt]] = []
        self.held: list[Place] = []
        self.asked = False
        self.reviving: ByIdRow | None = None


class Events(Sending):
    """What is read of messages beside the messages themselves."""

    def __init__(self, home: str, owner: str, limits: Limits) -> None:
        super().__init__(home, owner, limits)
        self.early: dict[str, Early] = {}
        self._asked: list[str] = []
        self._stirred: list[Msg] = []

    def _event(self, record: Cancel | Receipt, place: Place) -> None:
        msg = self.find(record.id)
        if msg is not None:
            self.hold_accept(msg, place)
            self._join_event(msg, record, place)
            return
        early = self.early.get(record.id)
        if early is None:
            early = self.early[record.id] = Early(record.id, record.shard)
        if not early.asked:
            early.asked = True
            self._asked.append(record.id)
        early.events.append((place, record))
        early.held.append(place)
        self.marks.accept.hold(place.log, record.shard, place.row)

    def _join_early(self, msg: Msg) -> None:
        """Join what came before the message; the holds go over to it."""
        early = self.early.pop(msg.id, None)
        if early is None:
            return
        msg.held.extend(early.held)
        for place, record in early.events:
            self._join_event(msg, record, place)

    def _join_event(self, msg: Msg, record: Cancel | Receipt, place: Place) -> None:
        if type(record) is Cancel:
            msg.cancel = True
        elif type(record) is Receipt and all(p != place for p, _ in msg.receipts):
            msg.receipts.append((place, record))
            msg.unsettled.pop(record.attempt, None)
            if not self._plainly_delivered(msg, record):
                self.rejoin(msg)
        if msg.phase is Phase.ENDED:
            self.touch(msg)
            self.tell(msg)
        else:
            self._stirred.append(msg)

    @staticmethod
    def _plainly_delivered(msg: Msg, record: Receipt) -> bool:
        """The common case without the whole join: one id, accepted, delivered."""
        last = msg.effects[-1][1] if msg.effects else None
        if (
            record.status == "delivered"
            and type(last) is Outcome
            and last.provider_id == record.provider_id
            and last.attempt == record.attempt
        ):
            msg.state, msg.reason = "delivered", ""
            return True
        return False

    def event_seen(self, record: Record, place: Place) -> None:
        """A receipt or cancel was read ahead of the log's turn, before a verdict."""
        msg = self.msgs.get(record.id)
        if msg is not None and (type(record) is Cancel or type(record) is Receipt):
            self._join_event(msg, record, place)

    def _act_on_events(self, now_ms: int) -> None:
        """What cancels and receipts mean for messages still open."""
        stirred, self._stirred = self._stirred, []
        for msg in stirred:
            if msg.phase not in IDLE and msg.phase is not Phase.AWAITING:
                continue
            if RANK[msg.state] >= RANK["unknown"]:
                self.finish(msg, now_ms)
            elif msg.cancel and not msg.unsettled:
                why = "canceled before it was sent"
                self.end(msg, "canceled", "canceled", why, now_ms)
            elif msg.cancel and msg.phase is not Phase.REFUSED:
                self.doubt(msg)

    def _early_looked_up(self, message_id: str, row: ByIdRow | None) -> None:
        """A cancel or receipt of a message that is not in memory."""
        early = self.early.get(message_id)
        if early is None or early.shard not in self.shards:
            self.early.pop(message_id, None)
            return
        known = decode_by_id(row.body) if row else ById(b"", "accepted", False)
        if row is not None and (known.accept or known.effects):
            early.reviving = row
            accept = [known.accept] if known.accept else []
            self.out.append(Revive(message_id, row, [*accept, *known.effects, *known.receipts]))
            return
        cancel = known.noted or any(type(r) is Cancel for _, r in early.events)
        receipts = (*known.receipts, *(p for p, r in early.events if type(r) is Receipt))
        note = ById(b"", "accepted", False, None, (), tuple(dict.fromkeys(receipts)), cancel)
        written = self.stamped(message_id, early.shard, note)
        self.out.append(WriteByIds([written], ("early", early, len(early.held))))

    def early_durable(self, early: Early, count: int) -> None:
        """The first `count` of what came early stand in a by-id row: their rows may go.

        They stay in memory within bounds. What came meanwhile is looked up and written as well.
        """
        if self.early.get(early.id) is not early:
            return  # joined to its message meanwhile, or the shard is no longer ours
        for place in early.held[:count]:
            self.marks.accept.release(place.log, early.shard, place.row)
        del early.held[:count]
        early.asked = bool(early.held)
        if early.asked:
            self._asked.append(early.id)
        while len(self.early) > self.limits.early_max:
            oldest = next(iter(self.early.values()))
            if oldest.asked:
                break
            del self.early[oldest.id]
            self.remember(oldest.id, id_facts(oldest.id))  # the message itself must be looked up
