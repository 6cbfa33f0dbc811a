"""Several connections, kept and lost: places, reuse, backoff, and what is too many."""

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer, serve
from tests.support.wait import until
from tests.wire.smtp.harness import account


async def test_one_connection_carries_many_mails() -> None:
    async with ScriptedServer(then=serve) as server, account(server.port) as (adapter, engine):
        for i in range(20):
            adapter.submit(engine.call(f"m{i}.a.1"))
            assert (await engine.outcome(f"m{i}.a.1")).provider_id == f"N{i + 1}"
        assert server.connections == 1


async def test_connections_are_made_as_mails_need_them() -> None:
    async with (
        ScriptedServer(then=serve) as server,
        account(server.port, connections=3) as (adapter, engine),
    ):
        assert server.connections == 1
        assert adapter.capacity() == 3
        for i in range(4):
            adapter.submit(engine.call(f"m{i}.a.1"))
        kinds = [(await engine.outcome(f"m{i}.a.1")).kind for i in range(4)]
        assert kinds == ["accepted"] * 3 + ["not_sent"]
        assert server.connections == 3


async def test_a_call_can_be_submitted_from_the_outcome_of_another() -> None:
    async with ScriptedServer(then=serve) as server, account(server.port) as (adapter, engine):
        second = engine.call("m2.a.1")
        adapter.submit(engine.call("m1.a.1", then=lambda _: adapter.submit(second)))
        assert (await engine.outcome("m2.a.1")).provider_id == "N2"


async def test_a_connection_carries_no_more_mails_than_it_may() -> None:
    async with (
        ScriptedServer(then=serve) as server,
        account(server.port, mails_per_connection=2) as (adapter, engine),
    ):
        ids = []
        for i in range(5):
            assert adapter.capacity() == 1
            adapter.submit(engine.call(f"m{i}.a.1"))
            ids.append((await engine.outcome(f"m{i}.a.1")).provider_id)
        assert ids == ["N1", "N2", "N1", "N2", "N1"]
        assert server.connections == 3


async def test_an_idle_connection_is_closed_politely_and_opened_again_on_demand() -> None:
    quits = []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        quits.append(await peer.expect("QUIT"))
        await peer.say("221 bye")

    async with (
        ScriptedServer(then=script) as server,
        account(server.port, idle_close_ms=300) as (adapter, engine),
    ):
        for i in range(2):
            adapter.submit(engine.call(f"m{i}.a.1"))
            assert (await engine.outcome(f"m{i}.a.1")).kind == "accepted"
            await until(lambda: len(quits) == i + 1)  # noqa: B023
            assert adapter.capacity() == 1
        assert server.connections == 2


@pytest.mark.parametrize("farewell", ["421 4.4.2 timeout", ""])
async def test_a_kept_connection_that_ends_as_it_is_used_costs_nothing(farewell: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        await peer.expect("MAIL")
        if farewell:
            await peer.say(farewell)

    async def second(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail("250 queued as SECOND")
        await peer.gone()

    async with ScriptedServer(script, second) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        await engine.outcome("m1.a.1")
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).provider_id == "SECOND"
        assert engine.guarded == ["m1.a.1", "m2.a.1"]


async def test_a_mail_is_given_one_fresh_connection_only() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        await peer.expect("MAIL")

    async def second(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.expect("MAIL")

    async with ScriptedServer(script, second) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        await engine.outcome("m1.a.1")
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).kind == "not_sent"


async def test_a_421_between_mails_is_noticed_before_the_next() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        await peer.say("421 4.3.2 shutting down")
        assert await peer.gone() == b""

    async with ScriptedServer(script, serve) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        await engine.outcome("m1.a.1")
        await until(lambda: server.connections == 2 and adapter.capacity() == 1)
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).provider_id == "N1"


async def test_no_places_while_nothing_listens_and_places_again_when_it_does() -> None:
    server = ScriptedServer(then=serve)
    async with server:
        port = server.port
    async with account(port, up=False, connections=2) as (adapter, engine):
        await until(lambda: adapter.state().startswith("down: "))
        assert adapter.capacity() == 0
        adapter.submit(engine.call("m0.a.1"))
        outcome = await engine.outcome("m0.a.1")
        assert (outcome.kind, outcome.detail) == ("not_sent", "no connection is free")
        changes = engine.changes
        async with server:
            await until(lambda: adapter.capacity() == 2)
            assert adapter.state() == "up"
            assert engine.changes > changes
            adapter.submit(engine.call("m1.a.1"))
            assert (await engine.outcome("m1.a.1")).kind == "accepted"
            await adapter.stop(100)


async def test_a_server_that_goes_away_takes_the_places_with_it() -> None:
    async with (
        ScriptedServer(then=serve) as server,
        account(server.port, connections=3) as (adapter, engine),
    ):
        for i in range(3):
            adapter.submit(engine.call(f"m{i}.a.1"))
        for i in range(3):
            await engine.outcome(f"m{i}.a.1")
        await server.vanish()
        await until(lambda: adapter.capacity() == 0)
        await until(lambda: adapter.state().startswith("down: "))


async def test_a_busy_greeting_throttles_the_mail_that_waited_for_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        await peer.expect("QUIT")

    async def busy(peer: Peer) -> None:
        await peer.say("421 4.7.0 too many connections, try again in 2 minutes")

    async with (
        ScriptedServer(script, busy) as server,
        account(server.port, mails_per_connection=1) as (adapter, engine),
    ):
        adapter.submit(engine.call("m1.a.1"))
        await engine.outcome("m1.a.1")
        adapter.submit(engine.call("m2.a.1"))
        outcome = await engine.outcome("m2.a.1")
        assert (outcome.kind, outcome.wait_ms) == (
            "throttled",
            60_000,
        )  # two minutes were asked; one is believed
        assert adapter.capacity() == 0
        assert "too many connections" in adapter.state()


async def test_one_connection_too_many_does_not_pause_the_others() -> None:
    async def busy(peer: Peer) -> None:
        await peer.say("421 4.7.0 too many connections, try again in 2 minutes")

    async with (
        ScriptedServer(serve, then=busy) as server,
        account(server.port, connections=2) as (adapter, engine),
    ):
        for i in range(2):
            adapter.submit(engine.call(f"m{i}.a.1"))
        kinds = {(await engine.outcome(f"m{i}.a.1")).kind for i in range(2)}
        assert kinds == {"accepted", "not_sent"}
        assert adapter.capacity() == 1
        assert adapter.state() == "up"


async def test_a_connection_that_is_used_up_is_replaced_though_others_are_refused() -> None:
    async def busy(peer: Peer) -> None:
        await peer.say("421 4.7.0 too many connections, try again in 2 minutes")

    async with (
        ScriptedServer(serve, busy, then=serve) as server,
        account(server.port, connections=2, mails_per_connection=2) as (adapter, engine),
    ):
        for i in range(2):
            adapter.submit(engine.call(f"m{i}.a.1"))
        for i in range(2):
            await engine.outcome(f"m{i}.a.1")
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).provider_id == "N2"
        await until(lambda: server.connections == 3 and adapter.capacity() == 1)
        adapter.submit(engine.call("m3.a.1"))
        assert (await engine.outcome("m3.a.1")).provider_id == "N1"
