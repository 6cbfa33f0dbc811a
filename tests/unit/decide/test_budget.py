"""Retries stay a share of first attempts, and a floor."""

from hypothesis import given
from hypothesis import strategies as st

from core.decide.budget import Budget, BudgetRules
from core.decide.window import SLOTS, Window

RULES = BudgetRules(0.2, 1.0, 10.0)
steps = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 50), st.integers(0, 50)), max_size=60)


@given(steps, st.floats(0, 1e9))
def test_never_more_than_the_share_and_the_floor(
    events: list[tuple[float, int, int]], now: float
) -> None:
    budget, begun = Budget(RULES), []
    for step, firsts, wished in events:
        now += step
        for _ in range(firsts):
            budget.first(now)
        retries = min(wished, budget.room(now))
        for _ in range(retries):
            budget.retry(now)
        begun.append((now, firsts, retries))
        inside = [(f, r) for at, f, r in begun if at > now - RULES.window_s * (1 - 1 / SLOTS)]
        within = [f for at, f, _ in begun if at > now - RULES.window_s * (1 + 1 / SLOTS)]
        most = RULES.share * sum(within) + RULES.floor_per_s * RULES.window_s
        assert not retries or sum(r for _, r in inside) <= most


def test_the_floor_is_there_without_any_first_attempt() -> None:
    budget = Budget(RULES)
    assert budget.room(0.0) == 10
    for _ in range(10):
        budget.retry(0.0)
    assert budget.room(5.0) == 0
    assert budget.room(11.0) == 10


def test_first_attempts_give_room() -> None:
    budget = Budget(RULES)
    for _ in range(100):
        budget.first(3.0)
    assert budget.room(3.0) == 30


@given(st.lists(st.tuples(st.floats(-20, 20), st.integers(0, 9), st.integers(0, 9)), max_size=80))
def test_a_window_is_never_below_nothing_and_forgets_everything(
    events: list[tuple[float, int, int]],
) -> None:
    window, now, latest, sums = Window(10.0), 1_000.0, 1_000.0, [0, 0]
    for step, first, second in events:
        now = max(0.0, now + step)
        latest = max(latest, now)
        window.add(now, first, second)
        sums = [sums[0] + first, sums[1] + second]
        assert first <= window.first <= sums[0]
        assert second <= window.second <= sums[1]
    window.pass_by(latest + 11.0)
    assert (window.first, window.second) == (0, 0)
