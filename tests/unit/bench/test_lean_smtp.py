"""The lean SMTP sink counts mails and answers every dialogue, however the bytes are cut."""

import pytest

from core.bench.lean.goal import Goal
from core.bench.lean.smtp import SmtpSession, SmtpTally
from tests.unit.bench.fakes import FakeTransport

MAIL = (
    b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n"
    b"Subject: hi\r\n\r\ntext\r\n..dot\r\n.\r\n"
)
CODES = [b"220", b"250", b"250", b"250", b"354", b"250"]


def session() -> tuple[SmtpSession, SmtpTally, FakeTransport]:
    tally = SmtpTally(Goal(lambda: 1.0))
    one = SmtpSession(tally)
    transport = FakeTransport()
    one.connection_made(transport)
    return one, tally, transport


def codes(answers: bytes) -> list[bytes]:
    return [line[:3] for line in answers.split(b"\r\n") if line[3:4] == b" "]


def test_a_mail_cut_anywhere_counts_once() -> None:
    for cut in range(1, len(MAIL)):
        one, tally, transport = session()
        one.data_received(MAIL[:cut])
        one.data_received(MAIL[cut:])
        assert tally.mails.count == 1, cut
        assert codes(transport.take()) == CODES, cut
        assert tally.recipients == {b"<d@e.f>"}


def test_byte_by_byte() -> None:
    one, tally, transport = session()
    for at in range(len(MAIL)):
        one.data_received(MAIL[at : at + 1])
    assert tally.mails.count == 1
    assert codes(transport.take()) == CODES


@pytest.mark.parametrize("together", [True, False])
def test_an_empty_mail_ends_too(together: bool) -> None:
    one, tally, _ = session()
    if together:
        one.data_received(b"DATA\r\n.\r\n")
    else:
        one.data_received(b"DATA\r\n")
        one.data_received(b".\r\n")
    assert tally.mails.count == 1


def test_two_mails_on_one_session_and_quit() -> None:
    one, tally, transport = session()
    one.data_received(MAIL + MAIL + b"QUIT\r\n")
    assert tally.mails.count == 2
    assert codes(transport.take())[-1] == b"221"
    assert transport.closed


def test_an_unknown_command_is_refused_and_an_endless_line_ends_the_session() -> None:
    one, _, transport = session()
    transport.take()
    one.data_received(b"FROB\r\n")
    assert codes(transport.take()) == [b"500"]
    one.data_received(b"x" * 5_000)
    assert transport.closed
