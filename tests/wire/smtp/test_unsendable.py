"""What cannot be a mail, and what only some servers take."""

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer, serve
from tests.wire.smtp.harness import account

UNSENDABLE = [
    ({"to": "ann@example.net\r\nRCPT TO:<eve@example.net>"}, "invalid_target"),
    ({"to": "ann"}, "invalid_target"),
    ({"subject": "Hi\r\nBcc: eve@example.net"}, "permanent"),
    ({"sender": "x@y\nBcc: eve@example.net"}, "permanent"),
    ({"to": "änn@example.net"}, "permanent"),
    ({"text": "x\n" * 600_000}, "permanent"),
]


@pytest.mark.parametrize(("fields", "kind"), UNSENDABLE)
async def test_what_cannot_be_a_mail_never_reaches_the_server(
    fields: dict[str, str], kind: str
) -> None:
    async with ScriptedServer(then=serve) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", **fields))
        assert engine.outcomes == {}  # told later, never from inside submit
        outcome = await engine.outcome("m1.a.1")
        assert outcome.kind == kind
        assert "eve" not in outcome.detail
        adapter.submit(engine.call("m2.a.1"))
        assert (await engine.outcome("m2.a.1")).provider_id == "N1"


async def test_an_international_address_goes_where_smtputf8_is_offered() -> None:
    envelope = []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL, "SMTPUTF8")
        envelope.append(await peer.expect("MAIL"))
        await peer.say("250 ok")
        envelope.append(await peer.expect("RCPT"))
        await peer.say("250 ok")
        await peer.expect("DATA")
        await peer.say("354 go on")
        assert "To: änn@例え.jp".encode() in await peer.data()
        await peer.say("250 ok")
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", to="änn@例え.jp"))
        assert (await engine.outcome("m1.a.1")).kind == "accepted"
    assert envelope[0].endswith(" BODY=8BITMIME SMTPUTF8")
    assert envelope[1] == "RCPT TO:<änn@例え.jp>"
