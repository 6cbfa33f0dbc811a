"""A no at each command, and the mail after it."""

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer
from tests.support.wait import until
from tests.wire.smtp.harness import account

PLAIN = ("8BITMIME",)  # no PIPELINING, no SIZE
BOTH = pytest.mark.parametrize("extensions", [USUAL, PLAIN], ids=["pipelining", "one_by_one"])


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
