"""Signatures and status callbacks in Twilio's form."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.port import Callback, CallbackAnswer
from core.providers.sms_http.callback import read
from core.providers.sms_http.signature import (
    HEADER,
    SETTINGS_HEADER,
    SHA1,
    SHA256,
    algorithm_named,
    sign,
    verified,
)

PUBLIC = "https://in.example/v1/receipts/twilio"
TOKEN = "the token"
PATH = "/v1/receipts/twilio?ref=local-u00.1-u0-1-0.1"
DELIVERED = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+1", "From": "+2"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FIELDS = st.lists(st.tuples(TEXTS, TEXTS), max_size=8)


def called(
    fields: Any = DELIVERED, *, path: str = PATH, key: str = TOKEN, **changes: Any
) -> CallbackAnswer:
    """The answer to a callback that is signed as the provider would."""
    url = PUBLIC + path.partition("/v1/receipts/twilio")[2]
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        HEADER: sign(key, url, dict(fields).items()),
    } | changes.pop("headers", {})
    body = changes.pop("body", urlencode(fields).encode())
    callback = Callback(changes.pop("method", "POST"), path, headers, body)
    return read(callback, changes.pop("public", PUBLIC), {"auth_token": TOKEN, **changes})


def test_the_documented_example() -> None:
    """Twilio's own, from its guide on webhook security."""
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    signature = sign("12345", url, fields.items())
    assert signature == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert verified("12345", url, fields.items(), SHA1, signature)


@given(TEXTS.filter(bool), FIELDS, st.sampled_from([SHA1, SHA256]))
def test_only_the_right_signature_is_right(
    key: str, fields: list[tuple[str, str]], algorithm: str
) -> None:
    right = sign(key, PUBLIC, fields, algorithm)
    assert verified(key, PUBLIC, reversed(fields), algorithm, right)
    assert verified(key, PUBLIC + "", [*fields, *fields], algorithm, right)
    assert not verified(key + "x", PUBLIC, fields, algorithm, right)
    assert not verified(key, PUBLIC + "x", fields, algorithm, right)
    assert not verified(key, PUBLIC, [*fields, ("extra", "1")], algorithm, right)
    assert not verified(key, PUBLIC, fields, algorithm, right[:-1])
    assert not verified(key, PUBLIC, fields, algorithm, "")
    assert not verified("", PUBLIC, fields, algorithm, right)


@pytest.mark.parametrize(
    ("asked", "signed"),
    [
        ("https://h/x?y=1", "https://h:443/x?y=1"),
        ("http://h/x", "http://h:80/x"),
        ("https://h:8443/x", "https://h/x"),
        ("https://h:8443/x", "https://h:8443/x"),
        ("https://[::1]/x", "https://[::1]:443/x"),
        ("https://[::1]:9/x", "https://[::1]/x"),
    ],
)
def test_with_the_port_and_without(asked: str, signed: str) -> None:
    assert verified("k", asked, [], SHA1, sign("k", signed, []))


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [
        ("", SHA1),
        ("key=webhooks_sharedkey_1", SHA1),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", SHA256),
        ("algorithm = hmac_sha256 , key=x", SHA256),
    ],
)
def test_the_algorithm_that_a_header_names(header: str, algorithm: str) -> None:
    assert algorithm_named(header) == algorithm


def test_a_genuine_callback_is_a_receipt() -> None:
    answer = called()
    assert (answer.status, len(answer.receipts)) == (204, 1)
    receipt = answer.receipts[0]
    assert (receipt.provider_id, receipt.status, receipt.code) == ("SM1", "delivered", "")
    assert receipt.ref == "local-u00.1-u0-1-0.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "another token"},
        {"headers": {HEADER: ""}},
        {"headers": {HEADER: "ä"}},
        {"body": urlencode({**DELIVERED, "MessageSid": "SM2"}).encode()},
        {"public": "https://another.example/v1/receipts/twilio"},
        {"public": ""},
        {"headers": {SETTINGS_HEADER: "key=x,algorithm=HMAC_SHA256"}},
        {"headers": {SETTINGS_HEADER: "key=x,algorithm=none"}},
    ],
)
def test_of_a_wrong_one_nothing_is_taken(changes: dict[str, Any]) -> None:
    answer = called(**changes)
    assert (answer.status, answer.receipts) == (403, ())


def test_another_attempts_name_breaks_the_signature() -> None:
    url = PUBLIC + "?ref=mine"
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        HEADER: sign(TOKEN, url, DELIVERED.items()),
    }
    forged = Callback("POST", PATH, headers, urlencode(DELIVERED).encode())
    assert read(forged, PUBLIC, {"auth_token": TOKEN}).status == 403


def test_a_shared_key_signs_with_sha256() -> None:
    url = PUBLIC + PATH.partition("/v1/receipts/twilio")[2]
    headers = {
        HEADER: sign("shared", url, DELIVERED.items(), SHA256),
        SETTINGS_HEADER: "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    assert called(headers=headers, shared_key="shared").status == 204
    assert called(headers=headers).status == 403


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("queued", "accepted", ""),
        ("sending", "accepted", ""),
        ("sent", "accepted", ""),
        ("delivered", "delivered", ""),
        ("read", "seen", ""),
        ("undelivered", "failed", "30003"),
        ("failed", "failed", "30003"),
        ("canceled", "failed", "canceled"),
        ("teleported", "unknown", "teleported"),
    ],
)
def test_what_the_words_mean(word: str, status: str, code: str) -> None:
    fields = {**DELIVERED, "MessageStatus": word}
    if code.isdigit():
        fields["ErrorCode"] = code
    [receipt] = called(fields).receipts
    assert (receipt.status, receipt.code, receipt.detail) == (status, code, word)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"MessageSid": "SM1"},
        {"MessageStatus": "sent"},
        {"SmsSid": "S", "SmsStatus": "received"},
    ],
)
def test_what_is_signed_and_about_no_message_is_passed_over(fields: dict[str, str]) -> None:
    assert (called(fields).status, called(fields).receipts) == (204, ())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "GET"}, 405),
        ({"body": b"\xff"}, 400),
        ({"body": b"a=%ff"}, 400),
        ({"body": b"&".join([b"a=1"] * 1000)}, 400),
        ({"headers": {"content-type": "application/json"}}, 400),
    ],
)
def test_what_is_no_callback_at_all(changes: dict[str, Any], status: int) -> None:
    assert (called(**changes).status, called(**changes).receipts) == (status, ())


@given(st.binary(max_size=300), st.text(max_size=50), st.text(max_size=40))
def test_no_callback_breaks_the_reader(body: bytes, query: str, signature: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", HEADER: signature}
    answer = read(Callback("POST", f"/x?{query}", headers, body), PUBLIC, {"auth_token": TOKEN})
    assert answer.status in (400, 403)
    assert answer.receipts == ()
