"""Edges in a run: they spool while no core is there, and hand over what they spooled."""

from collections.abc import Iterator
from functools import cache

import pytest
from msgspec.structs import replace

from core.sim.plan import Plan, plan_of
from core.sim.result import Result
from core.sim.run import simulate
from core.sim.steps import Step
from sync import spool
from sync.spool import Spool


def away_plan(may_spool: bool) -> Plan:
    """Ordinary messages, while all cores are away for some seconds; nothing else goes wrong."""
    plan = plan_of(4, "spools")
    asked = [
        replace(step, at_s=3.0 + step.at_s / 10, wish=replace(step.wish, spool=may_spool))
        for step in plan.steps
        if step.wish is not None and step.wish.body == "A"
    ]
    steps = (Step(2.5, "cores_away", "eu", length_s=5.0), *sorted(asked, key=lambda s: s.at_s))
    edge = replace(
        plan.edge, disk_fails=0.0, crash=0.0, refuses=0.0, entries_max=100, bytes_max=1_000_000
    )
    return replace(plan, steps=steps, edge=edge)


@cache
def ran(may_spool: bool) -> Result:
    return simulate(away_plan(may_spool))


def test_what_comes_while_all_cores_are_away_is_spooled_and_ends_in_a_log() -> None:
    result = ran(True)
    assert result.ok, result.violations
    assert result.faults["spooled"] > 3
    assert result.faults["spool handed over"] >= result.faults["spooled"]
    notes = result.trace.notes
    spooled = {note.message for note in notes if note.kind == "spooled"}
    assert spooled <= {note.message for note in notes if note.kind in ("told", "accept")}


def test_nothing_is_spooled_that_did_not_allow_it() -> None:
    result = ran(False)
    assert result.ok, result.violations
    assert "spooled" not in result.faults


def test_the_same_plan_comes_to_the_same_digest() -> None:
    assert simulate(away_plan(True)).digest == ran(True).digest


@pytest.fixture
def without_urgency(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(spool, "_URGENCY", {"urgent": 1, "normal": 0})
    yield


@pytest.mark.usefixtures("without_urgency")
def test_a_hand_over_that_is_not_by_urgency_is_found() -> None:
    assert [each.checker for each in simulate(away_plan(True)).violations] == ["spool_order"]


def test_an_entry_that_leaves_before_a_core_has_it_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Spool, "take", lambda self, _now_s: self._entries.clear() or [])
    assert [each.checker for each in simulate(away_plan(True)).violations] == ["spool_lost"]
