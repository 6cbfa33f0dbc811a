"""Addresses come out in one form, and each wrong one is named."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.problems import ProblemError, decode_json
from core.contract.recipients import (
    CHANNELS,
    FIELDS,
    AddressError,
    Destination,
    Recipient,
    Recipients,
    channels_of,
    normal_email,
    normal_phone,
    recipients_of,
)
from core.contract.requests import NotificationRequest, expires_in_s
from core.contract.rules import Rules

HORIZON_S = 30 * 86_400


def made(**fields: Any) -> NotificationRequest:
    body = {"content": {"text": "x", "subject": "y"}, **fields}
    return decode_json(json.dumps(body).encode(), NotificationRequest, max_depth=32)


RULES = Rules(100, HORIZON_S, {"otp": 300, "transactional": 86_400, "alert": 1, "bulk": 2})
NOW_MS = 1_800_000_000_000


def asked(**fields: Any) -> Recipients:
    return recipients_of(made(**fields), RULES, NOW_MS)


def recipients(**fields: Any) -> list[Recipient]:
    found = asked(**fields)
    assert not found.wrong
    return found.good


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


def test_wrong_recipients_are_set_apart_and_named() -> None:
    to = [{"phone": "+447700900123"}, {"phone": "123"}, {}, {"email": "x"}, {"email": "a@b.com"}]
    found = asked(to=to)
    assert [one.index for one in found.good] == [0, 4]
    told = [(one.index, one.errors[0].pointer) for one in found.wrong]
    assert told == [(1, "/to/1/phone"), (2, "/to/2"), (3, "/to/3/email")]
    assert all(one.errors[0].hint for one in found.wrong)


def test_where_nobody_is_right_the_request_is_refused() -> None:
    to = [{"phone": "123"}, {}, {"email": "x"}]
    assert [pointer for pointer, _ in refused(to=to)] == ["/to/0/phone", "/to/1", "/to/2/email"]
    assert [pointer for pointer, _ in refused(to={"phone": "123"})] == ["/to/phone"]


def test_what_is_wrong_with_the_whole_refuses_the_good_ones_too() -> None:
    to = [{"phone": "+447700900123"}, {"phone": "123"}]
    assert [p for p, _ in refused(to=to, template="otp")] == ["/content", "/to/1/phone"]
    assert [p for p, _ in refused(to=to, content={"html": "x"})] == ["/content/text", "/to/1/phone"]


def test_a_chain_has_the_channels_for_which_there_is_an_address() -> None:
    to = [
        {"phone": "+447700900123", "email": "a@b.com"},
        {"email": "a@B.com"},
        {"url": "https://x.example", "phone": "+44 7700 900124"},
        {"url": "https://x.example"},
    ]
    found = asked(to=to, channel=["sms", "email"])
    assert found.good == [
        Recipient(0, "sms", "+447700900123", (Destination("email", "a@b.com"),)),
        Recipient(1, "email", "a@b.com"),
        Recipient(2, "sms", "+447700900124"),
    ]
    assert [(one.index, one.errors[0].pointer) for one in found.wrong] == [(3, "/to/3")]
    assert channels_of(found.good) == ["sms", "email"]


def test_a_wrong_address_of_a_chain_is_named_though_another_is_right() -> None:
    to = {"phone": "123", "email": "a@b.com"}
    assert refused(to=to, channel=["email", "sms"])[0][0] == "/to/phone"
    assert recipients(to=to, channel=["email"])


def test_a_later_channels_content_is_needed_now() -> None:
    to = {"phone": "+447700900123", "email": "a@b.com"}
    content = {"text": "x"}
    assert refused(to=to, channel=["sms", "email"], content=content)[0][0] == "/content/subject"
    assert recipients(to=[{"phone": to["phone"]}], channel=["sms", "email"], content=content)


def test_each_channel_once() -> None:
    to = {"phone": "+447700900123"}
    assert refused(to=to, channel=["sms", "email", "sms"])[0][0] == "/channel/2"


@pytest.mark.parametrize("field", [{"until": "delivered"}, {"escalate_after": 60}])
def test_what_speaks_of_a_next_channel_needs_a_list(field: dict[str, Any]) -> None:
    to = {"phone": "+447700900123"}
    for channel in (None, "sms"):
        ((pointer, hint),) = refused(to=to, channel=channel, **field)
        assert pointer == "/" + next(iter(field))
        assert '["sms", "email"]' in hint
    assert recipients(to=to, channel=["sms"], **field)


targets = st.fixed_dictionaries(
    {},
    optional={
        "phone": st.sampled_from(["+447700900123", "123", "+1 202 555 0123"]),
        "email": st.sampled_from(["a@b.com", "a", "A@B.COM"]),
        "url": st.sampled_from(["https://x.example/", "ftp://x", "http://y.example/a?b=c"]),
    },
)
wanted = st.none() | st.sampled_from(CHANNELS) | st.lists(
    st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True
)  # fmt: skip


@given(st.lists(targets, max_size=8), wanted)
def test_every_target_is_either_good_or_wrong_in_its_place(to: Any, channel: Any) -> None:
    request = made(to=to, channel=channel)
    try:
        found = recipients_of(request, RULES, NOW_MS)
    except ProblemError as error:
        assert error.status == 400
        assert all(each.pointer.startswith("/to") for each in error.errors)
        return
    good, wrong = ([one.index for one in each] for each in (found.good, found.wrong))
    assert sorted([*good, *wrong]) == list(range(len(to)))
    assert good == sorted(good)
    assert wrong == sorted(wrong)
    for one in found.good:
        used = [one.channel, *(later.channel for later in one.later)]
        given_for = {name for name, field in FIELDS.items() if field in to[one.index]}
        if isinstance(channel, list):
            assert used == [name for name in channel if name in given_for]
        else:
            assert used == [channel or next(name for name in CHANNELS if name in given_for)]


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


def at(seconds: float) -> str:
    moment = datetime.fromtimestamp(NOW_MS / 1000 + seconds, UTC)
    return moment.isoformat(timespec="milliseconds")


def test_what_is_to_be_sent_later_expires_within_the_horizon_too() -> None:
    to = {"phone": "+447700900123"}
    assert asked(to=to).send_at_ms == 0
    assert asked(to=to, send_at=at(60)).send_at_ms == NOW_MS + 60_000
    assert asked(to=to, send_at=at(-60)).send_at_ms == 0
    last_s = HORIZON_S - 300
    assert asked(to=to, **{"class": "otp"}, send_at=at(last_s)).send_at_ms
    assert refused(to=to, **{"class": "otp"}, send_at=at(last_s + 1))[0][0] == "/send_at"
    assert asked(to=to, expires_in=10, send_at=at(HORIZON_S - 10)).send_at_ms
    assert refused(to=to, expires_in=10, send_at=at(HORIZON_S - 9))[0][0] == "/send_at"
    assert refused(to=to, send_at="tomorrow")[0][0] == "/send_at"
    assert refused(to=to, time_zone="UTC")[0][0] == "/time_zone"
