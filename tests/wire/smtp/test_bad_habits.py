"""A server that resets, hangs, or answers at the wrong moment: what the engine is told."""

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
