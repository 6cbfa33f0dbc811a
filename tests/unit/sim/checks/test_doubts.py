"""Who ends a message as unknown, or counts a resend, is in doubt of a call that can have been."""

import pytest

from core.sim.checks.doubts import Doubts
from core.sim.checks.journal import Journal
from core.sim.history import ViolationError
from sync.forced import epoch_of
from sync.naming import attempt_name, effect_log
from sync.records import FloorPart, Intent, Place, encode
from sync.store.port import PutFloor, PutRow

MID = "eu-u001" + "a" * 23
FORMER, OWNER = "euc1", "usc2"


class Run:
    """Intents of two owners that come to stand, and floors of the second."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._doubts = Doubts(self._journal)
        self._rows = 0

    def intends(
        self, owner: str, epoch: int, at_s: float, names: tuple[str, ...] = (), resend: int = 0
    ) -> str:
        """The name of the attempt."""
        self._rows += 1
        log, accept = effect_log("eu", "urgent", owner, 0), Place("accept.eu.l.c.0", 1, 0)
        record = Intent(
            MID, 1, epoch, accept, b"", "plain", "", 0, 0, False, 0, resend, 0, names
        )  # fmt: skip
        write = PutRow(log, self._rows, encode([record]))
        self._journal.add(write, 0, at_s, 0)
        self._doubts.effects(write, at_s)
        return attempt_name(log, self._rows, 0)

    def begins(self, epoch: int, at_s: float) -> None:
        part = FloorPart(((1, epoch),), {}, {}, (), 0)
        self._doubts.floor_applied(PutFloor("eu", OWNER, encode([part])), at_s)

    def ends(self, epoch: int, *attempts: str) -> None:
        self._doubts.in_doubt(OWNER, MID, 1, epoch, attempts)


def test_an_intent_that_the_owner_read_is_a_reason() -> None:
    run = Run()
    read = run.intends(FORMER, 1, 4.0)
    run.begins(2, 5.0)
    late = run.intends(FORMER, 1, 6.0)
    run.ends(2, read, late)
    run.intends(OWNER, 2, 9.0, (read,), resend=1)


def test_one_that_came_to_stand_later_is_none() -> None:
    run = Run()
    run.begins(2, 5.0)
    late = run.intends(FORMER, 1, 6.0)
    with pytest.raises(ViolationError, match="doubt_of_nothing"):
        run.ends(2, late)
    with pytest.raises(ViolationError, match="doubt_of_nothing"):
        run.intends(OWNER, 2, 9.0, (late,), resend=1)


def test_the_next_owner_may_take_it_for_one() -> None:
    run = Run()
    run.begins(2, 5.0)
    late = run.intends(FORMER, 1, 6.0)
    run.begins(3, 7.0)
    run.ends(3, late)


def test_an_own_intent_is_a_reason() -> None:
    run = Run()
    run.begins(2, 5.0)
    run.ends(2, run.intends(OWNER, 2, 6.0))


def test_under_a_higher_force_number_any_intent_is_a_reason() -> None:
    run, epoch = Run(), epoch_of(1, 2)
    run.begins(epoch, 5.0)
    run.ends(epoch, run.intends(FORMER, 1, 6.0))
