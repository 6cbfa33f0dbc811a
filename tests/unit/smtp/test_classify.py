"""Replies as real servers write them, and what they mean."""

import time

import pytest

from core.providers.port import DEFINITE_NO
from core.providers.smtp.classify import accepted, queue_id, refused, scrubbed
from core.providers.smtp.reply import Reply

REFUSALS = [
    # phase, code, text, kind
    ("mail", 451, "4.3.0 Temporary lookup failure", "retryable"),
    ("mail", 452, "4.3.1 Insufficient system storage", "retryable"),
    ("mail", 421, "4.3.2 Service shutting down", "throttled"),
    ("mail", 450, "4.7.1 Error: too much mail from 192.0.2.1", "throttled"),
    ("mail", 454, "Throttling failure: Maximum sending rate exceeded.", "throttled"),
    ("mail", 530, "5.7.0 Must issue a STARTTLS command first", "account_fault"),
    ("mail", 535, "5.7.8 Authentication credentials invalid", "account_fault"),
    ("mail", 550, "5.7.8 Authentication required", "account_fault"),
    ("mail", 503, "5.5.1 Error: nested MAIL command", "retryable"),
    ("mail", 553, "5.7.1 Sender address rejected: not owned by user", "permanent"),
    ("mail", 550, "5.1.8 Sender address rejected: Domain not found", "permanent"),
    ("mail", 552, "5.3.4 Message size exceeds fixed limit", "permanent"),
    ("mail", 501, "5.1.7 Bad sender address syntax", "permanent"),
    ("rcpt", 450, "4.2.1 The user is receiving mail too quickly. Try later.", "throttled"),
    ("rcpt", 450, "4.1.1 unverified address", "retryable"),
    ("rcpt", 451, "4.7.1 Greylisted, try again in 5 minutes", "throttled"),
    ("rcpt", 451, "Greylisting in action", "throttled"),
    ("rcpt", 452, "4.2.2 Mailbox full", "retryable"),
    ("rcpt", 550, "5.1.1 <bob@example.net>: User unknown in local table", "invalid_target"),
    ("rcpt", 550, "No such user here", "invalid_target"),
    ("rcpt", 550, "5.5.0 Requested action not taken: mailbox unavailable", "invalid_target"),
    ("rcpt", 550, "5.2.1 Mailbox disabled", "invalid_target"),
    ("rcpt", 551, "User not local", "invalid_target"),
    ("rcpt", 556, "5.1.10 Recipient address has null MX", "invalid_target"),
    ("rcpt", 501, "5.1.3 Bad recipient address syntax", "invalid_target"),
    ("rcpt", 554, "5.7.1 Service unavailable; client blocked using a list", "permanent"),
    ("rcpt", 550, "5.7.1 Relaying denied", "permanent"),
    ("rcpt", 550, "relay not permitted", "permanent"),
    ("rcpt", 550, "Blocked for spam", "permanent"),
    ("rcpt", 550, "5.4.1 Recipient address rejected: Access denied", "permanent"),
    ("rcpt", 553, "sorry, that domain isn't in my list of allowed rcpthosts; sender", "permanent"),
    ("rcpt", 552, "5.2.2 Over quota", "permanent"),
    ("data", 554, "5.5.1 Error: no valid recipients", "permanent"),
    ("data", 451, "4.3.0 Queue file write error", "retryable"),
    ("body", 451, "4.3.0 Queue file write error", "retryable"),
    ("body", 421, "4.7.0 Unsolicited mail, rate limited", "throttled"),
    ("body", 550, "5.7.1 Message rejected as spam", "permanent"),
    ("body", 550, "Administrative prohibition", "permanent"),
    ("body", 550, "5.1.1 no such user", "invalid_target"),
    ("body", 552, "5.3.4 too large", "permanent"),
    ("body", 554, "Email address is not verified.", "permanent"),
    ("body", 530, "5.7.57 Client was not authenticated", "account_fault"),
]


@pytest.mark.parametrize(("phase", "code", "text", "kind"), REFUSALS)
def test_refusals(phase: str, code: int, text: str, kind: str) -> None:
    outcome = refused(
        Reply(code, text),
        phase,
        recipient="bob@example.net",
        throttle_wait_ms=5_000,
        wait_max_ms=3_600_000,
    )
    assert outcome.kind == kind
    assert outcome.kind in DEFINITE_NO
    assert outcome.code.startswith(str(code))
    assert outcome.detail.startswith(f"{phase}: ")
    assert "bob" not in outcome.detail
    assert (outcome.wait_ms > 0) == (kind == "throttled")


WAITS = [
    ("4.7.1 slow down", 5_000),
    ("4.7.1 try again in 300 seconds", 300_000),
    ("4.7.1 Greylisted for 5 minutes", 300_000),
    ("4.7.1 come back in 1 hour", 3_600_000),
    ("4.7.1 come back in 99 hours", 3_600_000),
    ("4.7.1 wait 0 seconds", 1),
]


@pytest.mark.parametrize(("text", "wait_ms"), WAITS)
def test_the_wait_that_a_server_names(text: str, wait_ms: int) -> None:
    outcome = refused(
        Reply(450, text), "rcpt", recipient="x@y", throttle_wait_ms=5_000, wait_max_ms=3_600_000
    )
    assert (outcome.kind, outcome.wait_ms) == ("throttled", wait_ms)


QUEUE_IDS = [
    ("2.0.0 Ok: queued as 4F1C2A3B7D", "4F1C2A3B7D"),
    ("Ok: queued as <abc.123@mta7>", "abc.123@mta7"),
    ("OK id=1rZ4vS-000abc-Xy", "1rZ4vS-000abc-Xy"),
    ("2.0.0 3AS0xyz012345 Message accepted for delivery", "3AS0xyz012345"),
    ("2.6.0 <m@x> [InternalId=98765, Hostname=h] 1 bytes Queued mail for delivery", "98765"),
    ("2.0.0 OK  1700000000 abc-20020a170902.123 - gsmtp", "abc-20020a170902.123"),
    ("ok 1700000000 qp 12345", "12345"),
    ("Message Queued (A1B2-C3.1)", "A1B2-C3.1"),
    ("Ok 0102018f3c7e5a11-1b2c3d4e-000000", "0102018f3c7e5a11-1b2c3d4e-000000"),
    ("2.0.0 Message accepted", ""),
    ("Ok", ""),
    ("", ""),
    ("queued as " + "x" * 200, ""),
]


@pytest.mark.parametrize(("text", "name"), QUEUE_IDS)
def test_queue_ids(text: str, name: str) -> None:
    assert queue_id(text) == name
    assert accepted(Reply(250, text), "<m@x>").provider_id == (name or "<m@x>")


def test_details_hold_no_recipient_no_user_and_no_control() -> None:
    text = "5.1.1 <Bob.Lee@Example.net>: bob.lee unknown, see\nhttp://x \x1b[31m ann@example.org"
    told = scrubbed(text, "bob.lee@example.net")
    assert "lee" not in told.lower()
    assert "ann" not in told
    assert told.isprintable()


def test_a_hostile_reply_costs_no_time() -> None:
    long = Reply(450, "x" * 200_000)
    begin = time.perf_counter()
    refused(long, "rcpt", recipient="x@y", throttle_wait_ms=1, wait_max_ms=1)
    accepted(Reply(250, long.text), "<m@x>")
    assert time.perf_counter() - begin < 0.2
    assert len(scrubbed(long.text)) <= 200
