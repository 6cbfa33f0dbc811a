"""When an account is left alone, and how it is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from core.decide.breaker import FAILURES, Breaker, BreakerRules

RULES = BreakerRules(0.5, 20, 10.0, 10, 1.0, 60.0, 2)
failures = st.sampled_from(sorted(FAILURES))
works = st.sampled_from(["accepted", "permanent", "invalid_target", "throttled"])
steps = st.lists(st.tuples(st.floats(-5, 5), failures | works | st.just("withdrawn")), max_size=200)


def broken(breaker: Breaker, now: float) -> None:
    for _ in range(RULES.in_a_row):
        breaker.answered("unknown", False, now)
    assert breaker.state(now) == "open"


@given(st.lists(works | st.just("withdrawn"), max_size=100), st.floats(0, 1e9))
def test_what_speaks_of_messages_never_opens_it(kinds: list[str], now: float) -> None:
    breaker = Breaker(RULES)
    assert not any(breaker.answered(kind, False, now) for kind in kinds)
    assert breaker.room(now) is None


@given(failures)
def test_failures_in_a_row_open_it(kind: str) -> None:
    breaker = Breaker(RULES)
    told = [breaker.answered(kind, False, 5.0) for _ in range(RULES.in_a_row)]
    assert told == [False] * (RULES.in_a_row - 1) + [True]
    assert (breaker.state(5.0), breaker.room(5.0)) == ("open", 0)
    assert breaker.why


def test_a_share_of_failures_opens_it_once_enough_was_seen() -> None:
    breaker = Breaker(RULES)
    for number in range(RULES.calls_min - 1):
        assert not breaker.answered(("accepted", "retryable")[number % 2], False, 1.0)
    breaker.answered("retryable", False, 1.0)
    assert breaker.state(1.0) == "open"


def test_failures_that_are_long_past_do_not_count() -> None:
    breaker = Breaker(RULES)
    for number in range(100):
        breaker.answered(("accepted", "accepted", "retryable")[number % 3], False, number * 1.0)
    assert breaker.state(100.0) == "closed"


def test_half_open_lets_so_many_probes_through_and_a_success_closes_it() -> None:
    breaker = Breaker(RULES)
    broken(breaker, 0.0)
    assert breaker.room(0.9) == 0
    assert breaker.room(1.0) == RULES.probes
    assert [breaker.begun(), breaker.begun()] == [True, True]
    assert breaker.room(1.0) == 0
    assert breaker.answered("accepted", True, 1.2)
    assert breaker.room(1.2) is None
    assert not breaker.begun()
    assert not breaker.answered("unknown", True, 1.3), "the other probe is one failure now"


def test_a_failed_probe_opens_it_for_longer_each_time_up_to_the_cap() -> None:
    breaker, now, lengths = Breaker(RULES), 0.0, []
    broken(breaker, now)
    for _ in range(10):
        lengths.append(breaker.cool_down_s)
        now += breaker.left_s(now)
        assert breaker.state(now) == "half_open"
        probe = breaker.begun()
        assert breaker.answered("not_sent", probe, now)
    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_probe_that_was_never_made_gives_its_place_back() -> None:
    breaker = Breaker(RULES)
    broken(breaker, 0.0)
    assert breaker.state(1.0) == "half_open"
    for _ in range(10):
        breaker.dropped(breaker.begun())
        breaker.answered("withdrawn", breaker.begun(), 1.0)
    assert breaker.room(1.0) == RULES.probes


def test_answers_from_before_it_opened_say_nothing_of_the_probe() -> None:
    breaker = Breaker(RULES)
    broken(breaker, 0.0)
    breaker.answered("accepted", False, 0.5)
    assert breaker.state(0.5) == "open"
    breaker.state(1.0)
    breaker.answered("unknown", False, 1.0)
    assert breaker.state(1.0) == "half_open"


@given(steps, st.floats(0, 1e9))
def test_it_is_never_open_for_longer_than_the_cap_whatever_the_clock_does(
    events: list[tuple[float, str]], now: float
) -> None:
    breaker = Breaker(RULES)
    for step, kind in events:
        now = max(0.0, now + step)
        breaker.answered(kind, breaker.begun(), now)
        assert 0 <= breaker.left_s(now) <= RULES.longest_s + 5
        room = breaker.room(now)
        assert room is None or 0 <= room <= RULES.probes
        assert breaker.left_s(now) <= RULES.longest_s
