"""How often something may happen, also while the clock jumps."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from core.decide.gcra import Rate, left, take

rates = st.builds(Rate, per_second=st.floats(0.001, 10_000), burst=st.integers(1, 100))
starts = st.sampled_from([0.0, 1_000.0, 1_800_000_000.0])
steps = st.lists(st.floats(0, 5), max_size=200)


def spent(rate: Rate, tat: float, now: float) -> tuple[float, int]:
    """Take until it says no."""
    count = 0
    while not (taken := take(tat, now, rate))[1]:
        tat, count = taken[0], count + 1
    return tat, count


@given(rates, starts)
def test_a_fresh_one_gives_its_burst_and_no_more(rate: Rate, now: float) -> None:
    lost = 1 if now > 1e6 else 0  # to rounding: a float of that size is no finer than 0.2 us
    assert rate.burst - lost <= spent(rate, 0.0, now)[1] <= rate.burst


@given(rates, starts, steps)
def test_never_more_than_burst_and_rate_together(
    rate: Rate, start: float, passed: list[float]
) -> None:
    tat, now, taken = 0.0, start, 0
    for step in passed:
        now += step
        tat, wait = take(tat, now, rate)
        taken += not wait
    assert taken <= rate.burst + (now - start) * rate.per_second + 1


@given(rates, starts, st.integers(1, 100))
def test_after_the_wait_it_is_allowed(rate: Rate, now: float, cost: int) -> None:
    tat, _ = spent(rate, 0.0, now)
    same, wait = take(tat, now, rate, cost)
    assert same == tat
    if cost > rate.burst:
        assert wait == inf
    else:
        assert 0 < wait <= cost / rate.per_second + 0.001
        assert take(tat, now + wait, rate, cost)[1] == 0


@given(rates, starts, steps, st.floats(0, 1e6))
def test_a_jump_back_gives_no_second_burst_and_locks_nobody_out(
    rate: Rate, start: float, passed: list[float], back: float
) -> None:
    now = start + 1e6
    tat, _ = spent(rate, 0.0, now)
    now -= back
    assert take(tat, now, rate)[1] > 0
    tat, wait = take(tat, now, rate)
    assert wait <= 1 / rate.per_second + 0.001
    begun, taken = now, 0
    for step in passed:
        now += step
        tat, wait = take(tat, now, rate)
        taken += not wait
    assert taken <= (now - begun) * rate.per_second + 1


@given(rates, starts, st.integers(0, 100), st.floats(0, 10))
def test_left_says_how_many_would_pass(rate: Rate, now: float, used: int, passed: float) -> None:
    tat = 0.0
    for _ in range(used):
        tat, _ = take(tat, now, rate)
    now += passed
    assert abs(left(tat, now, rate) - spent(rate, tat, now)[1]) <= 1
