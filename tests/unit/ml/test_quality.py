"""The decayed estimate of an account's success."""

from hypothesis import given
from hypothesis import strategies as st

from ml.quality import Quality

answers = st.lists(st.tuples(st.booleans(), st.floats(0, 1000)), max_size=50)


@given(answers)
def test_it_is_always_a_probability(seen: list[tuple[bool, float]]) -> None:
    quality = Quality(60.0)
    for good, at in seen:
        quality.seen(good, at)
        assert 0.0 < quality.success(at) < 1.0


@given(answers, st.floats(1000, 2000))
def test_a_failure_never_raises_it_and_a_success_never_lowers_it(
    seen: list[tuple[bool, float]], now: float
) -> None:
    quality = Quality(60.0)
    for good, at in sorted(seen, key=lambda pair: pair[1]):
        quality.seen(good, at)
    before = quality.success(now)
    quality.seen(True, now)
    raised = quality.success(now)
    assert raised >= before
    quality.seen(False, now)
    assert quality.success(now) <= raised


def test_old_evidence_fades_to_the_prior() -> None:
    quality = Quality(60.0)
    new = quality.success(0.0)
    for _ in range(100):
        quality.seen(False, 0.0)
    assert quality.success(0.0) < 0.1
    assert abs(quality.success(60.0 * 30) - new) < 0.01


def test_time_that_stands_still_or_goes_back_changes_nothing() -> None:
    quality = Quality(60.0)
    quality.seen(False, 100.0)
    assert quality.success(100.0) == quality.success(50.0)
