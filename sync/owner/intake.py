"""What the owner reads: messages, cancels and receipts, look-ups, and what came too early.

A message is looked up by id at quorum before its first intent, unless it is one that this owner
can know to be new. A copy with the same body is the same message (which of them counts: `copies`);
one with another body is a conflict. A cancel or a receipt of a message that is not in memory is
joined through its by-id row, or kept there where the message has not been seen yet.
"""

from sync.forced import force_of
from sync.lattice import RANK, overruled
from sync.naming import attempt_name, id_facts
from sync.owner.copies import another_counts, content_found, stand_in
from sync.owner.events import Events
from sync.owner.state import Limits, Lookup, Msg, Phase, Revive, WriteByIds
from sync.records import (
    ById,
    Cancel,
    EffectRecord,
    End,
    Intent,
    Message,
    Outcome,
    Place,
    Receipt,
    Record,
    decode_by_id,
)
from sync.store.port import ByIdRow


class Intake(Events):
    """The events of reading. Call `ask` after each group of rows."""

    def __init__(self, home: str, owner: str, limits: Limits) -> None:
        super().__init__(home, owner, limits)
        self._ready: list[Msg] = []

    def row_read(self, log: str, row: int, records: list[Record], shards: set[int]) -> None:
        """One row of an accept log; records of other shards than `shards` are passed over."""
        for index, record in enumerate(records):
            if record.shard not in shards:
                continue
            if type(record) is Message:
                self._message(record, Place(log, row, index))
            else:
                assert isinstance(record, Cancel | Receipt)  # what an accept log has besides
                self._event(record, Place(log, row, index))

    def _message(self, record: Message, place: Place) -> None:
        msg = self.find(record.id)
        if msg is not None:
            self._copy(msg, record, place)
            return
        facts = id_facts(record.id)
        spared = self.spared(record.id, facts, record.shard)
        msg = self.add(record.id, record.shard)
        msg.message, msg.accept = record, place
        self.hold_accept(msg, place)
        self._join_early(msg)  # at once: its look-up may not show a note that is just written
        self.remember(record.id, facts)
        if spared:
            self._ready.append(msg)
        else:
            self._asked.append(record.id)

    def _copy(self, msg: Msg, record: Message, place: Place) -> None:
        if msg.message is None:
            self._content(msg, record, place)
        elif place == msg.accept:
            if place not in msg.held:
                self.hold_accept(msg, place)
        elif record.body_hash == msg.message.body_hash:
            self.hold_accept(msg, place)
        else:
            self.hold_accept(msg, place)
            if not msg.fixed and record.stamp < msg.message.stamp:
                self._conflict(msg, msg.accept)
                msg.message, msg.accept = record, place
            else:
                self._conflict(msg, place)
        if msg.phase is Phase.ENDED:
            self.touch(msg)

    def _content(self, msg: Msg, record: Message, place: Place) -> None:
        """A message that was known from effects only: this is its body if they name it."""
        if not content_found(msg, place, record) and msg.body_hash:
            self._conflict(msg, place)
        self.hold_accept(msg, place)
        self._wake(msg)

    def _wake(self, msg: Msg) -> None:
        if msg.phase is Phase.STUCK and msg.message is not None:
            msg.phase = Phase.LOOKUP
            self._ready.append(msg)

    @staticmethod
    def _conflict(msg: Msg, place: Place | None) -> None:
        """The copy there has another body than the one that counts."""
        if place is not None and place not in msg.conflicts:
            msg.conflicts.append(place)

    # Look-ups

    def ask(self, now_ms: int) -> None:
        """After a group of rows: offer what is new, and look up the rest in one go."""
        ready, self._ready = self._ready, []
        for msg in ready:
            if msg.phase is Phase.LOOKUP and (msg.unsettled or RANK[msg.state] >= RANK["unknown"]):
                self.doubt(msg)
            elif msg.phase is Phase.LOOKUP:
                self.offer(msg, now_ms)
        if self._stirred:
            self._act_on_events(now_ms)
        if self._asked:
            asked, self._asked = self._asked, []
            self.out.append(Lookup(asked))

    def looked_up(self, ids: list[str], found: dict[str, ByIdRow], now_ms: int) -> None:
        """The by-id rows of these ids, as far as there are any."""
        noting: list[Msg] = []
        for message_id in ids:
            row = found.get(message_id)
            msg = self.find(message_id)
            if msg is None:
                self._early_looked_up(message_id, row)
            elif msg.phase is not Phase.LOOKUP:
                self._join_early(msg)
            elif row is None:
                self._not_known(msg, noting, now_ms)
            else:
                self._known(msg, row, noting, now_ms)
        if noting:
            self.out.append(WriteByIds([self.by_id_row(m) for m in noting], ("noted", noting)))

    def _not_known(self, msg: Msg, noting: list[Msg], now_ms: int) -> None:
        self._join_early(msg)
        if msg.effects:
            self._classify(msg, now_ms)
        elif msg.by_id == 0 and "-k" in msg.id[:18]:
            msg.phase = Phase.NOTING
            noting.append(msg)
        else:
            self.offer(msg, now_ms)

    def noted(self, msgs: list[Msg], now_ms: int) -> None:
        """The first by-id rows of keyed messages stand: they are free to send."""
        for msg in msgs:
            if msg.phase is Phase.NOTING and self.msgs.get(msg.id) is msg:
                msg.by_id = 1
                self.offer(msg, now_ms)

    def _known(self, msg: Msg, row: ByIdRow, noting: list[Msg], now_ms: int) -> None:
        known = decode_by_id(row.body)
        if known.ended:
            self._known_ended(msg, row, known)
            return
        msg.by_id = 1
        msg.cancel = msg.cancel or known.noted
        for place in known.conflicts:
            self._conflict(msg, place)
        self._keep_body(msg, known)
        self._join_early(msg)
        missing = self._missing(msg, known)
        if missing:
            msg.reviving = row
            self.out.append(Revive(msg.id, row, missing))
        elif self.homes_of is not None and known.accept is None and not msg.effects:
            msg.phase = Phase.NOTING  # the row has only what came early, and no other owner sees it
            noting.append(msg)
        else:
            self._classify(msg, now_ms)

    def _known_ended(self, msg: Msg, row: ByIdRow, known: ById) -> None:
        """A copy of a message that has its end, or one whose logs are read once more.

        What a lower force number knew of it is joined in a row of ours: owners of several may each
        have written down a part.
        """
        body_hash = msg.message.body_hash if msg.message else b""
        if body_hash and known.body_hash and body_hash != known.body_hash:
            if msg.accept not in known.conflicts:
                self._conflict(msg, msg.accept)
            msg.message = None
        if known.accept is not None:
            another_counts(msg, known.accept)
        msg.body_hash = known.body_hash
        msg.by_id = 2
        self._join_early(msg)
        news = bool(msg.conflicts or msg.receipts) or not (
            {p for p, _ in msg.effects} <= set(known.effects)
        )
        news = news or force_of(row.epoch) < force_of(self.shards[msg.shard].epoch)
        if news:
            msg.reviving = row
            self.out.append(Revive(msg.id, msg.reviving, self._missing(msg, known)))
        else:
            self.let_go(msg)
            self.drop(msg)

    @staticmethod
    def _keep_body(msg: Msg, known: ById) -> None:
        """What waits in the open set without any effect yet has fixed its body by that."""
        if msg.message is None or known.accept is None or known.effects or msg.effects:
            return
        if known.body_hash and known.body_hash != msg.message.body_hash:
            Intake._conflict(msg, msg.accept)
            msg.message, msg.accept, msg.body_hash = None, known.accept, known.body_hash
        elif not msg.fixed:
            another_counts(msg, known.accept)

    @staticmethod
    def _missing(msg: Msg, known: ById) -> list[Place]:
        have = {p for p, _ in msg.records}
        pointers = [*known.effects, *known.receipts]
        content = msg.accept or known.accept
        if msg.message is None and content is not None:
            pointers.append(content)
        return [p for p in pointers if p not in have]

    def revived(
        self, message_id: str, row: ByIdRow, records: list[tuple[Place, Record]], now_ms: int
    ) -> None:
        """The records that a by-id row points to were read: the message is whole again.

        An answer to a question that was asked for an earlier stay of the message in memory is
        passed over: it may have ended, and left, since that row was looked up.
        """
        known = decode_by_id(row.body)
        msg = self.find(message_id)
        if msg is None:
            early = self.early.get(message_id)
            if early is None or early.reviving is not row:
                return
            shard = int(message_id.partition("-")[2][1:4], 16)
            if shard not in self.shards:
                return
            msg = self.add(message_id, shard)
            msg.by_id = 2 if known.ended else 1
            msg.accept, msg.body_hash = known.accept, known.body_hash
            msg.reviving = row
        if row is not msg.reviving and row is not msg.seeking:
            return
        if row is msg.seeking:
            msg.seeking = None
        msg.cancel = msg.cancel or known.noted
        msg.followed = msg.followed or known.ended  # what had to follow stands since then
        self._join_early(msg)
        found = records or msg.spare is not None
        if msg.phase is not Phase.LOOKUP and not (msg.phase is Phase.STUCK and found):
            return
        self._take_records(msg, records)
        for place in known.conflicts:
            self._conflict(msg, place)
        if overruled(known, row.epoch, msg.effects):
            msg.by_id = 1
        elif RANK[known.state] > RANK[msg.state]:
            msg.state = known.state
        self._classify(msg, now_ms)

    def _take_records(self, msg: Msg, records: list[tuple[Place, Record]]) -> None:
        have = {p for p, _ in msg.records}
        for place, record in records:
            if type(record) is Message:
                if msg.message is None:
                    content_found(msg, place, record)
            elif place in have or record.id != msg.id:
                continue
            elif type(record) is Receipt:
                msg.receipts.append((place, record))
            else:
                assert isinstance(record, EffectRecord)  # by-id rows point to nothing else
                msg.effects.append((place, record))
        msg.effects.sort(key=lambda pair: (pair[0].log, pair[0].row, pair[0].index))

    def classify_all(self, msg: Msg) -> None:
        """Recompute what is unsettled, and which body is fixed, from the records."""
        msg.unsettled = {}
        closed = set()
        for _, record in msg.effects:
            if type(record) is Outcome and record.kind != "unknown":
                closed.add(record.attempt)
        proven = {r.attempt for _, r in msg.receipts}
        fixing: Intent | End | None = None
        for place, record in msg.effects:
            if type(record) is Intent:
                name = attempt_name(place.log, place.row, place.index)
                if name not in closed and name not in proven and place not in msg.late:
                    msg.unsettled[name] = record
            if isinstance(record, Intent | End) and record.accept is not None:
                fixing = record if fixing is None or record.epoch > fixing.epoch else fixing
        if fixing is not None:
            self._fix(msg, fixing)

    @staticmethod
    def _fix(msg: Msg, fixing: Intent | End) -> None:
        """The body that was fixed stays; a copy with another one that came first is a conflict."""
        msg.fixed, msg.body_hash = True, fixing.body_hash
        if msg.message is not None and msg.message.body_hash != fixing.body_hash:
            Intake._conflict(msg, msg.accept)
            msg.message = None
        if fixing.accept is not None:
            another_counts(msg, fixing.accept)

    def _classify(self, msg: Msg, now_ms: int) -> None:
        """A message that came with a history: ended, in doubt, or free to send.

        What may end it, or be told of it, is decided after its events were read once more: the
        former owner may have read, and told, more than stands in the rows that we have reached.
        """
        self.classify_all(msg)
        self.rejoin(msg)
        if msg.message is None and msg.sought_ms and msg.seeking is None:
            stand_in(msg)
        if msg.message is None and msg.accept is not None and not msg.sought_ms:
            self.seek(msg, now_ms)
        elif msg.message is None and msg.seeking is not None:
            return  # another look-up was answered before that question
        elif RANK[msg.state] >= RANK["unknown"] or msg.unsettled:
            self.doubt(msg)
        else:
            self.offer(msg, now_ms)
