"""Calls that wait in the adapter for a connection: their order, their bound, and their end."""

import asyncio
import re

from core.providers.port import Adapter
from tests.support.smtp_script import USUAL, Peer, ScriptedServer
from tests.support.wait import until
from tests.wire.smtp.harness import Engine, account


class Taker:
    """A server's script that takes mails; while `gate` is shut, it answers no data block."""

    def __init__(self, *, gate_open: bool = True) -> None:
        self.refs: list[str] = []
        self.now = self.most = 0
        self.gate = asyncio.Event()
        if gate_open:
            self.gate.set()

    async def __call__(self, peer: Peer) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await peer.hello(*USUAL)
            while (line := (await peer.reader.readline()).decode()).startswith("MAIL"):
                await peer.say("250 ok")
                await peer.expect("RCPT")
                await peer.say("250 ok")
                await peer.expect("DATA")
                await peer.say("354 go on")
                found = re.search(rb"X-GouTong-Ref: (\S+)", await peer.data())
                assert found is not None
                self.refs.append(found[1].decode())
                await self.gate.wait()
                await peer.say("250 ok")
            if line.startswith("QUIT"):
                await peer.say("221 bye")
        finally:
            self.now -= 1


def submit(adapter: Adapter, engine: Engine, count: int) -> list[str]:
    refs = [f"m{i}.a.1" for i in range(count)]
    for ref in refs:
        adapter.submit(engine.call(ref))
    return refs


async def kinds(engine: Engine, refs: list[str]) -> list[str]:
    return [(await engine.outcome(ref)).kind for ref in refs]


async def test_more_calls_than_connections_go_in_the_order_of_submission() -> None:
    taker = Taker()
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, queue_ahead=19) as (adapter, engine),
    ):
        assert adapter.capacity() == 20
        refs = submit(adapter, engine, 20)
        assert await kinds(engine, refs) == ["accepted"] * 20
        assert taker.refs == engine.guarded == list(engine.outcomes) == refs
        assert server.connections == 1


async def test_the_order_stands_though_the_connection_is_used_up_in_between() -> None:
    taker = Taker()
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, queue_ahead=6, mails_per_connection=2) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 7)
        assert await kinds(engine, refs) == ["accepted"] * 7
        assert taker.refs == refs
        assert server.connections == 4


async def test_a_call_submitted_from_an_outcome_goes_behind_those_that_wait() -> None:
    taker = Taker()
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, queue_ahead=2) as (adapter, engine),
    ):
        last = engine.call("last.a.1")
        adapter.submit(engine.call("first.a.1", then=lambda _: adapter.submit(last)))
        refs = submit(adapter, engine, 2)
        assert (await engine.outcome("last.a.1")).kind == "accepted"
        assert taker.refs == ["first.a.1", *refs, "last.a.1"]


async def test_never_more_sessions_than_connections() -> None:
    taker = Taker()
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, connections=3, queue_ahead=5) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 18)
        assert await kinds(engine, refs) == ["accepted"] * 18
        assert sorted(taker.refs) == sorted(refs)
        assert taker.most == server.connections == 3


async def test_more_than_the_capacity_ends_as_not_sent_youngest_first() -> None:
    taker = Taker(gate_open=False)
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, connections=2, queue_ahead=2) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 8)
        assert await kinds(engine, refs[6:]) == ["not_sent"] * 2
        assert len(engine.outcomes) == 2
        taker.gate.set()
        assert await kinds(engine, refs[:6]) == ["accepted"] * 6


async def test_waiting_calls_end_when_the_server_goes_away() -> None:
    taker = Taker(gate_open=False)
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, queue_ahead=3) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 4)
        await until(lambda: taker.refs)
        await server.vanish()
        assert await kinds(engine, refs) == ["unknown"] + ["not_sent"] * 3
        assert engine.guarded == refs[:1]
        assert adapter.capacity() == 0


async def test_waiting_calls_end_when_no_other_connection_can_be_opened() -> None:
    async def busy(peer: Peer) -> None:
        await peer.say("421 4.7.0 too many connections, try again in 2 minutes")

    async with (
        ScriptedServer(Taker(), then=busy) as server,
        account(server.port, queue_ahead=3, mails_per_connection=1) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 4)
        assert await kinds(engine, refs) == ["accepted", "throttled", "not_sent", "not_sent"]
        assert adapter.capacity() == 0


async def test_only_the_calls_that_the_lost_connection_would_have_carried_end() -> None:
    taker = Taker(gate_open=False)
    reached, lost = asyncio.Event(), asyncio.Event()

    async def fragile(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")
        reached.set()
        await lost.wait()

    async with (
        ScriptedServer(taker, fragile) as server,
        account(
            server.port,
            connections=2,
            queue_ahead=1,
            reconnect_min_ms=60_000,
            reconnect_max_ms=60_000,
        ) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 4)
        await reached.wait()
        lost.set()
        assert await kinds(engine, [refs[1], refs[3]]) == ["not_sent"] * 2
        assert adapter.capacity() == 2
        taker.gate.set()
        assert await kinds(engine, [refs[0], refs[2]]) == ["accepted"] * 2
        assert taker.refs == [refs[0], refs[2]]


async def test_no_waiting_call_is_offered_once_the_account_is_refused() -> None:
    offered = []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")
        await peer.expect("RCPT")
        await peer.expect("DATA")
        await peer.say(*["530 5.7.0 authenticate first"] * 3)
        offered.append(await peer.gone())

    async with (
        ScriptedServer(script) as server,
        account(server.port, queue_ahead=3) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 4)
        assert await kinds(engine, refs) == ["account_fault"] + ["not_sent"] * 3
        await until(lambda: offered)
    assert offered == [b""]
    assert engine.guarded == []


async def test_a_call_that_waited_too_long_is_withdrawn_and_the_next_goes() -> None:
    taker = Taker(gate_open=False)
    valid = True
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, queue_ahead=3) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1"))
        adapter.submit(engine.call("late.a.1", guard=lambda: valid))
        adapter.submit(engine.call("m2.a.1"))
        await until(lambda: taker.refs)
        assert engine.guarded == ["m1.a.1"]
        valid = False
        taker.gate.set()
        found = await kinds(engine, ["m1.a.1", "late.a.1", "m2.a.1"])
        assert found == ["accepted", "withdrawn", "accepted"]
        assert engine.guarded == ["m1.a.1", "late.a.1", "m2.a.1"]
    assert taker.refs == ["m1.a.1", "m2.a.1"]


async def test_stopping_ends_waiting_calls_at_once_and_lets_the_others_end() -> None:
    taker = Taker(gate_open=False)
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, connections=2, queue_ahead=2) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 6)
        await until(lambda: len(taker.refs) == 2)
        stopping = asyncio.create_task(adapter.stop(5_000))
        assert await kinds(engine, refs[2:]) == ["not_sent"] * 4
        assert len(engine.outcomes) == 4
        taker.gate.set()
        await stopping
        assert await kinds(engine, refs[:2]) == ["accepted"] * 2


async def test_stopping_without_grace_tells_each_call_its_end() -> None:
    taker = Taker(gate_open=False)
    async with (
        ScriptedServer(then=taker) as server,
        account(server.port, queue_ahead=3) as (adapter, engine),
    ):
        refs = submit(adapter, engine, 4)
        await until(lambda: taker.refs)
        await adapter.stop(0)
        taker.gate.set()
        assert [engine.outcomes[ref].kind for ref in refs] == ["unknown"] + ["not_sent"] * 3
