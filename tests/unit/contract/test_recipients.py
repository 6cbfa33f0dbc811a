"""Addresses come out in one form, and each wrong one is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.problems import ProblemError, decode_json
from core.contract.recipients import (
    AddressError,
    Recipient,
    normal_email,
    normal_phone,
    recipients_of,
)
from core.contract.requests import NotificationRequest, expires_in_s

HORIZON_S = 30 * 86_400


def made(**fields: Any) -> NotificationRequest:
    body = {"content": {"text": "x", "subject": "y"}, **fields}
    return decode_json(json.dumps(body).encode(), NotificationRequest, max_depth=32)


def recipients(**fields: Any) -> list[Recipient]:
    return recipients_of(made(**fields), recipients_max=100, horizon_s=HORIZON_S)


def refused(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(ProblemError) as raised:
        recipients(**fields)
    assert raised.value.code == "invalid_request"
    return [(each.pointer, each.hint) for each in raised.value.errors]


@pytest.mark.parametrize("text", ["+447700900123", "+44 7700 900123", "+44-7700-900-123"])
def test_phones_come_out_in_one_form(text: str) -> None:
    assert normal_phone(text) == "+447700900123"


@pytest.mark.parametrize(
    "text", ["", "+", "447700900123", "07700900123", "+0123456789", "+44", "+4477009001234567",
             "+44x", "+44 (0) 7700", "+４４７７００９００１２３", "+447700900123\n"]
)  # fmt: skip
def test_what_is_no_phone_number(text: str) -> None:
    with pytest.raises(AddressError) as raised:
        normal_phone(text)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.L+x@EXAMPLE.Com", "Ada.L+x@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        (" ada@example.com ", "ada@example.com"),
    ],
)
def test_emails_come_out_in_one_form(text: str, normal: str) -> None:
    assert normal_email(text) == normal


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@example.com", "ada@", "a b@example.com", "ada@localhost", "ada@-x.com",
     ".a@b.com", "a..b@c.com", "ada@exa mple.com", "ada@example.com\r\nBcc: all@x.com",
     "a\n@example.com", "é@example.com", "a@" + "b" * 64 + ".com", "a" * 65 + "@example.com",
     "a@ex\u0000.com", "a@" + "b." * 130 + "com", '"a b"@example.com', "a@[127.0.0.1]",
     "a@\u3002.com"],
)  # fmt: skip
def test_what_is_no_email_address(text: str) -> None:
    with pytest.raises(AddressError) as raised:
        normal_email(text)
    assert raised.value.hint


@given(st.text(max_size=60))
def test_an_address_is_normal_or_refused_and_normal_stays_normal(text: str) -> None:
    for normal in (normal_phone, normal_email):
        try:
            once = normal(text)
        except AddressError:
            continue
        assert normal(once) == once
        assert once.isascii()
        assert not set(once) & set(" \r\n\0")


def test_the_channel_follows_from_the_address() -> None:
    to = [
        {"phone": "+447700900123"},
        {"email": "a@b.com"},
        {"phone": "+447700900124", "email": "c@d.e"},
    ]
    assert [(one.index, one.channel) for one in recipients(to=to)] == [
        (0, "sms"),
        (1, "email"),
        (2, "sms"),
    ]
    assert [one.address for one in recipients(to=to[2], channel="email")] == ["c@d.e"]


def test_each_wrong_recipient_is_named() -> None:
    to = [{"phone": "+447700900123"}, {"phone": "123"}, {}, {"email": "x"}]
    assert [pointer for pointer, _ in refused(to=to)] == ["/to/1/phone", "/to/2", "/to/3/email"]
    assert [pointer for pointer, _ in refused(to={"phone": "123"})] == ["/to/phone"]


def test_a_target_without_the_channels_address() -> None:
    assert refused(to={"phone": "+447700900123"}, channel="email")[0][0] == "/to/email"
    assert refused(to=[{"email": "a@b.com"}], channel="sms")[0][0] == "/to/0/phone"


def test_too_many_recipients_and_none() -> None:
    assert refused(to=[])[0][0] == "/to"
    many = [{"phone": "+447700900123"}] * 101
    assert refused(to=many) == [("/to", "Send at most 100 recipients in one request.")]


def test_no_more_errors_are_told_than_anybody_reads() -> None:
    assert len(refused(to=[{"phone": "1"}] * 100)) == 100


def test_exactly_one_of_template_and_content() -> None:
    to = {"phone": "+447700900123"}
    assert refused(to=to, content=None)[0][0] == ""
    assert refused(to=to, template="otp")[0][0] == "/content"
    assert recipients(to=to, content=None, template="otp")


@pytest.mark.parametrize(
    ("content", "to", "pointer"),
    [
        ({"html": "<p>"}, {"phone": "+447700900123"}, "/content/text"),
        ({"text": ""}, {"phone": "+447700900123"}, "/content/text"),
        ({"text": "x"}, {"email": "a@b.com"}, "/content/subject"),
        ({"text": "x", "subject": "a\r\nBcc: b@c.d"}, {"email": "a@b.com"}, "/content/subject"),
        ({"subject": "x"}, {"email": "a@b.com"}, "/content"),
    ],
)
def test_content_has_to_fit_the_channel(content: Any, to: Any, pointer: str) -> None:
    assert refused(content=content, to=to)[0][0] == pointer


def test_expiry_follows_from_the_class_and_ends_at_the_horizon() -> None:
    to = {"phone": "+447700900123"}
    by_class_s = {"otp": 5, "transactional": 6}
    for name, seconds in by_class_s.items():
        assert expires_in_s(made(to=to, **{"class": name}), by_class_s) == seconds
    assert expires_in_s(made(to=to, expires_in=7), by_class_s) == 7
    assert recipients(to=to, expires_in=HORIZON_S)
    assert refused(to=to, expires_in=HORIZON_S + 1)[0][0] == "/expires_in"
