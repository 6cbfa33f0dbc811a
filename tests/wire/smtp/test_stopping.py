"""Stopping: what is under way ends, and is told as far as it is known."""

import asyncio

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer, serve
from tests.support.wait import until
from tests.wire.smtp.harness import account


async def test_stopping_lets_a_mail_under_way_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.envelope()
        await peer.data()
        await asyncio.sleep(0.15)
        await peer.say("250 queued as SLOW")
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        await until(lambda: engine.guarded)
        await adapter.stop(5_000)
        assert engine.outcomes["m1.a.1"].provider_id == "SLOW"
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).kind == "not_sent"


@pytest.mark.parametrize(("after_data", "kind"), [(False, "not_sent"), (True, "unknown")])
async def test_stopping_without_grace_tells_what_is_known(after_data: bool, kind: str) -> None:
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")
        if after_data:
            await peer.say("250 ok", "250 ok", "354 go on")
            await peer.data()
        reached.set()
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        await reached.wait()
        await adapter.stop(0)
        assert engine.outcomes["m1.a.1"].kind == kind


async def test_stopping_while_a_mail_waits_for_its_connection() -> None:
    async def deaf(peer: Peer) -> None:
        await peer.gone()

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        await peer.expect("QUIT")

    async with (
        ScriptedServer(script, deaf) as server,
        account(server.port, mails_per_connection=1) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1"))
        await engine.outcome("m1.a.1")
        adapter.submit(engine.call("m2.a.1"))
        await until(lambda: server.connections == 2)
        await adapter.stop(50)
        assert engine.outcomes["m2.a.1"].kind == "not_sent"


async def test_stopping_before_the_first_step_of_connecting() -> None:
    async with ScriptedServer(then=serve) as server:
        async with account(server.port, up=False) as (adapter, _):
            await adapter.stop(0)
            assert adapter.state() == "down: stopped"
        assert server.connections == 0
