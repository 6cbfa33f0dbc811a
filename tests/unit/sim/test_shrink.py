"""Shrinking keeps what the violation needs, and nothing else that it can do without."""

from collections.abc import Callable
from itertools import count

import pytest

from core.sim.result import Result, Violation
from core.sim.shrink import Bound, shrink
from tests.unit.sim.runs import LOST, Plan, plan, result

OTHER = Violation("stuck", "eu-u2 is open", 3.0)


def kinds(found: Plan) -> list[str]:
    return [step.kind for step in found.steps]


def needs(*wanted: str) -> Callable[[Plan], Result]:
    def simulate(tried: Plan) -> Result:
        return result(LOST) if set(wanted) <= set(kinds(tried)) else result()

    return simulate


@pytest.mark.parametrize("wanted", [("e",), ("a", "h"), ("b", "e", "f"), ()])
def test_only_needed_steps_stay(wanted: tuple[str, ...]) -> None:
    found = shrink(plan(*"abcdefgh"), result(LOST), needs(*wanted))
    assert kinds(found.plan) == list(wanted)


def test_steps_after_the_violation_go_first() -> None:
    began = plan(*(str(number) for number in range(100)))
    found = shrink(began, result(LOST), needs("3"), Bound(runs=1))
    assert kinds(found.plan) == [str(number) for number in range(13)]


def test_violation_of_another_checker_is_not_kept() -> None:
    def simulate(tried: Plan) -> Result:
        return result(LOST) if "a" in kinds(tried) else result(OTHER)

    found = shrink(plan(*"abc"), result(LOST), simulate)
    assert kinds(found.plan) == ["a"]
    assert found.result.violations == [LOST]


def test_unneeded_rates_become_zero_and_times_stay() -> None:
    def simulate(tried: Plan) -> Result:
        return result(LOST) if tried.loss > 0 else result()

    found = shrink(plan("a"), result(LOST), simulate).plan
    assert (found.loss, found.drift, found.store.write_lost) == (0.1, 0.0, 0.0)
    assert (found.length_s, found.store.late_max_s) == (20.0, 3.0)


def test_step_that_only_a_rate_needed_goes_after_it() -> None:
    def simulate(tried: Plan) -> Result:
        return result(LOST) if tried.drift == 0.0 or "a" in kinds(tried) else result()

    assert kinds(shrink(plan("a"), result(LOST), simulate).plan) == []


def test_bound_on_runs() -> None:
    found = shrink(plan(*"abcdefgh"), result(LOST), needs("a", "c", "e", "g"), Bound(runs=5))
    assert found.runs == 5
    assert {"a", "c", "e", "g"} <= set(kinds(found.plan))


def test_bound_on_seconds() -> None:
    seconds = count()
    bound = Bound(seconds=4.0)
    found = shrink(
        plan(*"abcdefgh"), result(LOST), needs("a", "h"), bound, lambda: float(next(seconds))
    )
    assert 0 < found.runs <= 4


def test_plan_that_breaks_the_simulator_is_not_kept() -> None:
    def simulate(tried: Plan) -> Result:
        if "b" not in kinds(tried):
            raise KeyError("b")
        return result(LOST)

    assert kinds(shrink(plan(*"abc"), result(LOST), simulate).plan) == ["b"]


def test_result_is_that_of_the_plan() -> None:
    def simulate(tried: Plan) -> Result:
        found = result(Violation("lost", f"{len(tried.steps)} steps", 9.0))
        return found if tried.steps else result()

    found = shrink(plan(*"abcd"), result(LOST), simulate)
    assert len(found.plan.steps) == 1
    assert found.result.violations[0].what == "1 steps"
