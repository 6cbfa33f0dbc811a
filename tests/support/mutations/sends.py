"""Sends, doubt and copies without one of their rules (PROTOCOL.md 5 and 6)."""

from contextlib import AbstractContextManager
from typing import Any

from msgspec.structs import replace

from core.decide.route import Decision
from core.engine.dispatch import Dispatcher
from core.engine.lanes import Group
from sync import doubt
from sync.owner import book, intake, owner, sending
from sync.owner.state import Changed, Msg, Offer, Phase
from sync.records import End, Intent, Message, Outcome, Place
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]
LATER_MS = 3_000


def copies_not_looked_up() -> Context:
    """Every message that was just read counts as new."""
    return patched((book.Book, "spared", lambda *_: True))


def body_not_fixed() -> Context:
    """The copy with the lowest accept stamp gives the body, whatever an intent named before."""
    copy = intake.Intake._copy

    def lowest(self: Any, msg: Msg, record: Message, place: Place) -> None:
        msg.fixed = False
        copy(self, msg, record, place)

    def unless_there(msg: Msg, fixing: Intent | End) -> None:
        if msg.message is None:
            msg.accept = fixing.accept

    return patched(
        (intake.Intake, "_copy", lowest), (intake.Intake, "_fix", staticmethod(unless_there))
    )


def times_of_the_copy_at_hand() -> Context:
    """The copy that was read gives the times, whichever counts."""

    def named_only(msg: Msg, place: Place) -> None:
        msg.accept = place

    return patched((intake, "another_counts", named_only))


def no_settles_older_doubt() -> Context:
    """A definite no of one call counts for the calls before it."""
    durable = sending.Sending._outcome_durable

    def settle(self: Any, msg: Msg, outcome: Outcome, now_ms: int) -> None:
        if outcome.kind in ("retryable", "throttled", "permanent"):
            msg.unsettled.clear()
        durable(self, msg, outcome, now_ms)

    return patched((sending.Sending, "_outcome_durable", settle))


def resends_not_counted() -> Context:
    """A message that was sent again may be sent again once more."""

    def judge(facts: doubt.Doubt) -> Any:
        blank = tuple((n, replace(i, resend=0)) for n, i in facts.unsettled)
        return doubt.judge(replace(facts, unsettled=blank))

    return patched((sending, "judge", judge))


def window_from_the_last_intent() -> Context:
    """The provider's window is counted from the last call with a key, not from the first."""

    def judge(facts: doubt.Doubt) -> Any:
        later = tuple((n, replace(i, first_ms=i.at_ms + LATER_MS)) for n, i in facts.unsettled)
        return doubt.judge(replace(facts, unsettled=later))

    return patched((sending.Sending, "_stale", lambda *_: False), (sending, "judge", judge))


def stale_key_repeated() -> Context:
    """The verdict to repeat a key is not looked at again when the call is made."""
    return patched(
        (sending.Sending, "_stale", lambda *_: False),
        (owner.Owner, "again", sending.Sending.offer),
    )


def end_told_before_it_stands() -> Context:
    """An end is told when it is decided, not when it is durable."""
    end = sending.Sending.end

    def tell(self: Any, msg: Msg, state: Any, *more: Any) -> None:
        end(self, msg, state, *more)
        told = Msg(msg.id, msg.shard)
        told.state, told.phase, told.message = state, Phase.ENDED, msg.message
        self.out.append(Changed(told))

    return patched((sending.Sending, "end", tell))


def cancel_during_a_call() -> Context:
    """A cancel ends a message although an attempt of it is not settled."""

    def act(self: Any, now_ms: int) -> None:
        stirred, self._stirred = self._stirred, []
        for msg in stirred:
            if msg.cancel and msg.phase is not Phase.LOOKUP:
                self.end(msg, "canceled", "canceled", "", now_ms)

    return patched((intake.Intake, "_act_on_events", act))


def sent_before_its_time() -> Context:
    """A message that is to be sent later is offered at once."""

    def schedule(self: Any, msg: Msg, *_: Any) -> None:
        msg.phase = Phase.OFFERED
        self.out.append(Offer(msg))

    return patched((sending.Sending, "_schedule", schedule))


def suppressions_not_asked() -> Context:
    """The intent is written without a look at the suppressions."""
    serve = Dispatcher._serve

    def blind(self: Dispatcher, group: Group, decision: Decision, most: int, now: float) -> int:
        self.hooks.suppressed = lambda _: ""
        return serve(self, group, decision, most, now)

    return patched((Dispatcher, "_serve", blind))


def turned_away_in_doubt() -> Context:
    """A message in doubt ends as suppressed, as if nothing of it could have been sent."""

    def turn_away(self: Any, msg: Msg, state: Any, *why: Any) -> None:
        if msg.phase is Phase.OFFERED:
            self.end(msg, state, *why)

    return patched((sending.Sending, "turn_away", turn_away))


SENDS = (
    Mutation("copies_not_looked_up", "5", "swarm", copies_not_looked_up),
    Mutation("body_not_fixed", "5", "copies", body_not_fixed),
    Mutation("times_of_the_copy_at_hand", "5", "copies", times_of_the_copy_at_hand),
    Mutation("no_settles_older_doubt", "6", "doubts", no_settles_older_doubt),
    Mutation("resends_not_counted", "6", "doubts", resends_not_counted),
    Mutation("window_from_the_last_intent", "6", "doubts", window_from_the_last_intent),
    Mutation("stale_key_repeated", "6", "doubts", stale_key_repeated),
    Mutation("end_told_before_it_stands", "4", "swarm", end_told_before_it_stands),
    Mutation("cancel_during_a_call", "8", "doubts", cancel_during_a_call),
    Mutation("sent_before_its_time", "6", "swarm", sent_before_its_time),
    Mutation("suppressions_not_asked", "6", "swarm", suppressions_not_asked),
    Mutation("turned_away_in_doubt", "6", "doubts", turned_away_in_doubt),
)
