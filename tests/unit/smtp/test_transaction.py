"""One mail against every order of replies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.providers.port import DEFINITE_NO
from core.providers.smtp.mime import Mail
from core.providers.smtp.reply import Extensions, Reply
from core.providers.smtp.transaction import Transaction, Waits, unfit

MAIL = Mail("news@example.com", "ann@example.net", b"Subject: x\r\n\r\nx\r\n", "<m@x>", False)
WAITS = Waits(5_000, 60_000)

replies = st.builds(
    Reply, st.sampled_from([250, 251, 354, 334, 421, 450, 503, 530, 550]), st.just("")
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(replies, st.booleans(), st.booleans()), max_size=8),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_before_the_data_block_every_end_is_a_definite_no(
    said: list[tuple[Reply, bool, bool]], pipelining: bool, reset_first: bool, reused: bool
) -> None:
    transaction = Transaction(
        MAIL,
        Extensions(pipelining=pipelining),
        WAITS,
        reset_first=reset_first,
        reused=reused,
    )
    written = transaction.start()
    for reply, alone, drained in said:
        begun = transaction.begun
        step = transaction.reply(reply, alone=alone, drained=drained)
        written += step.write
        if step.body:
            assert not begun
            assert reply.code == 354
            assert alone
            assert transaction.given_up("x").outcome.kind == "not_sent"
            transaction.begin_body()
        elif step.outcome is not None:
            if not begun or reply.code >= 400:
                assert step.outcome.kind in DEFINITE_NO
            elif step.outcome.kind == "accepted":
                assert reply.code < 300
                assert drained
            else:
                assert step.outcome.kind == "unknown"
            if step.stale:
                assert reused
                assert not begun
            if not alone:
                assert step.close
            break
    else:
        outcome = transaction.given_up("lost").outcome
        assert outcome.kind == "unknown" if transaction.begun else outcome.kind in DEFINITE_NO
    assert b"Subject" not in written


def test_the_envelope_goes_out_in_one_write_where_it_may() -> None:
    offered = Extensions(pipelining=True, size_offered=True)
    transaction = Transaction(MAIL, offered, WAITS, reset_first=True, reused=True)
    assert transaction.start() == (
        b"RSET\r\nMAIL FROM:<news@example.com> SIZE=17\r\nRCPT TO:<ann@example.net>\r\nDATA\r\n"
    )


def test_without_pipelining_one_command_waits_for_the_other() -> None:
    transaction = Transaction(MAIL, Extensions(), WAITS, reset_first=False, reused=False)
    assert transaction.start() == b"MAIL FROM:<news@example.com>\r\n"
    for expected in (b"RCPT TO:<ann@example.net>\r\n", b"DATA\r\n"):
        step = transaction.reply(Reply(250, "ok"), alone=True, drained=True)
        assert step.write == expected
    assert transaction.reply(Reply(354, "go"), alone=True, drained=True).body


def test_a_refusal_stands_though_the_connection_is_lost_after_it() -> None:
    transaction = Transaction(
        MAIL, Extensions(pipelining=True), WAITS, reset_first=False, reused=True
    )
    transaction.reply(Reply(250, "ok"), alone=False, drained=True)
    transaction.reply(Reply(550, "5.1.1 unknown"), alone=False, drained=True)
    step = transaction.given_up("lost")
    assert step.outcome.kind == "invalid_target"
    assert not step.stale


@pytest.mark.parametrize(
    ("extensions", "size_max", "kind"),
    [
        (Extensions(), 1_000, None),
        (Extensions(size_offered=True, size_max=17), 1_000, None),
        (Extensions(size_offered=True, size_max=16), 1_000, "permanent"),
        (Extensions(), 16, "permanent"),
    ],
)
def test_sizes(extensions: Extensions, size_max: int, kind: str | None) -> None:
    outcome = unfit(MAIL, extensions, size_max)
    assert (outcome.kind if outcome else None) == kind
