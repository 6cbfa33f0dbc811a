"""Reading mails, and the words of SMTP."""

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sandbox.mail_text import MailText, read_mail, strip_html
from core.sandbox.smtp_auth import Auth
from core.sandbox.smtp_data import DataBlock
from core.sandbox.smtp_words import From, read_from, read_to


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_text_in_any_encoding(charset: str, encoding: str) -> None:
    message = EmailMessage()
    message["Subject"] = "Überschrift, die länger ist als eine Zeile sein darf, " * 3 + "Ende"
    message["X-GouTong-Ref"] = "m1.2.3"
    message.set_content("Grüße\n\nEnde\n", charset=charset, cte=encoding)
    read = read_mail(message.as_bytes().replace(b"\n", b"\r\n"))
    assert read.text == str(message["Subject"]) + "\n\nGrüße\n\nEnde"
    assert read.ref == "m1.2.3"


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        ("=?utf-8?b?8J+Riw==?= plain =?utf-8?q?=C3=BC?= end", "👋 plain ü end"),
        ("=?utf-8?q?one_?=\r\n =?utf-8?q?word?=", "one word"),
        ("=?iso-8859-1?q?Gr=FC=DFe?=", "Grüße"),
        ("plain and\r\n folded", "plain and folded"),
        ("über UTF-8", "über UTF-8"),
        ("=?martian?q?x?=", "=?martian?q?x?="),
        ("a=b?c=?d", "a=b?c=?d"),
    ],
)
def test_subjects_as_they_are_read(header: str, subject: str) -> None:
    data = f"Subject: {header}\r\nX-GouTong-Ref: m.1.1\r\n\r\ntext\r\n".encode()
    assert read_mail(data) == MailText(f"{subject}\n\ntext", "m.1.1")


def test_an_attachment_is_not_the_text() -> None:
    message = EmailMessage()
    message["Subject"] = "s"
    message.set_content("the text")
    message.add_attachment("attached", filename="a.txt")
    assert read_mail(message.as_bytes()).text == "s\n\nthe text"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "\n\n"),
        (b"no headers at all", "\n\nno headers at all"),
        (b"Subject: x\r\nContent-Type: text/plain; charset=martian\r\n\r\nh\xc3\xbc", "x\n\nhü"),
        (b"Subject: x\r\nContent-Type: image/png\r\n\r\n\x89PNG", "x\n\n"),
        (b"Subject: =?utf-8?b?8J+Ri/?= y\r\n\r\n\xff", "=?utf-8?b?8J+Ri/?= y\n\n\ufffd"),
    ],
)
def test_mails_that_are_hardly_any(data: bytes, text: str) -> None:
    read = read_mail(data)
    assert read.text.split("\n\n", 1)[1] == text.split("\n\n", 1)[1]


@given(st.binary(max_size=500))
def test_no_mail_breaks_the_reader(data: bytes) -> None:
    assert isinstance(read_mail(data), MailText)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi &amp; <b>bye</b></p>", "Hi & bye"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<head><title>t</title></head><div>a</div><div>b</div>", "a\n\nb"),
        ("<script>x()</script>  lots\n of   \t blanks ", "lots of blanks"),
        ("<p>never closed <b>at all", "never closed at all"),
        ("1 < 2", "1 < 2"),
    ],
)
def test_html_without_tags(html: str, text: str) -> None:
    assert strip_html(html) == text


def test_addresses_and_their_parameters() -> None:
    assert read_from("FROM:<a@x.org> BODY=8BITMIME SIZE=123") == From("a@x.org", 123)
    assert read_from("from: <>") == From("", 0)
    assert read_from("FROM:a@x.org") is None
    assert read_to("TO:<b@x.org> NOTIFY=NEVER") == "b@x.org"
    assert read_to("to: <grüße@exämple.org>") == "grüße@exämple.org"
    assert read_to("TO:<b>") is None


@given(st.binary(max_size=300), st.integers(1, 40))
def test_a_data_block_in_any_pieces(body: bytes, step: int) -> None:
    """Lines as a client stuffs them come out as they were."""
    lines = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    stuffed = (b"\r\n" + lines).replace(b"\r\n.", b"\r\n..")[2:]
    wire = stuffed + b".\r\nNOOP\r\n"
    block, buffer, data = DataBlock(10_000), bytearray(), None
    block.begin(buffer)
    for start in range(0, len(wire), step):
        buffer += wire[start : start + step]
        if data is None:
            data = block.take(buffer)
    assert data == lines
    assert bytes(buffer) == b"NOOP\r\n"
    assert not block.oversized


def test_a_data_block_over_its_limit_is_not_held() -> None:
    block, buffer = DataBlock(100), bytearray()
    block.begin(buffer)
    for _ in range(100):
        buffer += b"x" * 50 + b"\r\n"
        assert block.take(buffer) is None
        assert len(buffer) < 200
    buffer += b".\r\n"
    assert block.take(buffer) is not None
    assert block.oversized


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_plain_and_login_with_and_without_an_initial_answer() -> None:
    auth = Auth()
    assert auth.begin("PLAIN " + encoded("\0sandbox\0sandbox")).startswith("235 ")
    assert auth.begin("PLAIN " + encoded("\0sandbox\0sandbox")).startswith("503 ")
    auth = Auth()
    assert auth.begin("plain") == "334 "
    assert auth.waiting
    assert auth.answer(encoded("admin\0sandbox\0wrong")).startswith("535 ")
    assert auth.begin("LOGIN " + encoded("sandbox")) == "334 UGFzc3dvcmQ6"
    assert auth.answer("*").startswith("501 ")
    assert not auth.waiting
    assert auth.begin("LOGIN") == "334 VXNlcm5hbWU6"
    assert auth.answer(encoded("sandbox")) == "334 UGFzc3dvcmQ6"
    assert auth.answer(encoded("sandbox")).startswith("235 ")
    assert Auth().begin("PLAIN =").startswith("501 ")
