"""The checkers of a walk (PROTOCOL.md 13). Each raises `ViolationError` with its own name.

Some look at each write as it is applied, some at each first byte, the rest at the end, when faults
are over and everything had time to end.
"""

from sync.lattice import ENDED, RANK, gather
from sync.naming import attempt_name, log_name
from sync.owner.follow import Reached, follow_up
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
    Receipt,
    Record,
    State,
    decode_by_id,
    decode_floor,
    decode_open,
)
from sync.store.port import PutById, PutFloor, PutProviderIds, PutRow, Write
from tests.support.world.checks_behind import events_told, not_suppressed, viewed
from tests.support.world.history import FirstByte, History, ViolationError
from tests.support.world.plan import HOME, Plan
from tests.support.world.receipts import _segment
from tests.support.world.store import SimStore

SKEW_MS = 250
NO_SEND: frozenset[State] = frozenset({"canceled", "expired", "suppressed", "skipped"})


class Checks:
    """Looks at one run."""

    def __init__(self, store: SimStore, history: History, plan: Plan) -> None:
        self._store = store
        self._history = history
        self._plan = plan
        self._segments: set[str] = set()
        self._last_epoch: dict[int, int] = {}
        self._checked_bytes = 0
        store.on_applied = self.applied
        history.on_told = self.told
        history.on_follow = self.follow
        self._delivered_at: dict[str, float] = {}
        self._canceled_at: dict[str, float] = {}
        self._ended_at_ms: dict[str, int] = {}

    # While it runs

    def applied(self, write: Write) -> None:
        """A write of the store took effect."""
        if isinstance(write, PutProviderIds):
            self._segments |= {known.provider_id for known in _segment.decode(write.body)}
        elif isinstance(write, PutById):
            for row in write.rows:
                if decode_by_id(row.body).ended:
                    self._ended_at_ms.setdefault(row.id, self._store.wall_ms)
        elif isinstance(write, PutFloor):
            self.floor(write.owner, decode_floor(write.body))
        elif isinstance(write, PutRow) and write.log.startswith("effect"):
            self._after_first_floor(write)
        elif isinstance(write, PutRow):
            self._evidence(write)

    def _evidence(self, write: PutRow) -> None:
        for record in self._store.records[write.log][write.row]:
            if type(record) is Receipt and self.state(record.id) == "delivered":
                self._delivered_at.setdefault(record.id, self._store.now)
            elif type(record) is Cancel:
                self._canceled_at.setdefault(record.id, self._store.now)

    def follow(self, message: Message, read_from: float) -> None:
        """Something is about to follow the message: no evidence against it was there to read."""
        at = self._delivered_at.get(message.id)
        if message.until == "delivered" and at is not None and at < (read_from or self._store.now):
            what = f"{message.id} was delivered at {at}, its events were read from {read_from} on"
            raise ViolationError("escalated_on_evidence", what)
        at = self._canceled_at.get(message.id)
        if at is not None and at < (read_from or self._store.now):
            what = f"{message.id} was cancelled at {at}, its events were read from {read_from} on"
            raise ViolationError("followed_after_cancel", what)

    def _after_first_floor(self, write: PutRow) -> None:
        for record in self._store.records[write.log][write.row]:
            if isinstance(record, Intent | End) and self._highest(record.shard) < record.epoch:
                what = f"{type(record).__name__} of {record.id} in epoch {record.epoch}"
                raise ViolationError("before_first_floor", what)

    def told(self, message_id: str, state: State) -> None:
        """A state is told: the logs must say as much by now."""
        stands = self.state(message_id)
        if RANK[stands] < RANK[state]:
            what = f"{message_id} was told as {state}, what stands says {stands}"
            raise ViolationError("told_before_it_stands", what)

    def first_bytes(self) -> None:
        """What reached providers since the last look."""
        new = self._history.bytes[self._checked_bytes :]
        self._checked_bytes += len(new)
        for call in new:
            self._epoch_order(call)
            self._intent_stands(call)
            self._bodies(call)
            self._sends(call.id)
            self._not_early(call)
            effects, start_ms = self._of("effect", call.id), self._plan.start_ms
            not_suppressed(call, effects, self._history, start_ms, SKEW_MS)

    def _not_early(self, call: FirstByte) -> None:
        due = [s.not_before_ms for s in self._history.submitted if s.id == call.id]
        if due and self._store.wall_ms + SKEW_MS < min(due):
            raise ViolationError("sent_early", f"{call.id} was due at {due}")

    def _epoch_order(self, call: FirstByte) -> None:
        last = self._last_epoch.get(call.shard, 0)
        if call.epoch < last:
            what = f"{call.id}: first byte of epoch {call.epoch} after one of epoch {last}"
            raise ViolationError("epoch_order", what)
        self._last_epoch[call.shard] = call.epoch

    def _intent_stands(self, call: FirstByte) -> None:
        for place, record in self._of("effect", call.id):
            if type(record) is Intent and attempt_of(place) == call.attempt:
                return
        raise ViolationError("call_without_intent", f"{call.id}: attempt {call.attempt}")

    def _bodies(self, call: FirstByte) -> None:
        bodies = {b.body for b in self._history.bytes if b.id == call.id}
        if len(bodies) > 1:
            raise ViolationError("two_bodies", f"{call.id}: {sorted(bodies)} went out")

    def _sends(self, message_id: str) -> None:
        sends = self._history.sends(message_id)
        if len(sends) <= 1:
            return
        bodies = {b.body: b for b in sends}
        careful = any(
            s.at_most_once
            for s in self._history.submitted
            if s.id == message_id and s.body in bodies
        )
        if careful or len(sends) > 2:
            raise ViolationError("too_many_sends", f"{message_id}: {sends}")
        if sends[-1].resend == 0:
            raise ViolationError("unmarked_duplicate", f"{message_id}: {sends}")

    # Floors

    def floor(self, owner: str, parts: list[FloorPart]) -> None:
        """A floor took effect: a new owner that reads from it must find all that is open."""
        for part in parts:
            for shard, epoch in part.shards:
                if self._highest(shard) <= epoch:
                    self._accept_marks(shard, part)
                    self._effect_marks(shard, owner, part)

    def _highest(self, shard: int) -> int:
        floors = self._store.tables.floors(HOME).values()
        epochs = [e for b in floors for p in decode_floor(b) for s, e in p.shards if s == shard]
        return max(epochs, default=0)

    def _accept_marks(self, shard: int, part: FloorPart) -> None:
        for place, record in self._store.of_shard("accept", shard):
            if place.log not in part.closed and place.row > part.accept.get(place.log, 0):
                continue
            known = self.by_id(record.id)
            if type(record) is Message:
                found = known is not None and (
                    known.ended or self.entry(record.id, part.due) is not None
                )
            elif type(record) is Receipt:
                found = known is not None and place in known.receipts
            else:
                found = known is not None and (known.ended or known.noted)
            if not found:
                what = f"accept mark passed {type(record).__name__} {record.id} at {place}: {known}"
                raise ViolationError("floor_early", what)

    def _effect_marks(self, shard: int, owner: str, part: FloorPart) -> None:
        for place, record in self._store.of_shard("effect", shard):
            unread = -1 if log_name(place.log).incarnation == owner else 1 << 60
            if place.log not in part.closed and place.row > part.effect.get(place.log, unread):
                continue
            known = self.by_id(record.id)
            entry = self.entry(record.id, part.due)
            listed = known is not None and (known.ended or place in known.effects)
            if not listed and (entry is None or place not in entry.effects):
                what = f"effect mark passed {type(record).__name__} {record.id} at {place}: {known}"
                raise ViolationError("floor_early", what)
            if type(record) is Outcome and record.kind == "accepted":
                missing = {i for i in record.provider_id.split(",") if i not in self._segments}
                if missing:
                    what = f"effect mark passed {record.id} at {place}: {missing} is in no segment"
                    raise ViolationError("segment_missing", what)

    def entry(self, message_id: str, due: int) -> OpenEntry | None:
        """The open entry of the message that is found from bucket `due` on."""
        rows = self._store.tables.open.values()
        found = [r for r in rows if r.id == message_id and r.bucket >= due]
        return decode_open(max(found, key=lambda r: r.epoch).body) if found else None

    def by_id(self, message_id: str) -> ById | None:
        """What the by-id row of the highest epoch says."""
        row = self._store.tables.by_ids([message_id]).get(message_id)
        return None if row is None else decode_by_id(row.body)

    def _of(self, kind: str, message_id: str) -> list[tuple[Place, Record]]:
        shard = int(message_id.partition("-")[2][1:4], 16)
        return [pair for pair in self._store.of_shard(kind, shard) if pair[1].id == message_id]

    # At the end

    def parked(self) -> str:
        """A message that is taken up from the open set later, "" if there is none."""
        for row in self._store.tables.open.values():
            known = self.by_id(row.id)
            if known is None or not known.ended:
                return row.id
        return ""

    def unended(self) -> str:
        """A message that stands in a log and has no end yet, "" if there is none."""
        for submitted in self._history.submitted:
            stored = any(type(r) is Message for _, r in self._of("accept", submitted.id))
            if stored and self.state(submitted.id) not in ENDED:
                return submitted.id
        return ""

    def final(self) -> None:
        """Faults are over and everything had its time."""
        self.first_bytes()
        views = viewed(self._store)
        for submitted in self._history.submitted:
            stored = {r.payload for _, r in self._of("accept", submitted.id) if type(r) is Message}
            if submitted.accepted and submitted.body not in stored:
                raise ViolationError("accepted_lost", f"{submitted.id} {submitted.body!r}")
            if stored:
                self._ended(submitted.id)
                self._behind(submitted.id, views.get(submitted.id, set()))
            self._chain(submitted.id)
        for message_id in self._history.told:
            self._told(message_id)
        self._receipts()

    def state(self, message_id: str) -> State:
        """The join of everything that the logs say of the message."""
        records = [*self._of("effect", message_id), *self._of("accept", message_id)]
        return gather((p, r) for p, r in records if type(r) not in (Message, Cancel))[1]

    def _ended(self, message_id: str) -> None:
        state, known = self.state(message_id), self.by_id(message_id)
        if state not in ENDED:
            raise ViolationError("lost", f"{message_id} stays {state}: {known}")
        if known is None or not known.ended:
            raise ViolationError("lost", f"{message_id} is {state}, its by-id row says {known}")
        if known.state != state:
            raise ViolationError("by_id_differs", f"{message_id} is {state}, by id {known}")
        for place, record in self._of("accept", message_id):
            if type(record) is Message and known.accept is None:
                raise ViolationError("lost", f"{message_id}: no pointer to {place}")

    def _behind(self, message_id: str, viewed_as: set[str]) -> None:
        state, accepts = self.state(message_id), self._of("accept", message_id)
        if state not in viewed_as:
            what = f"{message_id} is {state}, the views say {sorted(viewed_as)}"
            raise ViolationError("view_missing", what)
        if self._plan.events and message_id not in self._history.events:
            shard = int(message_id.partition("-")[2][1:4], 16)
            records = [*self._of("effect", message_id), *accepts]
            events_told(message_id, state, records, self._store.of_shard("accept", shard))

    def _chain(self, message_id: str) -> None:
        """What had to follow the message stands, unless its chain was cancelled or over."""
        records = self._of("accept", message_id)
        known = self.by_id(message_id)
        fixed = known.accept if known else None
        message = next((r for p, r in records if p == fixed and type(r) is Message), None)
        canceled = any(type(r) is Cancel for _, r in records)
        if message is None or canceled or message_id in self._history.followed:
            return
        effects = [r for _, r in self._of("effect", message_id)]
        took = any(type(r) is Outcome and r.kind == "accepted" for r in effects)
        receipts = [r for _, r in records if type(r) is Receipt]
        seen = any(r.status == "seen" for r in receipts)
        last = max((r.at_ms for r in effects if type(r) is End), default=message.escalate_at_ms)
        state = self.state(message_id)
        facts = Reached(state, took or bool(receipts), seen)
        in_time = message.expires_ms - self._ended_at_ms.get(message_id, 0) > SKEW_MS
        if in_time and follow_up(message, facts, False, last) == "now":
            raise ViolationError("chain_broken", f"{message_id} ended as {state} at {last}")

    def _told(self, message_id: str) -> None:
        told = self._history.told[message_id]
        highest = 0
        for at, state, by in told:
            if RANK[state] < highest:
                raise ViolationError(
                    "told_went_back", f"{message_id}: {state} by {by} at {at}: {told}"
                )
            highest = max(highest, RANK[state])
            if state in NO_SEND and self._history.sends(message_id):
                sends = self._history.sends(message_id)
                raise ViolationError("told_but_sent", f"{message_id}: {state} at {at}: {sends}")
        if RANK[self.state(message_id)] < highest:
            raise ViolationError("told_went_back", f"{message_id}: the logs say less than {told}")

    def _receipts(self) -> None:
        for account, provider_id, _, message_id in self._history.acked:
            joined = any(
                type(r) is Receipt and r.provider_id == provider_id
                for _, r in self._of("accept", message_id)
            )
            known = any(
                type(r) is Outcome and r.provider_id == provider_id and r.kind == "accepted"
                for _, r in self._of("effect", message_id)
            )
            if known and not joined:
                what = f"{message_id}: {provider_id} of {account} was acknowledged, joined nowhere"
                raise ViolationError("receipt_lost", what)


def attempt_of(place: Place) -> str:
    """The name of the attempt whose intent stands here."""
    return attempt_name(place.log, place.row, place.index)
