"""What reached providers: within the bound, in the order of epochs, of intents that stand.

Under each force number the bound holds for itself, and so does the order of epochs, where they are
of different regions: one that was given up may live, and go on until it hears of it. Regions that
joined come after all of them, and know what was sent (`joins`).
"""

from core.sim.checks.joins import Joins
from core.sim.checks.journal import Journal, home_and_shard
from core.sim.history import FirstByte, History, ViolationError
from core.sim.plan import Plan
from sync.forced import force_of
from sync.naming import attempt_name
from sync.records import Intent

SKEW_MS = 500


class Sends:
    """Looks at first bytes, in the order in which they arrived."""

    def __init__(self, journal: Journal, history: History, plan: Plan, joins: Joins) -> None:
        self._journal = journal
        self._history = history
        self._plan = plan
        self._joins = joins
        self._highest: dict[tuple[str, int], dict[tuple[int, str], int]] = {}
        self._checked = 0

    def look(self, now_ms: int) -> None:
        """At what came since the last look."""
        new = self._history.bytes[self._checked :]
        self._checked += len(new)
        for call in new:
            self._epoch_order(call)
            self._joins.may_call(call)
            intent = self._intent(call)
            self._bodies(call)
            self._bound(call)
            self._not_early(call, now_ms)
            self._not_suppressed(call, intent)

    def _epoch_order(self, call: FirstByte) -> None:
        highest = self._highest.setdefault(home_and_shard(call.id), {})
        for (force, region), last in highest.items():
            of_one = force == force_of(call.epoch) and not self._joins.alone(call.process)
            same = region == call.region or of_one
            same = same or self._joins.follows(force, call.process, call.region)
            if same and call.epoch < last:
                what = f"{call.id}: first byte of epoch {call.epoch} after one of epoch {last}"
                raise ViolationError("epoch_order", what)
        key = (force_of(call.epoch), call.region)
        highest[key] = max(highest.get(key, 0), call.epoch)

    def _intent(self, call: FirstByte) -> Intent:
        intent = self.intent_of(call)
        if intent is None:
            raise ViolationError("call_without_intent", f"{call.id}: attempt {call.attempt}")
        return intent

    def intent_of(self, call: FirstByte) -> Intent | None:
        """The intent of a call, if it stands."""
        for place, record in self._journal.of("effect", call.id):
            name = attempt_name(place.log, place.row, place.index)
            if type(record) is Intent and name == call.attempt:
                return record
        return None

    def _bodies(self, call: FirstByte) -> None:
        side = self._joins.side(call.process)
        bodies = {
            each.body
            for each in self._history.bytes
            if each.id == call.id and self._joins.side(each.process) == side
        }
        if len(bodies) > 1:
            raise ViolationError("two_bodies", f"{call.id}: {sorted(bodies)} went out")

    def _bound(self, call: FirstByte) -> None:
        message_id, side = call.id, self._joins.side(call.process)
        sent = self._history.sends(message_id)
        sends = [each for each in sent if self._joins.side(each.process) == side]
        self._bound_of_joined(call, sends)
        if len(sends) <= 1:
            return
        bodies = {each.body for each in sends}
        careful = any(
            each.at_most_once
            for each in self._history.submitted
            if each.id == message_id and each.body in bodies
        )
        if careful or len(sends) > 2:
            raise ViolationError("too_many_sends", f"{message_id}: {sends}")
        last = self.intent_of(sends[-1])
        if last is None or last.resend == 0:
            raise ViolationError("unmarked_duplicate", f"{message_id}: {sends}")

    def _bound_of_joined(self, call: FirstByte, sends: list[FirstByte]) -> None:
        """What owners sent who came before regions joined is known to the owner that sends now."""
        force = force_of(call.epoch)
        before = [
            each
            for each in self._history.sends(call.id)
            if force_of(each.epoch) < force
            and self._joins.follows(force, each.process, each.region)
        ]
        if not call.sent or not before:
            return
        intents = [self.intent_of(each) for each in before]
        again = any(intent is not None and intent.resend > 0 for intent in intents)
        last = self.intent_of(call)
        if last is None or last.resend == 0:
            raise ViolationError("unmarked_duplicate", f"{call.id}: {before}, then {sends}")
        if last.at_most_once or again or len(sends) > 1:
            raise ViolationError("too_many_sends", f"{call.id}: {before}, then {sends}")

    def _not_early(self, call: FirstByte, now_ms: int) -> None:
        due = [s.not_before_ms for s in self._history.submitted if s.id == call.id]
        if due and now_ms + SKEW_MS < min(due):
            raise ViolationError("sent_early", f"{call.id} was due at {due}")

    def _not_suppressed(self, call: FirstByte, intent: Intent) -> None:
        """The intent of a call came before its recipient was suppressed."""
        since = self._history.suppressed.get(call.id)
        if since is None:
            return
        if intent.at_ms > self._plan.start_ms + int(since * 1000) + SKEW_MS:
            raise ViolationError("sent_suppressed", f"{call.id}: {intent}, suppressed {since}")
