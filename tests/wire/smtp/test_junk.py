"""Replies that are none, or stand where none was asked for, or come in pieces."""

import asyncio

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer
from tests.support.wait import until
from tests.wire.smtp.harness import account

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
