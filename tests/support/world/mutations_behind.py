"""Rules of chains, suppressions, parking, and of what is written behind, taken away one at a time.

As in `tests.support.world.mutations`: `BEHIND` are found by a few dozen seeds, `BEHIND_BY` names
the checkers that may find them.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from sync.owner import book, owner, parking, sending
from sync.owner.follow import FollowUp, Reached
from sync.owner.follow import follow_up as judged
from sync.owner.state import Msg, Phase, WriteByIds
from sync.records import Message
from sync.store.port import PutById
from tests.support.world.behind import SimBehind
from tests.support.world.history import History

Patch = pytest.MonkeyPatch


def events_after_the_row(patch: Patch) -> None:
    """The by-id row that lets go of a message does not wait for its events."""
    accept = SimBehind.accept

    def at_leisure(self: SimBehind, message: Message, then: Callable[[], None]) -> None:
        if message.id not in self._core.history.events:
            accept(self, message, then)
            return
        then()
        self._core.later(1.0, lambda: accept(self, message, lambda: None))

    patch.setattr(SimBehind, "accept", at_leisure)


def views_beside_the_row(patch: Patch) -> None:
    """The by-id row that lets go of a message does not wait for its views."""
    by_ids = SimBehind.by_ids

    def beside(self: SimBehind, command: WriteByIds, then: Callable[[], None]) -> None:
        self.put(PutById(command.rows), then)
        rest = WriteByIds([], command.token)
        self._core.later(0.5, lambda: by_ids(self, rest, lambda: None))

    patch.setattr(SimBehind, "by_ids", beside)


def suppressions_not_asked(patch: Patch) -> None:
    """The intent is written without a look at the suppressions."""
    patch.setattr(History, "is_suppressed", lambda *_: False)


def turned_away_in_doubt(patch: Patch) -> None:
    """A message in doubt ends as suppressed, as if nothing of it could have been sent."""

    def turn_away(self: Any, msg: Msg, state: Any, *why: Any) -> None:
        if msg.phase is Phase.OFFERED:
            self.end(msg, state, *why)

    patch.setattr(sending.Sending, "turn_away", turn_away)


def canceled_chain_goes_on(patch: Patch) -> None:
    """Another message follows one that was cancelled."""

    def follow_up(message: Message, facts: Reached, _: bool, now_ms: int) -> FollowUp:
        return judged(message, facts, False, now_ms)

    patch.setattr(book, "follow_up", follow_up)


def chain_stops_at_silence(patch: Patch) -> None:
    """Nobody looks after a message for which evidence is waited."""

    def await_evidence(self: book.Book, msg: Msg, now_ms: int) -> None:
        self._finish(msg, now_ms)

    patch.setattr(book.Book, "_await_evidence", await_evidence)


def parked_behind_the_reader(patch: Patch) -> None:
    """An entry may be due below what was read of the open set."""
    for name in ("_park", "parked"):
        patch.setattr(parking.Parking, name, _unread(getattr(parking.Parking, name)))


def _unread(step: Callable[[Any, Msg], None]) -> Callable[[Any, Msg], None]:
    def blind(self: Any, msg: Msg) -> None:
        was, self.due_asked = self.due_asked, defaultdict(lambda: -1)
        try:
            step(self, msg)
        finally:
            self.due_asked = was

    return blind


def awaiting_not_looked_after(patch: Patch) -> None:
    """A wait for evidence that is not over soon is left to the open set, wherever it is."""
    patch.setattr(owner.Owner, "_await_elsewhere", lambda *_: None)


BEHIND: dict[str, Callable[[Patch], None]] = {
    "events_after_the_row": events_after_the_row,
    "views_beside_the_row": views_beside_the_row,
    "suppressions_not_asked": suppressions_not_asked,
    "turned_away_in_doubt": turned_away_in_doubt,
    "canceled_chain_goes_on": canceled_chain_goes_on,
    "chain_stops_at_silence": chain_stops_at_silence,
    "parked_behind_the_reader": parked_behind_the_reader,
    "awaiting_not_looked_after": awaiting_not_looked_after,
}
BEHIND_BY = {
    "events_after_the_row": {"event_lost"},
    "views_beside_the_row": {"view_missing"},
    "suppressions_not_asked": {"sent_suppressed"},
    "turned_away_in_doubt": {"told_but_sent"},
    "canceled_chain_goes_on": {"followed_after_cancel"},
    "chain_stops_at_silence": {"chain_broken"},
    "parked_behind_the_reader": {"floor_early", "stuck"},
    "awaiting_not_looked_after": {"stuck", "chain_broken"},
}
