"""What is journaled of a request: one record a recipient, the rest of its chain in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accept.limits import Limits, RateLimits
from core.accept.plan import Plan, answer_of, limited, plan_of
from core.accept.records import Recorder, times_of
from core.contract.frames import AcceptCall
from core.contract.ids import mint_unkeyed
from core.contract.pointers import FieldProblem
from core.contract.problems import ProblemError, decode_json
from core.contract.recipients import Rejected, channels_of
from core.contract.requests import NotificationRequest
from core.contract.rules import Rules, request_faults
from core.decide.gcra import Rate
from core.engine.payload import Step, decode_payload
from core.templates.rendered import Rendered
from sync.records import Message

NOW_MS = 1_800_000_000_000
EXPIRES_S = {"otp": 300, "alert": 3600, "transactional": 86_400, "bulk": 259_200}
RULES = Rules(10_000, 30 * 86_400, EXPIRES_S)
NO_LIMITS = Limits(RateLimits())
PHONE, OTHER, EMAIL = "+447700900123", "+447700900124", "a@b.com"
LATER = "2027-01-15T09:00:00Z"  # an hour after NOW_MS
LATER_MS = NOW_MS + 3600_000


def made(to: Any, **fields: Any) -> NotificationRequest:
    body = {"to": to, "content": {"text": "x", "subject": "y"}, **fields}
    return decode_json(json.dumps(body).encode(), NotificationRequest, max_depth=32)


def call(count: int, **fields: Any) -> AcceptCall:
    ids = [mint_unkeyed("local", 7, 1, bytes([number]) * 16) for number in range(count)]
    given: dict[str, Any] = {"rejected": [], **fields}
    return AcceptCall(1, "acme", None, "ntf_x", ids, ["GB"] * count, "trace", b"", **given)


def planned(
    request: NotificationRequest, count: int, limits: Limits = NO_LIMITS, **fields: Any
) -> Plan:
    plan = plan_of(call(count, **fields), request, RULES, NOW_MS)
    return limited("acme", request, plan, limits, 0.0)


def recorded(request: NotificationRequest, count: int) -> list[Message]:
    plan = planned(request, count)
    parts = {
        name: Rendered("t", 3, "en", f"text of {name}", f"subject of {name}", "")
        for name in channels_of(plan.recipients)
    }
    times = times_of(request, plan.send_at_ms, NOW_MS, EXPIRES_S, 300)
    recorder = Recorder(call(count), request, b"hash", parts, times, NOW_MS, b"")
    return [recorder.message(plan, place, place) for place in range(count)]


def test_a_chain_is_journaled_as_its_first_message() -> None:
    to = [{"phone": PHONE, "email": EMAIL}, {"email": EMAIL}]
    chain = made(to, channel=["sms", "email"], until="delivered", escalate_after=60)
    first, second = recorded(chain, 2)
    payload = decode_payload(first.payload)
    assert (payload.channel, payload.to, payload.country) == ("sms", PHONE, "GB")
    assert payload.text == "text of sms"
    assert payload.steps == (
        Step("email", EMAIL, "ZZ", "text of email", "subject of email", "", "t", 3, "en"),
    )
    assert (first.until, first.escalate_at_ms) == ("delivered", NOW_MS + 60_000)
    # Nothing follows the one that has no later channel.
    assert decode_payload(second.payload).steps == ()
    assert (second.until, second.escalate_at_ms) == ("", 0)
    assert (first.shard, first.accepted_ms, first.stamp, second.stamp) == (7, NOW_MS, 0, 1)


def test_a_chain_that_begins_elsewhere_knows_the_numbers_country() -> None:
    to = {"phone": PHONE, "email": EMAIL}
    (message,) = recorded(made(to, channel=["email", "sms"]), 1)
    payload = decode_payload(message.payload)
    assert (payload.channel, payload.country) == ("email", "ZZ")
    assert [(step.channel, step.country) for step in payload.steps] == [("sms", "GB")]


@pytest.mark.parametrize(
    ("fields", "until", "after_s"),
    [
        ({}, "sent", None),
        ({"until": "sent"}, "sent", None),
        ({"until": "sent", "escalate_after": 7}, "sent", 7),
        ({"escalate_after": 7}, "sent", 7),
        ({"until": "delivered"}, "delivered", 300),
        ({"until": "seen"}, "seen", 300),
        ({"until": "seen", "escalate_after": 7}, "seen", 7),
    ],
)
def test_when_the_next_channel_follows(
    fields: dict[str, Any], until: str, after_s: int | None
) -> None:
    to = {"phone": PHONE, "email": EMAIL}
    for send_at, begins_ms in ((None, NOW_MS), (LATER, LATER_MS)):
        request = made(to, channel=["sms", "email"], send_at=send_at, **fields)
        (message,) = recorded(request, 1)
        assert message.until == until
        assert message.escalate_at_ms == (begins_ms + after_s * 1000 if after_s else 0)


def test_each_channel_of_a_short_life_has_its_share() -> None:
    to = {"phone": PHONE, "email": EMAIL}
    otp = made(to, channel=["sms", "email"], until="delivered", **{"class": "otp"})
    (message,) = recorded(otp, 1)
    assert message.escalate_at_ms == NOW_MS + 150_000
    assert message.expires_ms == NOW_MS + 300_000


@pytest.mark.parametrize("fields", [{"class": "otp"}, {"expires_in": 300}])
def test_a_wait_that_would_end_after_the_message_is_refused(fields: dict[str, Any]) -> None:
    to = {"phone": PHONE, "email": EMAIL}
    for after_s, pointers in ((299, []), (300, ["/escalate_after"])):
        request = made(to, channel=["sms", "email"], escalate_after=after_s, **fields)
        errors, _ = request_faults(request, RULES, NOW_MS)
        assert [error.pointer for error in errors] == pointers


def test_expiry_counts_from_when_it_may_be_sent() -> None:
    to = {"phone": PHONE}
    (now,) = recorded(made(to, expires_in=60), 1)
    assert (now.not_before_ms, now.expires_ms) == (0, NOW_MS + 60_000)
    (later,) = recorded(made(to, expires_in=60, send_at=LATER), 1)
    assert (later.not_before_ms, later.expires_ms) == (LATER_MS, LATER_MS + 60_000)
    (past,) = recorded(made(to, **{"class": "otp"}, send_at="2001-01-01T00:00:00Z"), 1)
    assert (past.not_before_ms, past.expires_ms) == (0, NOW_MS + 300_000)
    assert past.urgent


def test_the_answer_has_every_recipient_in_its_place() -> None:
    request = made([{"phone": "1"}, {"phone": PHONE}, {"phone": OTHER}, {}, {"email": EMAIL}])
    told_by_edge = [Rejected(2, [FieldProblem("/to/2/phone", "no such number", "Check it.")])]
    plan = planned(request, 2, rejected=told_by_edge)
    answer = answer_of("ntf_x", plan, "accepted", "local")
    assert [(one.index, one.status) for one in answer.messages] == [
        (0, "rejected"),
        (1, "accepted"),
        (2, "rejected"),
        (3, "rejected"),
        (4, "accepted"),
    ]
    assert [answer.messages[1].id, answer.messages[4].id] == plan.ids
    wrong = [one.errors[0].pointer for one in answer.messages if isinstance(one.errors, list)]
    assert wrong == ["/to/0/phone", "/to/2/phone", "/to/3"]
    assert [one.address for one in plan.recipients] == [PHONE, EMAIL]


def test_ten_thousand_recipients_of_which_some_are_wrong() -> None:
    bad = set(range(5, 10_000, 271))
    assert len(bad) == 37
    to = [{"phone": "oops" if n in bad else f"+4477009{n:05}"} for n in range(10_000)]
    request = made(to)
    ids = [mint_unkeyed("local", 7, 1, number.to_bytes(16, "big")) for number in range(9963)]
    asked = AcceptCall(1, "acme", None, "ntf_x", ids, ["GB"] * 9963, "trace", b"")
    plan = plan_of(asked, request, RULES, NOW_MS)
    answer = answer_of("ntf_x", plan, "accepted", "local")
    assert [one.index for one in answer.messages] == list(range(10_000))
    assert {one.index for one in answer.messages if one.status == "rejected"} == bad


def test_another_number_of_ids_than_recipients_is_our_own_fault() -> None:
    with pytest.raises(ProblemError) as raised:
        planned(made([{"phone": PHONE}, {"phone": "1"}]), 2)
    assert raised.value.code == "internal"


def once_a_minute() -> Limits:
    return Limits(RateLimits(recipient=Rate(1 / 60, 1), recipients_max=100))


def test_a_recipient_over_its_limit_is_rejected_alone() -> None:
    request = made([{"phone": PHONE}, {"phone": OTHER}, {"phone": PHONE}, {"phone": "1"}])
    plan = planned(request, 3, once_a_minute())
    briefs = answer_of("ntf_x", plan, "accepted", "local").messages
    assert [one.status for one in briefs] == ["accepted", "accepted", "rejected", "rejected"]
    assert [one.code for one in briefs[2:]] == ["recipient_limited", "invalid_request"]
    assert briefs[2].retry_after == 60
    assert plan.ids == call(3).ids[:2]


def test_where_all_are_over_their_limit_the_request_waits() -> None:
    limits = once_a_minute()
    for to in ({"phone": PHONE}, [{"phone": PHONE}]):
        limits.recipient_wait_s("acme", PHONE, 0.0)
        with pytest.raises(ProblemError) as raised:
            planned(made(to), 1, limits)
        assert (raised.value.status, raised.value.code) == (429, "recipient_limited")
        assert raised.value.headers["Retry-After"] == "60"


@given(st.lists(st.sampled_from([PHONE, OTHER, "1", "+1"]), min_size=1, max_size=12))
def test_every_recipient_has_one_entry_whatever_came_of_it(numbers: list[str]) -> None:
    good = sum(number in (PHONE, OTHER) for number in numbers)
    request = made([{"phone": number} for number in numbers])
    try:
        plan = planned(request, good, once_a_minute())
    except ProblemError as error:
        assert error.status == 400
        assert not good
        return
    briefs = answer_of("ntf_x", plan, "accepted", "local").messages
    assert [one.index for one in briefs] == list(range(len(numbers)))
    for brief, number in zip(briefs, numbers, strict=True):
        first = numbers.index(number) == brief.index
        assert (brief.status == "accepted") == (first and number in (PHONE, OTHER))
