"""What follows a definite no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decide.retry import (
    MAY_PASS,
    STANDARD_WEBHOOKS_MS,
    Rules,
    after_refusal,
    rules_of,
)

RULES = Rules(500, 300_000, 0.2)
kinds = st.sampled_from(sorted(MAY_PASS | {"permanent", "invalid_target"}))


@given(
    kinds,
    st.integers(0, 1000),
    st.integers(0, 10_000),
    st.booleans(),
    st.floats(0, 1, exclude_max=True),
)
def test_a_pause_is_bounded_and_an_end_has_a_reason(
    kind: str, tries: int, wait_ms: int, others: bool, chance: float
) -> None:
    what = after_refusal(kind, tries, wait_ms, others, RULES, chance)
    if what.what == "end":
        assert what.reason in ("temporary", "permanent")
    else:
        assert 0 <= what.wait_ms <= max(RULES.longest_ms, wait_ms)


@given(st.floats(0, 1, exclude_max=True))
def test_pauses_grow(chance: float) -> None:
    pauses = [
        after_refusal("retryable", tries, 0, False, RULES, chance).wait_ms for tries in range(10)
    ]
    assert pauses == sorted(pauses)
    assert pauses[0] >= RULES.first_ms * (1 - RULES.jitter)


def test_what_the_target_is_cannot_pass() -> None:
    assert after_refusal("invalid_target", 0, 0, True, RULES, 0).what == "end"


def test_a_permanent_no_of_one_account_may_be_anothers_yes() -> None:
    assert after_refusal("permanent", 0, 0, True, RULES, 0).what == "other"
    assert after_refusal("permanent", 0, 0, False, RULES, 0).reason == "permanent"


def test_a_throttled_account_is_left_alone_for_as_long_as_it_asked() -> None:
    assert after_refusal("throttled", 0, 9_000, False, RULES, 0).wait_ms == 9_000


@pytest.mark.parametrize("kind", ["retryable", "throttled", "account_fault"])
def test_another_account_is_tried_at_once(kind: str) -> None:
    what = after_refusal(kind, 0, 0, True, RULES, 0)
    assert (what.what, what.wait_ms) == ("other", 0)


def test_what_may_pass_is_tried_until_the_message_expires() -> None:
    assert after_refusal("retryable", 1_000_000, 0, False, RULES, 0).what == "again"


def test_a_withdrawn_call_is_no_attempt_that_counts() -> None:
    assert after_refusal("withdrawn", 10_000, 0, False, RULES, 0).what == "again"


# Events for tenants' webhook endpoints


def test_an_event_has_the_schedule_of_standard_webhooks_and_then_ends() -> None:
    rules = rules_of("webhook", "event", RULES)
    pauses = []
    while (what := after_refusal("retryable", len(pauses), 0, False, rules, 0)).what == "again":
        pauses.append(what.wait_ms // 1000)
    hours = [2, 5, 10, 14, 20, 24]
    assert pauses == [5, 300, 1800, *(each * 3600 for each in hours)]
    assert (what.what, what.reason) == ("end", "temporary")


@given(st.integers(0, 8), st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
def test_an_endpoint_that_asks_for_a_longer_pause_has_it(
    tries: int, wait_ms: int, chance: float
) -> None:
    rules = rules_of("webhook", "event", RULES)
    what = after_refusal("throttled", tries, wait_ms, False, rules, chance)
    assert what.wait_ms >= wait_ms
    assert what.wait_ms >= STANDARD_WEBHOOKS_MS[tries] * (1 - RULES.jitter)


def test_other_messages_keep_the_usual_rules() -> None:
    assert rules_of("webhook", "", RULES) is RULES
    assert rules_of("sms", "event", RULES) is RULES
