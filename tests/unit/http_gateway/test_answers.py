"""What a gateway's answers mean by the account's rules; pointers and patterns."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.http_gateway.classify import Classifier
from core.providers.http_gateway.pointer import Pattern, alike, as_text, find, is_missing
from core.providers.http_gateway.settings import HttpGatewaySettings
from core.providers.port import Outcome
from tests.support.gateways import JSON_GATEWAY, TEXT_GATEWAY


def outcome(base: dict[str, Any], status: int, body: Any, **changes: Any) -> Outcome:
    described = msgspec.convert({**base, **changes}, HttpGatewaySettings)
    written = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Classifier(described, ["s3cret/"]).outcome(status, written, 700)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"Code": "OK", "BizId": "9^0"}, "accepted"),
        (200, {"Code": "OK"}, "unknown"),  # without the id that it must have
        (200, {"Message": "OK"}, "unknown"),
        (200, b"<html>", "unknown"),
        (200, b"", "unknown"),
        (200, {"Code": "isv.BUSINESS_LIMIT_CONTROL"}, "throttled"),
        (200, {"Code": "isp.SYSTEM_ERROR"}, "retryable"),
        (200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL"}, "invalid_target"),
        (200, {"Code": "isv.ACCOUNT_ABNORMAL"}, "account_fault"),
        (200, {"Code": "isv.SOMETHING_NEW"}, "permanent"),
        (200, {"Code": None}, "permanent"),
        (200, {"Code": ["OK"]}, "permanent"),
        (500, {"Code": "OK", "BizId": "1"}, "retryable"),
        (502, b"", "unknown"),
        (429, b"", "throttled"),
        (401, b"", "account_fault"),
    ],
)
def test_an_error_under_200(status: int, body: Any, kind: str) -> None:
    found = outcome(JSON_GATEWAY, status, body)
    assert found.kind == kind
    assert found.provider_id == ("9^0" if kind == "accepted" else "")
    assert found.wait_ms == (700 if kind == "throttled" else 0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'Success "07033084-5cfd"\r\n', "accepted"),
        (200, b'Error "throughput exceeded"', "throttled"),
        (403, b'Error "throughput exceeded"', "throttled"),
        (403, b'Error "authentication failure"', "account_fault"),
        (400, b'Error "destination invalid"', "invalid_target"),
        (400, b'Error "content rejected"', "permanent"),
        (503, b'Error "try again later"', "retryable"),
        (200, b'Error "of a new kind"', "unknown"),
        (200, b'Success ""', "unknown"),
        (200, b"<html>Success</html>", "unknown"),
    ],
)
def test_plain_text(status: int, body: bytes, kind: str) -> None:
    found = outcome(TEXT_GATEWAY, status, body)
    assert found.kind == kind
    assert found.provider_id == ("07033084-5cfd" if kind == "accepted" else "")


@pytest.mark.parametrize(
    ("wait", "ms"),
    [(7, 7_000), ("1.5", 1_500), (0, 1), (10**12, 60_000), ("soon", 700), (-1, 700), ("nan", 700)],
)
def test_the_wait_may_stand_in_the_body(wait: Any, ms: int) -> None:
    rule = {"pointer": "/error", "equals": 13, "class": "throttled", "wait_pointer": "/again/0"}
    found = outcome(JSON_GATEWAY, 400, {"error": "13", "again": [wait]}, errors=[rule])
    assert (found.kind, found.wait_ms) == ("throttled", ms)


def test_the_first_rule_that_fits_decides() -> None:
    rules = [
        {"status": 400, "pointer": "/c", "in": [1, "2"], "class": "invalid_target"},
        {"status": 400, "class": "retryable"},
        {"status": 400, "class": "permanent"},
    ]
    for body, kind in (({"c": 2}, "invalid_target"), ({"c": 3}, "retryable"), (b"", "retryable")):
        assert outcome(JSON_GATEWAY, 400, body, errors=rules).kind == kind


def test_a_status_alone_can_be_success() -> None:
    plain = {"success": {"statuses": [204]}, "id": {}, "errors": [], "code": ""}
    assert outcome(JSON_GATEWAY, 204, b"", **plain).kind == "accepted"
    assert outcome(JSON_GATEWAY, 200, b"", **plain).kind == "unknown"


def test_details_hold_neither_secrets_nor_recipients() -> None:
    words = "no: token=s3cret%2F or s3cret/ for +447700900123"
    found = outcome(JSON_GATEWAY, 200, {"Code": "x", "Message": words})
    assert found.detail == "no: token=(secret) or (secret) for (number)"
    assert found.code == "x"


@given(st.integers(100, 599), st.binary(max_size=100) | st.just(b'{"Code":"OK","BizId":7}'))
def test_every_answer_has_a_meaning(status: int, body: bytes) -> None:
    for base in (JSON_GATEWAY, TEXT_GATEWAY):
        found = outcome(base, status, body)
        assert found.kind != "accepted" or status in (200, 201, 202)
        assert found.kind not in ("not_sent", "withdrawn")


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a/0/b~1c", 1), ("/m~0n", 2), ("/a/1", ""), ("/", 3), ("", {}), ("/a/x", None)],
)
def test_pointers(pointer: str, value: Any) -> None:
    document = {"a": [{"b/c": 1}, ""], "m~n": 2, "": 3}
    found = find(document, pointer)
    if pointer == "":
        assert found is document
    else:
        assert is_missing(found) if value is None else found == value


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(JSON, st.text())
def test_a_pointer_never_fails(document: Any, pointer: str) -> None:
    find(document, pointer)
    find({"a": document}, "/" + pointer)


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        ("1", 1, True),
        (1.0, "1", True),
        (True, "true", True),
        (None, None, True),
        (None, "", False),
        ("", None, False),
        ([], "", False),
        ({}, "", False),
    ],
)
def test_numbers_and_their_texts_are_alike(value: Any, wanted: Any, same: bool) -> None:
    assert alike(value, wanted) is same
    assert as_text([1]) == ""


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ('Success "{id}"', ' Success "abc-1"\n', "abc-1"),
        ('Success "{id}"', 'Success "a b"', None),
        ("ID: {id}*", "ID: 77 and more", "77"),
        ("{id}", "77", "77"),
        ("0: Accepted * {id}", "0: Accepted for delivery 9", None),
        ("0: Accepted for * {id}", "0: Accepted for delivery 9", "9"),
        ("id={id}&*", "id=5&x=1&y", "5"),
        ("a.c", "abc", None),
        ("*", "", ""),
        ("a*b*c", "a-b-b-c", ""),
        ("a*b", "a-b-c", None),
        ("a*bc*d", "abcbcxd", ""),
        ("line*two", "line\none\ntwo", ""),
    ],
)
def test_patterns(pattern: str, text: str, wanted: str | None) -> None:
    ready = Pattern(pattern)
    assert ready.fits(text) is (wanted is not None)
    if "{id}" in pattern:
        assert ready.wanted(text) == (wanted or "")


LITERAL = st.text("ab(.+\\", max_size=3)


@given(st.lists(LITERAL, min_size=1, max_size=4), st.lists(st.text("ab("), min_size=3, max_size=3))
def test_a_pattern_fits_what_was_made_from_it(literals: list[str], filled: list[str]) -> None:
    pattern = "*".join(literals)
    text = literals[0] + "".join(
        fill + literal for fill, literal in zip(filled, literals[1:], strict=False)
    )
    assert Pattern(pattern).fits(text)


def test_no_text_makes_a_pattern_slow() -> None:
    hostile = "a" * 4_000
    ready = Pattern("*a" * 100 + "*b")
    began = time.thread_time()
    assert not ready.fits(hostile)
    assert time.thread_time() - began < 1.0  # backtracking would take longer than the universe
