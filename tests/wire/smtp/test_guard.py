"""The lease's guard: asked once, after 354, and obeyed."""

import asyncio

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer
from tests.support.wait import until
from tests.wire.smtp.harness import account

PLAIN = ("8BITMIME",)  # no PIPELINING, no SIZE
BOTH = pytest.mark.parametrize("extensions", [USUAL, PLAIN], ids=["pipelining", "one_by_one"])


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
