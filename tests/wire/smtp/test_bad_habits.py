"""A server that misbehaves: what the engine is told, and what really went over the wire."""

import asyncio

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer
from tests.support.wait import until
from tests.wire.smtp.harness import account

PLAIN = ("8BITMIME",)  # no PIPELINING, no SIZE
BOTH = pytest.mark.parametrize("extensions", [USUAL, PLAIN], ids=["pipelining", "one_by_one"])


async def test_reset_after_the_dot_is_a_doubt() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        peer.reset()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"


@BOTH
async def test_reset_before_354_is_a_definite_no(extensions: tuple[str, ...]) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*extensions)
        await peer.expect("MAIL")
        await peer.say("250 ok")
        await peer.expect("RCPT")
        peer.reset()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "not_sent"
        assert engine.guarded == []


@BOTH
async def test_silence_before_354_is_a_definite_no(extensions: tuple[str, ...]) -> None:
    sent = []

    async def script(peer: Peer) -> None:
        await peer.hello(*extensions)
        await peer.expect("MAIL")
        await peer.say("250 ok")
        await peer.expect("RCPT")
        await peer.say("250 ok")
        await peer.expect("DATA")
        sent.append(await peer.gone())

    async with (
        ScriptedServer(script) as server,
        account(server.port, reply_timeout_ms=400) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1"))
        outcome = await engine.outcome("m1.a.1")
        await until(lambda: sent)
    assert (outcome.kind, outcome.detail) == ("not_sent", "data: no reply in time")
    assert sent == [b""]
    assert engine.guarded == []


async def test_hang_after_the_dot_is_a_doubt_and_a_late_yes_is_told() -> None:
    speak = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        await speak.wait()
        await peer.say("250 2.0.0 Ok: queued as LATE7")
        await peer.gone()

    async def second(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail("250 2.0.0 Ok: queued as NEXT8")
        await peer.gone()

    async with (
        ScriptedServer(script, second) as server,
        account(server.port, data_timeout_ms=400) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"
        # The hanging connection listens on; the next mail goes over a new one meanwhile.
        await until(lambda: adapter.capacity() == 1)
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).provider_id == "NEXT8"
        assert engine.lates == []
        speak.set()
        await until(lambda: engine.lates)
        ((ref, late),) = engine.lates
        assert (ref, late.kind, late.provider_id) == ("m1.a.1", "accepted", "LATE7")


async def test_a_late_no_is_told_too() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        await asyncio.sleep(0.25)
        await peer.say("554 5.6.0 bad content")
        await peer.gone()

    async with (
        ScriptedServer(script) as server,
        account(server.port, data_timeout_ms=100) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"
        await until(lambda: engine.lates)
        assert engine.lates[0][1].kind == "permanent"


async def test_listening_for_late_answers_is_bounded() -> None:
    left = []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        number = server.connections
        await peer.gone()
        left.append(number)

    async with (
        ScriptedServer(script, script, script) as server,
        account(server.port, data_timeout_ms=60, connections=1) as (adapter, engine),
    ):
        for i in range(3):
            await until(lambda: adapter.capacity() == 1)
            adapter.submit(engine.call(f"m{i}.a.1"))
            assert (await engine.outcome(f"m{i}.a.1")).kind == "unknown"
        # One listens for each connection that the account may have; the oldest had to go.
        await until(lambda: left == [1, 2])


@BOTH
async def test_guard_that_says_no_leaves_nothing_on_the_wire(extensions: tuple[str, ...]) -> None:
    sent = []

    async def script(peer: Peer) -> None:
        await peer.hello(*extensions)
        await peer.envelope()
        sent.append(await peer.gone())
        assert peer.was_reset

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", guard=lambda: False))
        assert (await engine.outcome("m1.a.1")).kind == "withdrawn"
        assert engine.guarded == ["m1.a.1"]
        await until(lambda: sent)
    assert sent == [b""]


async def test_a_guard_that_breaks_leaves_nothing_on_the_wire() -> None:
    sent, broken = [], []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        sent.append(await peer.gone())
        assert peer.was_reset

    def guard() -> bool:
        raise RuntimeError("the guard broke")

    asyncio.get_running_loop().set_exception_handler(lambda _, told: broken.append(told))
    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", guard=guard))
        assert (await engine.outcome("m1.a.1")).kind == "not_sent"
        await until(lambda: sent)
    assert sent == [b""]
    assert broken


async def test_the_guard_is_asked_only_after_354() -> None:
    asked_before = []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        for command in ("MAIL", "RCPT"):
            await peer.expect(command)
            await peer.say("250 ok")
        await peer.expect("DATA")
        await asyncio.sleep(0.1)
        asked_before.extend(engine.guarded)
        await peer.say("354 go on")
        await peer.data()
        await peer.say("250 ok")
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "accepted"
    assert asked_before == []
    assert engine.guarded == ["m1.a.1"]


REFUSALS = [
    ("MAIL", "451 4.3.0 later", "retryable"),
    ("MAIL", "421 4.3.2 closing", "throttled"),
    ("MAIL", "530 5.7.0 authenticate first", "account_fault"),
    ("MAIL", "550 5.7.1 no", "permanent"),
    ("RCPT", "450 4.2.1 busy", "retryable"),
    ("RCPT", "450 4.7.1 too many mails, try again in 7 seconds", "throttled"),
    ("RCPT", "550 5.1.1 unknown", "invalid_target"),
    ("RCPT", "554 5.7.1 policy", "permanent"),
    ("DATA", "452 4.3.1 disk full", "retryable"),
    ("DATA", "554 5.5.1 no", "permanent"),
    ("dot", "451 4.3.0 later", "retryable"),
    ("dot", "550 5.7.1 spam", "permanent"),
    ("dot", "552 5.3.4 too big", "permanent"),
]


@BOTH
@pytest.mark.parametrize(("at", "reply", "kind"), REFUSALS)
async def test_a_refusal_at_each_command(
    extensions: tuple[str, ...], at: str, reply: str, kind: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*extensions)
        pipelined = "PIPELINING" in extensions
        refused = False
        for command in ("MAIL", "RCPT", "DATA"):
            await peer.expect(command)
            if command == at:
                refused = True
                await peer.say(reply)
                if reply.startswith("421"):
                    return
                if not pipelined:
                    break
            elif refused:
                await peer.say("503 5.5.1 out of order")
            else:
                await peer.say("354 go on" if command == "DATA" else "250 ok")
        if at == "dot":
            await peer.data()
            await peer.say(reply)
        if kind == "account_fault":
            assert await peer.expect("QUIT")
            return
        if at != "dot":
            # The next mail clears what the refused one left behind.
            await peer.expect("RSET")
            await peer.say("250 ok")
        await peer.mail("250 ok queued as AFTER1")
        await peer.gone()

    async def fresh(peer: Peer) -> None:
        await peer.hello(*extensions)
        await peer.mail("250 ok queued as AFTER1")
        await peer.gone()

    async with ScriptedServer(script, fresh) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        outcome = await engine.outcome("m1.a.1")
        assert outcome.kind == kind
        assert outcome.code.startswith(reply[:3])
        assert "ann" not in outcome.detail
        if kind == "throttled":
            assert outcome.wait_ms == (7_000 if "7 seconds" in reply else 5_000)
        if kind == "account_fault":
            assert engine.faults
            assert adapter.capacity() == 0
            assert adapter.state().startswith("fault: ")
            return
        await until(lambda: adapter.capacity() == 1)
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).provider_id == "AFTER1"


async def test_354_after_a_refused_recipient_is_ended_with_an_empty_mail() -> None:
    """RFC 2920: the server may answer DATA with 354 though it refused the only recipient."""

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")
        await peer.say("250 ok")
        await peer.expect("RCPT")
        await peer.say("550 5.1.1 unknown")
        await peer.expect("DATA")
        await peer.say("354 go on")
        assert await peer.expect(".") == "."
        await peer.say("554 5.5.1 no valid recipients")
        await peer.expect("RSET")
        await peer.say("250 ok")
        await peer.mail()
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "invalid_target"
        assert engine.guarded == []
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).kind == "accepted"
        assert server.connections == 1


JUNK = ["hello there", "250", "999 what", "abc", "", "354-never\r\n250 ends", "1" * 5000]


@pytest.mark.parametrize("junk", JUNK)
async def test_junk_instead_of_354(junk: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")
        await peer.say("250 ok")
        await peer.expect("RCPT")
        await peer.say("250 ok")
        await peer.expect("DATA")
        await peer.say(junk)
        assert await peer.gone() == b""

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "not_sent"
        assert engine.guarded == []


@pytest.mark.parametrize("junk", ["hello there", "999 what", "354 again", ""])
async def test_junk_after_the_dot_is_a_doubt(junk: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        await peer.say(junk)
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"


async def test_a_yes_followed_by_junk_is_a_yes_and_the_last_of_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        await peer.say("250 ok queued as YES1", "and more")
        assert await peer.gone() == b""

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).provider_id == "YES1"
        await until(lambda: server.connections == 2)


async def test_a_second_yes_is_not_taken_for_the_next_mail() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        await peer.say("250 queued as YES1", "250 and again")
        assert await peer.gone() == b""

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        second = engine.call("m2.a.1")
        adapter.submit(engine.call("m1.a.1", then=lambda _: adapter.submit(second)))
        assert (await engine.outcome("m1.a.1")).provider_id == "YES1"
        assert (await engine.outcome("m2.a.1")).kind == "not_sent"


async def test_a_server_that_answers_ahead_gets_no_data() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")
        await peer.say("250 ok", "250 ok", "354 go on", "250 taken, whatever it is")
        rest = await peer.gone()
        assert b"Subject" not in rest

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "not_sent"
        assert engine.guarded == []


async def test_replies_of_many_lines_and_in_many_pieces() -> None:
    async def script(peer: Peer) -> None:
        await peer.say("220-script", "220-with a long", "220 greeting")
        await peer.ehlo(*USUAL)
        for command, text in (
            ("MAIL", "250-2.1.0 fine\r\n250 2.1.0 go on\r\n"),
            ("RCPT", "250-2.1.5 fine\r\n250 2.1.5 go on\r\n"),
            ("DATA", "354-well\r\n354 go on\r\n"),
        ):
            await peer.expect(command)
            for c in text:
                peer.writer.write(c.encode())
                await asyncio.sleep(0.001)
        await peer.data()
        await peer.say("250-2.0.0 Ok", "250 2.0.0 queued as MANY1")
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).provider_id == "MANY1"


LARGE = {"text": "A line of a rather long letter.\n" * 600_000}
LARGE_OK = {"size_max_bytes": 100_000_000}


@pytest.mark.parametrize(
    ("reply", "kind"), [("552 5.3.4 too big", "permanent"), ("250 queued as EARLY", "unknown")]
)
async def test_an_answer_in_the_middle_of_a_large_mail(reply: str, kind: str) -> None:
    """A no stands. A yes to a mail that was not read to its end is none. Neither goes on."""
    ends = []

    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING", "SIZE 99000000")
        await peer.envelope()
        await peer.reader.readexactly(1000)
        peer.writer.transport.pause_reading()
        await peer.say(reply)
        await until(lambda: engine.outcomes)
        peer.writer.transport.resume_reading()
        ends.append((await peer.gone())[-5:])
        assert peer.was_reset

    async with (
        ScriptedServer(script) as server,
        account(server.port, **LARGE_OK) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1", **LARGE))
        assert (await engine.outcome("m1.a.1")).kind == kind
        await until(lambda: ends)
    assert ends != [b"\r\n.\r\n"]


async def test_a_server_that_does_not_read_is_cut_off_after_the_write_time_out() -> None:
    cut = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING", "SIZE 99000000")
        await peer.envelope()
        peer.writer.transport.pause_reading()
        await cut.wait()

    async with (
        ScriptedServer(script) as server,
        account(server.port, write_timeout_ms=500, **LARGE_OK) as (adapter, engine),
    ):
        begin = asyncio.get_running_loop().time()
        adapter.submit(engine.call("m1.a.1", **LARGE))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"
        assert asyncio.get_running_loop().time() - begin < 5
        cut.set()
