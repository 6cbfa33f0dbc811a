"""At the end: nothing lost, nothing open, every end written where it is asked for."""

from core.contract.ids import mint_derived
from core.sim.checks.journal import Journal, home_and_shard
from core.sim.history import History, Submitted, ViolationError
from core.sim.plan import Plan
from core.views.segments import decode_rows
from sync.lattice import ENDED
from sync.owner.follow import Reached, follow_up
from sync.records import ById, Cancel, End, Intent, Message, Outcome, Receipt

SKEW_MS = 500
ENDPOINT_ID = "ep"


class Ends:
    """Looks once, when everything had its time."""

    def __init__(self, journal: Journal, history: History, plan: Plan) -> None:
        self._journal = journal
        self._history = history
        self._plan = plan

    def unended(self) -> str:
        """A message that stands in a log and has no end yet, "" if there is none."""
        for submitted in self._history.submitted:
            stands = any(type(r) is Message for _, r in self._journal.of("accept", submitted.id))
            if stands and self._journal.state(submitted.id) not in ENDED:
                return submitted.id
        return ""

    def parked(self) -> str:
        """A message that is taken up from the open set later, "" if there is none."""
        for message_id in self._journal.waiting():
            known = self._journal.by_id(message_id)
            if known is None or not known.ended:
                return message_id
        return ""

    def last_due_ms(self) -> int:
        """When the last message that waits in the open set is due, 0 if none waits."""
        last_ms = 0
        for message_id in self._journal.waiting():
            entry, known = self._journal.entry(message_id, 0), self._journal.by_id(message_id)
            if entry is not None and (known is None or not known.ended):
                last_ms = max(last_ms, entry.due_ms)
        return last_ms

    def final(self) -> None:
        """Faults are over and everything had its time."""
        views = self._viewed()
        for submitted in self._history.submitted:
            stored = self._stored(submitted)
            if stored:
                self._ended(submitted.id)
                self._behind(submitted.id, views.get(submitted.id, set()))
            self._chain(submitted.id)
            self._times(submitted.id)
        self._receipts()

    def _stored(self, submitted: Submitted) -> bool:
        bodies = {
            self._history.text_of(record)
            for _, record in self._journal.of("accept", submitted.id)
            if type(record) is Message
        }
        if submitted.accepted and submitted.body not in bodies:
            raise ViolationError("accepted_lost", f"{submitted.id} {submitted.body!r}")
        return bool(bodies)

    def _viewed(self) -> dict[str, set[str]]:
        """The statuses with which each message stands in its tenant's lists."""
        found: dict[str, set[str]] = {}
        for segment in self._journal.views:
            for row in decode_rows(segment.body) if segment.part.startswith("t/") else ():
                found.setdefault(row.id, set()).add(row.status)
        return found

    def _ended(self, message_id: str) -> None:
        state, known = self._journal.state(message_id), self._journal.by_id(message_id)
        if state not in ENDED:
            raise ViolationError("lost", f"{message_id} stays {state}: {known}")
        if known is None or not known.ended:
            raise ViolationError("lost", f"{message_id} is {state}, its by-id row says {known}")
        if known.state != state:
            raise ViolationError("by_id_differs", f"{message_id} is {state}, by id {known}")
        for place, record in self._journal.of("accept", message_id):
            if type(record) is Message and known.accept is None:
                raise ViolationError("lost", f"{message_id}: no pointer to {place}")
        self._conflicts(message_id, known)

    def _conflicts(self, message_id: str, known: ById) -> None:
        """Each body but the one that is fixed is shown as a conflict."""
        copies = [(p, r) for p, r in self._journal.of("accept", message_id) if type(r) is Message]
        others = {r.body_hash for _, r in copies} - {known.body_hash}
        shown = {r.body_hash for p, r in copies if p in known.conflicts}
        if known.body_hash and others - shown:
            raise ViolationError("conflict_hidden", f"{message_id}: {copies}, by id {known}")

    def _behind(self, message_id: str, viewed_as: set[str]) -> None:
        state = self._journal.state(message_id)
        if state not in viewed_as:
            what = f"{message_id} is {state}, the views say {sorted(viewed_as)}"
            raise ViolationError("view_missing", what)
        if self._plan.events and message_id not in self._history.events:
            self._events_told(message_id, state)

    def _events_told(self, message_id: str, state: str) -> None:
        """An event of each thing that its records say."""
        home, shard = home_and_shard(message_id)
        wanted = {f"message.{state}"}
        accepts = self._journal.of("accept", message_id)
        for _, record in [*self._journal.of("effect", message_id), *accepts]:
            if type(record) is Receipt or (type(record) is Outcome and record.kind == "accepted"):
                wanted.add("message.sent")
            if type(record) is Receipt and record.status == "seen":
                wanted.add("message.seen")
        for kind in sorted(wanted):
            event = mint_derived(home, shard, b"event", message_id, ENDPOINT_ID, kind)
            if not self._journal.of("accept", event):
                what = f"{message_id} is {state}, nobody was told {kind}"
                raise ViolationError("event_lost", what)

    def _chain(self, message_id: str) -> None:
        """What had to follow the message stands, unless its chain was cancelled or over."""
        records = self._journal.of("accept", message_id)
        known = self._journal.by_id(message_id)
        fixed = known.accept if known else None
        message = next((r for p, r in records if p == fixed and type(r) is Message), None)
        canceled = any(type(r) is Cancel for _, r in records)
        if message is None or canceled or message_id in self._history.followed:
            return
        effects = [r for _, r in self._journal.of("effect", message_id)]
        took = any(type(r) is Outcome and r.kind == "accepted" for r in effects)
        receipts = [r for _, r in records if type(r) is Receipt]
        seen = any(r.status == "seen" for r in receipts)
        last = max((r.at_ms for r in effects if type(r) is End), default=message.escalate_at_ms)
        state = self._journal.state(message_id)
        facts = Reached(state, took or bool(receipts), seen)
        in_time = message.expires_ms - self._journal.ended_at_ms.get(message_id, 0) > SKEW_MS
        if in_time and follow_up(message, facts, False, last) == "now":
            raise ViolationError("chain_broken", f"{message_id} ended as {state} at {last}")

    def _times(self, message_id: str) -> None:
        """What names an accept row goes by the times of that one: it is the one that is shown."""
        accepts = dict(self._journal.of("accept", message_id))
        effects = [r for _, r in self._journal.of("effect", message_id)]
        expiries = [r.expires_ms for r in effects if type(r) is Intent]
        for record in effects:
            if not isinstance(record, Intent | End) or record.accept is None:
                continue
            named = accepts.get(record.accept)
            if type(named) is not Message:
                continue
            if isinstance(record, Intent):
                right = record.expires_ms == named.expires_ms
            elif record.state == "expired":
                right = record.at_ms >= min([named.expires_ms, *expiries])
            else:
                right = record.state != "skipped" or record.at_ms >= named.escalate_at_ms
            if not right:
                raise ViolationError("times_of_another", f"{record} does not go by {named}")

    def _receipts(self) -> None:
        for account, provider_id, _, message_id in self._history.acked:
            joined = any(
                type(r) is Receipt and r.provider_id == provider_id
                for _, r in self._journal.of("accept", message_id)
            )
            known = any(
                type(r) is Outcome and r.provider_id == provider_id and r.kind == "accepted"
                for _, r in self._journal.of("effect", message_id)
            )
            if known and not joined:
                what = f"{message_id}: {provider_id} of {account} was acknowledged, joined nowhere"
                raise ViolationError("receipt_lost", what)
