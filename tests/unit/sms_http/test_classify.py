"""What Twilio's answers mean, and what HTTP says where they say nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.http_answers import kind_of_status, scrubbed, wait_ms
from core.providers.sms_http.classify import outcome

SID = "SM0123456789abcdef0123456789abcdef"
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def error(code: int, status: int, message: str = "no") -> bytes:
    return msgspec.json.encode({"code": code, "message": message, "status": status})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, 20429, "throttled"),
        (400, 21611, "throttled"),
        (400, 30001, "throttled"),
        (400, 63017, "throttled"),
        (400, 21211, "invalid_target"),
        (400, 21614, "invalid_target"),
        (400, 30005, "invalid_target"),
        (400, 30006, "invalid_target"),
        (400, 21610, "permanent"),
        (400, 21617, "permanent"),
        (400, 30007, "permanent"),
        (400, 99999, "permanent"),
        (401, 20003, "account_fault"),
        (403, 20403, "account_fault"),
        (403, 99999, "account_fault"),
        (500, 20500, "retryable"),
        (503, 20503, "retryable"),
        (500, 99999, "retryable"),
        (504, 20504, "unknown"),
        (502, 21211, "unknown"),  # a gateway in between answered: it cannot know
    ],
)
def test_an_errors_code_goes_before_its_status(status: int, code: int, kind: str) -> None:
    found = outcome(status, error(code, status), 700)
    assert found.kind == kind
    assert found.wait_ms == (700 if kind == "throttled" else 0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "account_fault"),
        (400, "permanent"),
        (401, "account_fault"),
        (403, "account_fault"),
        (408, "unknown"),
        (413, "permanent"),
        (429, "throttled"),
        (500, "retryable"),
        (501, "unknown"),
        (502, "unknown"),
        (503, "retryable"),
        (504, "unknown"),
    ],
)
def test_without_a_code_the_status_decides(status: int, kind: str) -> None:
    assert outcome(status, b"<html>no</html>", 1).kind == kind
    assert kind_of_status(status) == kind


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ({"sid": SID, "status": "queued", "error_code": None}, "accepted", "queued"),
        ({"sid": SID, "status": "accepted"}, "accepted", "accepted"),
        ({"sid": SID, "status": "failed", "error_code": 21610}, "permanent", "21610"),
        ({"sid": SID, "status": "failed", "error_code": "30006"}, "invalid_target", "30006"),
        ({"sid": SID, "status": "queued", "error_code": 30001}, "throttled", "30001"),
        ({"sid": SID, "status": "undelivered"}, "permanent", "undelivered"),
        ({"sid": SID, "status": "canceled"}, "permanent", "canceled"),
        ({"code": 20003, "message": "Authenticate", "status": 401}, "account_fault", "20003"),
        ({"code": 99999, "message": "No", "status": 503}, "retryable", "99999"),
        ({"code": 99999, "message": "No"}, "permanent", "99999"),
        ({"sid": 7, "status": "queued"}, "unknown", "201"),
        ({"sid": "a,b", "status": "queued"}, "unknown", "201"),
        ({}, "unknown", "201"),
        ([], "unknown", "201"),
        ("OK", "unknown", "201"),
    ],
)
def test_an_error_under_a_good_status_is_an_error(said: Any, kind: str, code: str) -> None:
    found = outcome(201, msgspec.json.encode(said), 1)
    assert (found.kind, found.code) == (kind, code)
    assert found.provider_id == (SID if kind == "accepted" else "")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_success_that_is_not_the_apis_json_is_a_doubt(body: bytes) -> None:
    assert outcome(201, body, 1).kind == "unknown"


@given(st.integers(100, 599), st.binary(max_size=200))
def test_every_answer_has_a_meaning(status: int, body: bytes) -> None:
    found = outcome(status, body, 5)
    assert found.kind != "accepted" or 200 <= status < 300
    assert found.kind not in ("not_sent", "withdrawn")


def test_a_detail_holds_no_recipient() -> None:
    body = error(99999, 400, "The 'To' number +44 7700 900123 or ada@example.com is not valid")
    found = outcome(400, body, 1)
    assert found.detail == "The 'To' number (number) or (address) is not valid"
    assert scrubbed("call (0) 7700-900-123 now\r\n") == "call (0) (number) now"


@pytest.mark.parametrize(
    ("header", "ms"),
    [
        ("", 900),
        ("7", 7_000),
        (" 7 ", 7_000),
        ("0", 1),
        ("99999999", 60_000),
        ("Thu, 01 Jan 2026 00:00:05 GMT", 5_000),
        ("Thu, 01 Jan 2026 00:00:05 -0000", 5_000),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 1),
        ("soon", 900),
        ("-5", 900),
        ("1.5", 900),
        ("²", 900),
    ],
)
def test_retry_after_in_both_forms(header: str, ms: int) -> None:
    assert wait_ms(header, NOW_MS, 900, 60_000) == ms
