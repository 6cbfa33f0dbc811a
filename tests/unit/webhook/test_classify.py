"""What an endpoint's answer means, and what is sent to it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.http import Answered, HttpResult, NotSent, Refused, Unknown, Withdrawn
from core.providers.port import Outcome, OutMessage
from core.providers.webhook.body import body_of
from core.providers.webhook.classify import outcome_of, retry_after_ms
from core.providers.webhook.settings import WebhookSettings

NOW_MS = 1_800_000_000_000  # Fri, 15 Jan 2027 08:00:00 GMT


def judged(result: HttpResult) -> Outcome:
    return outcome_of(result, "m1", NOW_MS, 5_000, 60_000)


def answered(status: int, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judged(Answered(status, named, b""))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, "accepted") for status in (200, 201, 202, 204, 299)),
        *((status, "retryable") for status in (300, 301, 302, 307, 308)),
        *((status, "retryable") for status in (400, 401, 403, 404, 405, 408, 422, 500, 503, 599)),
        *((status, "unknown") for status in (502, 504)),
        (410, "invalid_target"),
        (413, "permanent"),
        (429, "throttled"),
    ],
)
def test_statuses(status: int, kind: str) -> None:
    outcome = answered(status)
    assert outcome.kind == kind
    assert outcome.code == str(status)
    assert outcome.provider_id == ("m1" if kind == "accepted" else "")


@given(st.integers(100, 999))
def test_only_2xx_is_success(status: int) -> None:
    assert (answered(status).kind == "accepted") == (200 <= status < 300)


def test_an_answer_whose_body_broke_off_counts_by_its_status() -> None:
    assert judged(Answered(200, {}, b"", complete=False)).kind == "accepted"
    assert judged(Answered(500, {}, b"", complete=False)).kind == "retryable"


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (NotSent("why"), "not_sent"),
        (Refused("why"), "permanent"),
        (Unknown("why"), "unknown"),
        (Withdrawn(), "withdrawn"),
    ],
)
def test_what_the_client_says(result: HttpResult, kind: str) -> None:
    outcome = judged(result)
    assert outcome.kind == kind
    assert outcome.detail == ("" if kind == "withdrawn" else "why")


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        ("", 5_000),
        ("7", 7_000),
        ("0", 0),
        ("999999999999999999999", 60_000),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30_000),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Sat, 15 Jan 2028 08:00:30 GMT", 60_000),
        ("soon", 5_000),
        ("-5", 5_000),
    ],
)
def test_how_long_a_throttling_endpoint_is_left_alone(value: str, wait_ms: int) -> None:
    headers = {"retry_after": value} if value else {}
    assert answered(429, **headers) == Outcome(
        "throttled", code="429", detail="the endpoint asked to wait (429)", wait_ms=wait_ms
    )


def test_unavailable_with_a_time_is_throttling() -> None:
    assert answered(503, retry_after="9").kind == "throttled"
    assert answered(503).kind == "retryable"


@given(st.text(max_size=40))
def test_no_word_of_retry_after_breaks_anything(value: str) -> None:
    told = retry_after_ms(value, NOW_MS)
    assert told is None or told >= 0


def test_the_body_of_a_message() -> None:
    message = OutMessage(
        "m1.a.1", "https://e.example/", text="Grüße", subject="S", created_ms=NOW_MS + 7
    )
    assert json.loads(body_of(message, "m1")) == {
        "type": "message",
        "timestamp": "2027-01-15T08:00:00.007Z",
        "data": {"id": "m1", "text": "Grüße", "subject": "S"},
    }


def test_a_raw_body_goes_out_as_it_is() -> None:
    message = OutMessage("m1.a.1", "https://e.example/", text='{"type" : "x"}\n', raw=True)
    assert body_of(message, "m1") == b'{"type" : "x"}\n'


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "example.com", ""])
def test_settings_refuse_networks_that_are_none(network: str) -> None:
    with pytest.raises(ValueError, match=r"allow_networks"):
        WebhookSettings(allow_networks=(network,))
