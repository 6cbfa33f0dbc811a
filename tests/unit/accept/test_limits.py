"""Tenants and recipients have their rates; what is told to wait may come then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accept.limits import Limits, RateLimits, rate_limits, recipient_refusal
from core.accept.shedding import Shedding, refused_at
from core.contract.sections.core import LimitsSettings
from core.decide.gcra import Rate

NOW_S = 1000.0
PHONE = "+447700900123"


def test_without_settings_nothing_is_limited() -> None:
    limits = Limits(rate_limits(LimitsSettings()))
    assert not limits.on
    for _ in range(100):
        assert limits.tenant_refusal("acme", 10_000, NOW_S) is None
        assert limits.recipient_wait_s("acme", PHONE, NOW_S) == 0


def test_a_tenant_over_its_rate_is_told_when_to_come_back() -> None:
    limits = Limits(RateLimits(Rate(2.0, 10)))
    assert limits.tenant_refusal("acme", 10, NOW_S) is None
    refused = limits.tenant_refusal("acme", 5, NOW_S)
    assert refused is not None
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert refused.headers == {"Retry-After": "3"}
    assert refused.extra == {"retry_after": 3}
    assert limits.tenant_refusal("other", 10, NOW_S) is None
    assert limits.tenant_refusal("acme", 5, NOW_S + 3) is None


def test_more_than_may_ever_come_at_once_is_told_so() -> None:
    refused = Limits(RateLimits(Rate(2.0, 10))).tenant_refusal("acme", 11, NOW_S)
    assert refused is not None
    assert refused.code == "rate_limited"
    assert not refused.headers
    assert "several requests" in refused.detail


def test_a_recipient_has_a_rate_with_each_tenant() -> None:
    settings = LimitsSettings(recipient_per_hour=60.0, recipient_burst=2)
    limits = Limits(rate_limits(settings))
    assert limits.on
    waits = [limits.recipient_wait_s("acme", PHONE, NOW_S) for _ in range(3)]
    assert waits == [0, 0, 60]
    assert limits.recipient_wait_s("other", PHONE, NOW_S) == 0
    assert limits.recipient_wait_s("acme", "+447700900124", NOW_S) == 0
    assert limits.recipient_wait_s("acme", PHONE, NOW_S + 60) == 0
    told = recipient_refusal(limits.recipient_detail, 60)
    assert (told.status, told.code, told.headers["Retry-After"]) == (429, "recipient_limited", "60")
    assert "60 messages an hour" in told.detail


def test_what_is_remembered_is_bounded_and_the_oldest_is_forgotten() -> None:
    limits = Limits(RateLimits(recipient=Rate(1 / 3600, 1), recipients_max=3))
    for name in "abc":
        assert limits.recipient_wait_s("t", name, NOW_S) == 0
    assert limits.recipient_wait_s("t", "a", NOW_S) > 0
    assert limits.recipient_wait_s("t", "d", NOW_S) == 0
    assert limits.recipient_wait_s("t", "b", NOW_S) > 0
    assert limits.recipient_wait_s("t", "a", NOW_S) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 6)), max_size=40))
def test_never_more_than_the_burst_and_the_rate(asked: list[tuple[float, int]]) -> None:
    limits = Limits(RateLimits(Rate(2.0, 6)))
    now_s, passed = NOW_S, 0
    for pause_s, messages in asked:
        now_s += pause_s
        refused = limits.tenant_refusal("acme", messages, now_s)
        if refused is None:
            passed += messages
            assert passed <= 6 + 2.0 * (now_s - NOW_S) + 0.01
        else:
            now_s += refused.extra["retry_after"]
            assert limits.tenant_refusal("acme", messages, now_s) is None
            passed += messages


AT = refused_at(LimitsSettings())


@pytest.mark.parametrize(
    ("load", "refused"),
    [
        (0.0, set()),
        (0.79, set()),
        (0.8, {"bulk"}),
        (0.94, {"bulk"}),
        (0.95, {"bulk", "transactional"}),
        (1.0, {"bulk", "transactional", "otp", "alert"}),
    ],
)
def test_bulk_is_refused_first_and_otp_last(load: float, refused: set[str]) -> None:
    by_pressure = Shedding(AT, 1000, lambda: load)
    by_waiting = Shedding(AT, 1000, lambda: 0.0)
    for name in AT:
        for told in (by_pressure.refusal(name, 0), by_waiting.refusal(name, int(load * 1000))):
            assert (told is not None) == (name in refused)
            if told is not None:
                assert (told.status, told.code) == (503, "overloaded")
                assert told.headers["Retry-After"]
