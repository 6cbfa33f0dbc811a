"""What is composed is read back by the standard library as what went in."""

import email
import email.policy
import re
import time
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.providers.port import OutMessage
from core.providers.smtp.mime import UnsendableError, compose, origin
from core.providers.smtp.transaction import data_block

DATE = "Mon, 24 Nov 2025 10:00:00 +0000"
PLAIN = origin("news@example.com", "", "")

# Everything a text may hold; surrogates cannot be encoded and have their own test.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400) | st.text(
    st.sampled_from("ab .=-_\r\n\t~éß漢😀\0\x0b\x0c\x1c\x85\u2028"), max_size=3000
)
header_chars = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
headers = st.text(header_chars, max_size=200) | st.text("ab =?_ \té漢", max_size=400)
# In a name the parser makes one space of each run of blanks, as RFC 5322 permits.
names = headers.map(lambda name: " ".join(name.split()))


def read(data: bytes) -> EmailMessage:
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def canonical(text: str) -> str:
    """Line ends as they travel, and a last one."""
    text = re.sub(r"\r\n|\r", "\n", text)
    return text if text.endswith("\n") else text + "\n"


def body_of(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def sender_of(mail: EmailMessage) -> tuple[str, str]:
    """Name and address. (The newer parser does not join the encoded words of a name.)"""
    (raw,) = [value for field, value in mail.raw_items() if field == "From"]
    name, address = parseaddr(raw)
    return " ".join(str(make_header(decode_header(name))).split()), address


def message(**fields: str) -> OutMessage:
    return OutMessage(**{"ref": "eu-u0010000000.a1-7.2", "to": "ann@example.net", **fields})


@settings(deadline=None)
@given(texts)
def test_a_text_is_read_back(text: str) -> None:
    mail = read(compose(message(text=text), PLAIN, DATE).data)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    assert body_of(mail) == canonical(text)


@settings(deadline=None)
@given(texts.filter(bool), texts.filter(bool))
def test_both_bodies_are_read_back(text: str, html: str) -> None:
    mail = read(compose(message(text=text, html=html), PLAIN, DATE).data)
    assert mail.get_content_type() == "multipart/alternative"
    plain, rich = mail.iter_parts()
    assert (plain.get_content_type(), body_of(plain)) == ("text/plain", canonical(text))
    assert (rich.get_content_type(), body_of(rich)) == ("text/html", canonical(html))


@settings(deadline=None)
@given(headers, names)
def test_headers_are_read_back(subject: str, name: str) -> None:
    account = origin("news@example.com", name, "mail.example.org")
    mail = read(compose(message(subject=subject, text="x"), account, DATE).data)
    assert (mail["Subject"] or "") == subject
    assert sender_of(mail) == (name, "news@example.com")
    assert mail["To"] == "ann@example.net"
    assert mail["Date"] == DATE
    assert mail["Message-ID"] == "<eu-u0010000000@mail.example.org>"
    assert mail["X-GouTong-Ref"] == "eu-u0010000000.a1-7.2"
    assert mail["MIME-Version"] == "1.0"


@settings(deadline=None)
@given(texts, texts, headers)
def test_the_bytes_are_fit_for_any_server(text: str, html: str, subject: str) -> None:
    data = compose(message(text=text, html=html, subject=subject), PLAIN, DATE).data
    assert data.isascii()
    assert b"\0" not in data
    assert data.endswith(b"\r\n")
    lines = data.split(b"\r\n")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines)


@settings(deadline=None)
@given(texts, texts, headers)
def test_the_data_block_ends_at_its_own_dot_and_nowhere_before(
    text: str, html: str, subject: str
) -> None:
    mail = compose(message(text=text, html=html, subject=subject), PLAIN, DATE)
    block = data_block(mail)
    assert block.index(b"\r\n.\r\n") == len(block) - 5
    received = re.sub(rb"(?m)^\.", b"", block.removesuffix(b".\r\n"))
    assert received == mail.data


BREAKS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("breaker", BREAKS)
@pytest.mark.parametrize("field", ["subject", "to", "sender", "ref"])
def test_nothing_can_be_injected_into_a_header(field: str, breaker: str) -> None:
    value = {"subject": "Hi", "to": "a@b.c", "sender": "a@b.c", "ref": "m.a.1"}[field]
    for attempt in (f"{value}{breaker}Bcc: eve@example.net", f"{value}{breaker}", breaker + value):
        with pytest.raises(UnsendableError) as raised:
            compose(message(text="x", **{field: attempt}), PLAIN, DATE)
        assert "eve" not in str(raised.value)
        assert raised.value.kind == ("invalid_target" if field == "to" else "permanent")


@pytest.mark.parametrize("name", ["a\r\nBcc: x@y.z", "a\nb", "a\0"])
def test_nothing_can_be_injected_by_the_account(name: str) -> None:
    with pytest.raises(UnsendableError):
        origin("news@example.com", name, "")


@pytest.mark.parametrize("field", ["text", "html", "subject"])
def test_half_a_surrogate_pair_is_refused(field: str) -> None:
    with pytest.raises(UnsendableError) as raised:
        compose(message(**{"text": "x", field: "a\ud800b"}), PLAIN, DATE)
    assert raised.value.kind == "permanent"


ENCODINGS = [
    ("Plain words.\nTwo lines.", "7bit"),
    ("a" * 999, "quoted-printable"),
    ("Fast nur ASCII, mit einem ä darin und noch mehr Wörtern", "quoted-printable"),
    ("验证码是一二三四", "base64"),
    ("a boundary?\n--=_eu-u001", "quoted-printable"),
    ("nul\0", "quoted-printable"),
]


@pytest.mark.parametrize(("text", "encoding"), ENCODINGS)
def test_the_encoding_follows_the_content(text: str, encoding: str) -> None:
    mail = read(compose(message(text=text), PLAIN, DATE).data)
    assert mail["Content-Transfer-Encoding"] == encoding


def test_a_part_cannot_end_the_multipart() -> None:
    ref = "eu-u0010000000.a1-7.2"
    text = f"before\n--=_{ref}\nContent-Type: text/html\n\nforged\n--=_{ref}--\nafter"
    mail = read(compose(message(ref=ref, text=text, html="<p>"), PLAIN, DATE).data)
    plain, rich = mail.iter_parts()
    assert body_of(plain) == text + "\n"
    assert body_of(rich) == "<p>\n"


def test_the_message_id_stays_over_attempts_and_the_reference_does_not() -> None:
    first = compose(message(ref="m1.a.1", text="x"), PLAIN, DATE)
    second = compose(message(ref="m1.b.2", text="x"), PLAIN, DATE)
    assert first.message_id == second.message_id == "<m1@example.com>"
    assert read(first.data)["X-GouTong-Ref"] != read(second.data)["X-GouTong-Ref"]


@pytest.mark.parametrize(
    ("sender", "header", "envelope"),
    [
        ("otp@example.org", "otp@example.org", "otp@example.org"),
        ("Codes <otp@example.org>", "Codes <otp@example.org>", "otp@example.org"),
        ('"A, B" <otp@example.org>', '"A, B" <otp@example.org>', "otp@example.org"),
        ("Zoë <otp@example.org>", "Zoë <otp@example.org>", "otp@example.org"),
    ],
)
def test_a_message_may_name_its_own_sender(sender: str, header: str, envelope: str) -> None:
    mail = compose(message(sender=sender, text="x"), PLAIN, DATE)
    assert mail.sender == envelope
    assert read(mail.data)["From"] == header


def test_international_addresses_are_marked() -> None:
    assert not compose(message(text="x"), PLAIN, DATE).utf8
    mail = compose(message(to="änn@例え.jp", text="x"), PLAIN, DATE)
    assert mail.utf8
    assert "To: änn@例え.jp\r\n".encode() in mail.data


def test_a_small_mail_costs_little() -> None:
    """At most 60 µs; the best of many rounds, so that a busy machine does not decide."""
    small = message(subject="Your code", text="Your code is 123456.\n", html="<p>123456</p>")
    best_s = float("inf")
    for _ in range(50):
        begin = time.perf_counter()
        for _ in range(20):
            data_block(compose(small, PLAIN, DATE))
        best_s = min(best_s, (time.perf_counter() - begin) / 20)
    assert best_s <= 60e-6


def test_a_link_to_unsubscribe_stands_in_two_headers() -> None:
    url = "https://example.com/u/abc?t=1&s=%20"
    mail = read(compose(message(text="x", unsubscribe_url=url), PLAIN, DATE).data)
    assert mail["List-Unsubscribe"] == f"<{url}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    both = origin("news@example.com", "", "", "le?ve@example.com")
    mail = read(compose(message(text="x", unsubscribe_url=url), both, DATE).data)
    mailbox = "<mailto:le%3Fve@example.com?subject=unsubscribe>"
    assert mail["List-Unsubscribe"] == f"<{url}>, {mailbox}"
    plain = read(compose(message(text="x"), both, DATE).data)
    assert "List-Unsubscribe" not in plain and "List-Unsubscribe-Post" not in plain


@pytest.mark.parametrize(
    "url",
    [
        "https://a/\r\nBcc: x",
        "https://a/>,<b",
        "https://a/ b",
        "javascript:x",
        "https://ä",
        "x" * 999,
    ],
)
def test_a_link_that_no_header_may_carry_is_refused(url: str) -> None:
    with pytest.raises(UnsendableError) as refused:
        compose(message(text="x", unsubscribe_url=url), PLAIN, DATE)
    assert refused.value.kind == "permanent"
    assert url not in refused.value.detail
