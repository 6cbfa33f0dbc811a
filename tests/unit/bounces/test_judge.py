"""What comes to return paths is understood as it is meant, or passed over, whatever it is."""

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.bounces.judge import LOOKED_AT_BYTES, judge
from core.bounces.verdict import Ignored, Said, Verdict
from core.sandbox import bounce_mail
from core.sandbox.bounce_mail import Returned
from tests.unit.bounces import samples
from tests.unit.bounces.samples import arf, dsn

REPORTS = {
    "postfix": (samples.POSTFIX, "failed", "5.1.1", "User unknown in virtual"),
    "exim": (samples.EXIM, "failed", "5.2.1", "550 5.2.1 The email account"),
    "exim, old form": (samples.EXIM_OLD, "failed", "5.1.1", "550 5.1.1 no such user here"),
    "exchange": (samples.EXCHANGE, "failed", "5.1.10", "RecipientNotFound"),
    "gmail": (samples.GMAIL, "failed", "5.2.2", "out of storage"),
    "qmail": (samples.QMAIL, "failed", "5.1.1", "no mailbox here by that name"),
    "yahoo": (samples.YAHOO_ARF, "complained", "abuse", "Yahoo!-Mail-Feedback/2.0"),
}


def read(text: str) -> Verdict:
    """The verdict, which is the same with either line end."""
    verdict = judge(text.encode())
    assert judge(text.replace("\n", "\r\n").encode()) == verdict
    return verdict


@pytest.mark.parametrize(("text", "status", "code", "words"), REPORTS.values(), ids=REPORTS)
def test_reports_of_known_servers(text: str, status: str, code: str, words: str) -> None:
    verdict = read(text)
    assert isinstance(verdict, Said)
    assert (verdict.status, verdict.code) == (status, code)
    assert words in verdict.detail
    assert len(verdict.detail) <= 200
    assert "ann@" not in verdict.detail


@pytest.mark.parametrize(
    ("group", "status", "code"),
    [
        ("Action: failed\nStatus: 5.1.1", "failed", "5.1.1"),
        ("Action: Failed (bad)\nStatus: 5.1.1 (no mailbox)", "failed", "5.1.1"),
        ("Action: delayed\nStatus: 4.4.1", "accepted", "4.4.1"),
        ("Action: delivered\nStatus: 2.0.0", "delivered", "2.0.0"),
        ("Action: relayed\nStatus: 2.1.9", "accepted", "2.1.9"),
        ("Action: expanded\nStatus: 2.1.5", "accepted", "2.1.5"),
        # Given up after many tries: it took too long.
        ("Action: failed\nStatus: 4.4.7", "expired", "4.4.7"),
        ("Action: failed\nStatus: 5.4.7", "expired", "5.4.7"),
        # One of the two is missing.
        ("Action: failed", "failed", ""),
        ("Status: 5.7.1", "failed", "5.7.1"),
        ("Status: 4.2.2", "accepted", "4.2.2"),
        ("Status: 2.0.0", "delivered", "2.0.0"),
        ("Action: failed\nDiagnostic-Code: smtp; 550 No such user", "failed", "5.0.0"),
        ("Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 5.2.2 full", "failed", "5.2.2"),
        ("Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 552 5.2.2 full", "failed", "5.1.1"),
        ("action: FAILED\nSTATUS:5.1.1", "failed", "5.1.1"),
    ],
)
def test_actions_and_status_codes(group: str, status: str, code: str) -> None:
    verdict = read(dsn(f"Final-Recipient: rfc822; ann@example.net\n{group}"))
    assert isinstance(verdict, Said)
    assert (verdict.status, verdict.code) == (status, code)


FAILED, DELAYED = "Action: failed\nStatus: 5.1.1", "Action: delayed\nStatus: 4.4.1"
DELIVERED = "Action: delivered\nStatus: 2.0.0"


@pytest.mark.parametrize(
    ("groups", "status"),
    [
        ((FAILED, FAILED), "failed"),
        ((FAILED, DELAYED), "accepted"),
        ((FAILED, DELIVERED, DELAYED), "delivered"),
        (("Action: failed\nStatus: 4.4.7", FAILED), "failed"),
    ],
)
def test_a_mail_that_was_passed_on_has_failed_only_if_it_failed_for_all(
    groups: tuple[str, ...], status: str
) -> None:
    verdict = read(dsn(*groups))
    assert isinstance(verdict, Said) and verdict.status == status


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (samples.OUT_OF_OFFICE, "auto_reply"),
        (samples.PERSON, "not_a_bounce"),
        ("", "not_a_bounce"),
        (arf("not-spam"), "other_feedback"),
        (arf("auth-failure"), "other_feedback"),
        (arf(""), "malformed"),
        (dsn(), "malformed"),
        (dsn("Final-Recipient: rfc822; ann@example.net\nAction: danced"), "malformed"),
        (samples.POSTFIX.replace("boundary=", "bondary="), "malformed"),
        (samples.POSTFIX.partition("Content-Description: Delivery")[0], "malformed"),
    ],
)
def test_what_says_nothing_is_passed_over(text: str, why: str) -> None:
    assert read(text) == Ignored(why)  # type: ignore[arg-type]


def test_a_report_inside_of_a_mail_that_is_attached_is_not_about_this_one() -> None:
    text = (
        'Content-Type: multipart/mixed; boundary="m"\n\n--m\nContent-Type: text/plain\n\nlook\n'
        f"--m\nContent-Type: message/rfc822\n\n{samples.POSTFIX}\n--m--\n"
    )
    assert read(text) == Ignored("not_a_bounce")


def test_a_report_that_is_cut_off_behind_its_fields_is_read() -> None:
    text = samples.POSTFIX.partition("Content-Description: Undelivered")[0]
    verdict = read(text)
    assert isinstance(verdict, Said) and verdict.code == "5.1.1"


def test_what_comes_back_whole_may_be_large() -> None:
    text = samples.POSTFIX.replace("Good morning", "Good morning\n" * 100_000)
    assert len(text) > 4 * LOOKED_AT_BYTES
    verdict = read(text)
    assert isinstance(verdict, Said) and verdict.code == "5.1.1"


@pytest.mark.parametrize("seed", range(12))
def test_damaged_reports_of_the_sandbox_are_seen_as_such(seed: int) -> None:
    mail = Returned("b+x@bounces.example.com", "ann@example.net", b"Subject: Hello\r\n")
    data = bounce_mail.malformed(mail, "Mon, 24 Nov 2025 10:00:00 +0000", Random(seed))
    assert judge(data) == Ignored("malformed")


ALL = [text.encode() for text, *_ in REPORTS.values()]
WORDS = [
    *(b"Content-Type: multipart/report; boundary=x\n\n", b"--x\n", b"--x--\n", b"\n", b"\n\n"),
    *(b"Content-Type: message/delivery-status\n\n", b"Action: failed\n", b"Status: 5.1.1\n"),
    *(b"Content-Type: message/feedback-report\n\n", b"Feedback-Type: abuse\n", b"\0", b"\xff\xfe"),
    *(b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n"),
    *(b"boundary*=utf-8''x", b'Content-Type: multipart/mixed; boundary="', b"\r", b"=\n", b" "),
]


def test_nothing_that_is_nested_or_long_takes_long_or_fails() -> None:
    for data in (
        b'Content-Type: multipart/report; boundary="x"\n\n--x\n' * 20_000,
        b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\n\n" * 50_000,
        b"Content-Type: " + b"multipart/report; " * 20_000 + b"\n\n",
        b"X: y\n" * 60_000,
        b"A" * 500_000,
        b"Content-Type: message/delivery-status\n\n" + b"Action: danced\n\n" * 40_000,
    ):
        assert isinstance(judge(data), Ignored)


@given(st.binary(max_size=2_000) | st.lists(st.sampled_from(WORDS), max_size=60).map(b"".join))
@example(b"Content-Type: multipart/report; boundary=\xc3\xa9\n\n--\xc3\xa9\n")
@settings(max_examples=400)
def test_noise_is_never_an_error(data: bytes) -> None:
    verdict = judge(data)
    if isinstance(verdict, Said):
        assert (verdict.code + verdict.detail).isascii()
        assert len(verdict.code) <= 40 and len(verdict.detail) <= 200


@given(st.sampled_from(ALL), st.data())
@settings(max_examples=400)
def test_damage_is_never_an_error(report: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(report)))
    end = data.draw(st.integers(begin, min(len(report), begin + 60)))
    judge(report[:begin] + data.draw(st.binary(max_size=40)) + report[end:])
