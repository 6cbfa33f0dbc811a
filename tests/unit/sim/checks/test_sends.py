"""A key is sent under once, and once more only in doubt and marked; both bodies may be accepted."""

import pytest

from core.sim.checks.joins import Joins
from core.sim.checks.journal import Journal
from core.sim.checks.sends import Sends
from core.sim.history import FirstByte, History, Submitted, ViolationError
from core.sim.plan import plan_of
from core.sim.store.replicas import Replicas
from core.sim.store.rows import Rows
from core.sim.trace import Trace
from sync.forced import PLAIN, Forced, Ruling, epoch_of
from sync.naming import attempt_name, effect_log
from sync.records import Intent, Place, encode
from sync.store.port import PutRow

KEY = "eu-k001" + "a" * 26
LOG = effect_log("eu", "urgent", "euc1", 0)
PLAN = plan_of(0)
REPLICAS = Replicas(["eu", "us", "ap"], 1, None)


class Rulings:
    """Under which ruling each process lives: "c1" of a region that is alone, and "c2" later."""

    def under(self, process: str) -> Ruling:
        return {
            "usc1": Ruling(1, frozenset({"us"}), alone=True),
            "euc2": Ruling(2, frozenset({"eu", "us"})),
        }.get(process, PLAIN)


class Run:
    """A keyed message that was handed in in two regions, and what is sent of it."""

    def __init__(self, *bodies: str, careful: bool = False) -> None:
        self.history, self.journal = History(Trace()), Journal()
        self.joins = Joins(Rulings(), Rows(), REPLICAS)  # type: ignore[arg-type]
        self._sends = Sends(self.journal, self.history, PLAN, self.joins)
        self._rows = 0
        for region, body in zip(("eu", "us"), bodies, strict=True):
            asked = Submitted(KEY, body, careful, False, region)
            self.history.submitted.append(asked)
            self.history.accept(asked, region)

    def send(
        self,
        body: str,
        *,
        resend: int = 0,
        epoch: int = 1,
        sent: bool = True,
        process: str = "euc1",
    ) -> None:
        """An intent that stands, and its call; raises what the checker finds."""
        self._rows += 1
        accept = Place("accept.eu.urgent_local.euc1.0", 1, 0)
        intent = Intent(
            KEY, 1, epoch, accept, b"", "plain", "", 0, 0, False, 0, resend, PLAN.start_ms
        )
        self.journal.add(PutRow(LOG, self._rows, encode([intent])), 0, 0.0, PLAN.start_ms)
        attempt = attempt_name(LOG, self._rows, 0)
        call = FirstByte(1.0, KEY, epoch, "plain", "", body, attempt, process, process[:2], sent)
        self.history.bytes.append(call)
        self._sends.look(PLAN.start_ms)


def found(run: Run, body: str, *, resend: int = 0, epoch: int = 1, process: str = "euc1") -> str:
    with pytest.raises(ViolationError) as caught:
        run.send(body, resend=resend, epoch=epoch, process=process)
    return caught.value.checker


def test_a_request_repeated_in_two_regions_is_sent_once() -> None:
    run = Run("A", "A")
    run.send("A")
    assert found(run, "A") == "unmarked_duplicate"


def test_calls_that_were_refused_are_no_sends() -> None:
    run = Run("A", "A")
    run.send("A", sent=False)
    run.send("A", sent=False)
    run.send("A")


def test_once_more_is_allowed_where_it_is_marked() -> None:
    run = Run("A", "A")
    run.send("A")
    run.send("A", resend=1)
    assert found(run, "A", resend=1) == "too_many_sends"


def test_never_once_more_where_at_most_once_was_asked() -> None:
    run = Run("A", "A", careful=True)
    run.send("A")
    assert found(run, "A", resend=1) == "too_many_sends"


def test_of_two_bodies_that_were_both_accepted_one_is_sent() -> None:
    run = Run("A", "B")
    run.send("B")
    assert [asked.accepted for asked in run.history.submitted] == [True, True]
    assert found(run, "A", resend=1) == "two_bodies"


def test_a_former_owner_sends_nothing_after_the_next_one() -> None:
    run = Run("A", "A")
    run.send("A", epoch=2, sent=False)
    assert found(run, "A", epoch=1) == "epoch_order"


ALONE, JOINED = epoch_of(1, 1), epoch_of(2, 1)


def test_a_region_that_was_given_up_may_send_beside_the_one_that_is_alone() -> None:
    run = Run("A", "A")
    run.send("A")
    run.send("A", epoch=ALONE, process="usc1")
    run.send("A", sent=False)


def test_regions_that_joined_know_what_was_sent_before() -> None:
    run = Run("A", "A")
    run.joins.stands(Forced(2, ("eu", "us")), 9.0)
    run.send("A")
    run.send("A", epoch=ALONE, process="usc1")
    assert found(run, "A", epoch=JOINED, process="euc2") == "unmarked_duplicate"
    assert found(run, "A", epoch=JOINED, process="euc2", resend=1) == "too_many_sends"


def test_in_doubt_regions_that_joined_may_send_once_more() -> None:
    run = Run("A", "A")
    run.joins.stands(Forced(2, ("eu", "us")), 9.0)
    run.send("A", epoch=ALONE, process="usc1")
    run.send("A", epoch=JOINED, process="euc2", resend=1)


def test_nobody_of_before_sends_after_regions_that_joined() -> None:
    run = Run("A", "A")
    run.joins.stands(Forced(2, ("eu", "us")), 9.0)
    run.send("A", epoch=JOINED, process="euc2", sent=False)
    assert found(run, "A", epoch=ALONE, process="usc1") == "epoch_order"


def test_a_region_that_was_alone_and_did_not_join_is_for_itself() -> None:
    run = Run("A", "A")
    run.joins.stands(Forced(2, ("ap", "eu")), 9.0)
    run.send("A", epoch=JOINED, process="euc2")
    run.send("A", epoch=ALONE, process="usc1")


def test_nobody_of_before_acts_when_regions_have_joined() -> None:
    joins = Run("A", "A").joins
    joins.stands(Forced(2, ("eu", "us")), 9.0)
    joins.may_tell(KEY, "usc1", 8.9)
    joins.may_tell(KEY, "euc2", 9.1)
    with pytest.raises(ViolationError, match="acted_after_the_join"):
        joins.may_tell(KEY, "usc1", 9.1)
