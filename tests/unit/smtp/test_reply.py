"""Cutting what a server says into replies, however it arrives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.providers.smtp.reply import Reply, ReplyReader, read_extensions

STREAM = (
    b"220 mail.test ESMTP\r\n250-mail.test\r\n250-PIPELINING\r\n250 SIZE 10\r\n"
    b"250 2.1.0 Ok\r\n354\r\n250 2.0.0 Ok: queued as X\r\n"
)
REPLIES = [
    Reply(220, "mail.test ESMTP"),
    Reply(250, "mail.test\nPIPELINING\nSIZE 10"),
    Reply(250, "2.1.0 Ok"),
    Reply(354, ""),
    Reply(250, "2.0.0 Ok: queued as X"),
]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    reader = ReplyReader()
    edges = [0, *sorted(cuts), len(STREAM)]
    replies = []
    for begin, end in zip(edges, edges[1:], strict=False):  # noqa: RUF007
        replies += reader.feed(STREAM[begin:end])
    assert replies == REPLIES
    assert not reader.pending
    assert not reader.error


BROKEN = [
    b"hello\r\n",
    b"\r\n",
    b"25\r\n",
    b"250x\r\n",
    b"199 no\r\n",
    b"600 no\r\n",
    b"250-a\r\n251 b\r\n",
    b"250-a\r\n" * 300,
    b"250 " + b"x" * 5000,
    b"250 " + b"x" * 5000 + b"\r\n",
    "２５０ ok\r\n".encode(),
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_reply_ends_it(data: bytes) -> None:
    reader = ReplyReader()
    assert reader.feed(b"250 before\r\n" + data) == [Reply(250, "before")]
    assert reader.error
    assert reader.pending
    assert reader.feed(b"250 after\r\n") == []


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_nothing_makes_it_raise(data: bytes) -> None:
    reader = ReplyReader()
    for reply in reader.feed(data):
        assert 200 <= reply.code <= 599


def test_enhanced_codes() -> None:
    assert Reply(550, "5.1.1 unknown").enhanced == "5.1.1"
    assert Reply(550, "5.1.1000 unknown").enhanced == ""
    assert Reply(550, "unknown 5.1.1").enhanced == ""


def test_extensions() -> None:
    found = read_extensions(
        "mail.test PIPELINING\npipelining\nSIZE 52428800\nStartTLS\n8BITMIME\nSMTPUTF8\n"
        "AUTH PLAIN LOGIN\nAUTH=CRAM-MD5\n\n"
    )
    assert found.pipelining
    assert found.starttls
    assert found.smtputf8
    assert (found.size_offered, found.size_max) == (True, 52_428_800)
    assert found.auth == {"PLAIN", "LOGIN", "CRAM-MD5"}
    none = read_extensions("PIPELINING STARTTLS")
    assert not none.pipelining
    assert not none.starttls
    assert read_extensions("x\nSIZE").size_max == 0
    assert read_extensions("x\nSIZE many").size_max == 0
    assert not read_extensions("x\nSMTPUTF8").smtputf8
