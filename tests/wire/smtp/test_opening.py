"""Greeting, STARTTLS and AUTH with servers that are not to be trusted."""

import asyncio
import base64
import socket
import ssl
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.smtp_script import USUAL, Peer, ScriptedServer
from tests.support.wait import until
from tests.wire.smtp.harness import account
from tests.wire.smtp.real_server import PASSWORD, USER, make_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
async def test_words_in_clear_after_starttls_are_refused(
    pause_s: float, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    """Who can write into the connection must not be able to speak as the server behind TLS."""
    after: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL, "STARTTLS")
        await peer.expect("STARTTLS")
        if pause_s:
            await peer.say("220 go ahead")
            await asyncio.sleep(pause_s)
            await peer.say("250-AUTH PLAIN", "250 injected")
        else:
            await peer.say("220 go ahead", "250-AUTH PLAIN", "250 injected")
        after.append(await peer.gone())

    async with (
        ScriptedServer(then=script) as server,
        account(
            server.port,
            up=False,
            tls="starttls",
            ca_file=str(certificate[0]),
            username=USER,
            password=PASSWORD,
        ) as (adapter, _),
    ):
        await until(lambda: adapter.state().startswith("down: "))
        assert adapter.capacity() == 0
        await until(lambda: after)
    # At most the beginning of a TLS handshake was sent, never a command.
    assert all(sent == b"" or sent.startswith(b"\x16\x03") for sent in after)


async def test_what_was_offered_in_clear_does_not_count_under_tls(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL, "STARTTLS", "SMTPUTF8")
        await peer.expect("STARTTLS")
        await peer.say("220 go ahead")
        await peer.writer.start_tls(certificate[1])
        await peer.ehlo("8BITMIME")
        await peer.gone()

    async with (
        ScriptedServer(script) as server,
        account(server.port, tls="starttls_required", ca_file=str(certificate[0])) as (
            adapter,
            engine,
        ),
    ):
        adapter.submit(engine.call("m1.a.1", to="änn@example.net"))
        assert (await engine.outcome("m1.a.1")).kind == "permanent"


@pytest.mark.parametrize("offer", [(), ("STARTTLS",)])
async def test_required_starttls_is_required(offer: tuple[str, ...]) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*offer)
        if offer:
            await peer.expect("STARTTLS")
            await peer.say("454 4.7.0 not now")
        assert await peer.gone() == b""

    async with (
        ScriptedServer(then=script) as server,
        account(server.port, up=False, tls="starttls_required") as (adapter, _),
    ):
        await until(lambda: "STARTTLS" in adapter.state())
        assert adapter.capacity() == 0
        await until(lambda: server.connections >= 2)  # it goes on trying


async def test_optional_starttls_goes_on_in_clear() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*USUAL)
        await peer.mail()
        await peer.gone()

    async with (
        ScriptedServer(script) as server,
        account(server.port, tls="starttls") as (a, engine),
    ):
        a.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "accepted"


def own_address() -> str:
    """An address of this machine that is not on the loopback net (no packet is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0])


@pytest.mark.skipif(not own_address(), reason="needs an address beside 127.0.0.1")
@pytest.mark.parametrize("tls", ["off", "starttls"])
async def test_no_password_in_clear_to_another_machine(tls: str) -> None:
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.hello("AUTH PLAIN LOGIN")
        heard.append(await peer.gone())

    async def permitted(peer: Peer) -> None:
        await peer.hello("AUTH PLAIN LOGIN")
        await peer.expect("AUTH PLAIN " + b64(f"\0{USER}\0{PASSWORD}"))
        await peer.say("235 ok")
        await peer.gone()

    secret = {"username": USER, "password": PASSWORD, "tls": tls, "host": own_address()}
    async with (
        ScriptedServer(then=script, host=own_address()) as server,
        account(server.port, up=False, **secret) as (adapter, engine),
    ):
        await until(lambda: "in clear" in adapter.state())
        assert bool(engine.faults) == (tls == "off")
        assert adapter.capacity() == 0
    assert heard[0] == b""
    async with (
        ScriptedServer(permitted, host=own_address()) as server,
        account(server.port, allow_plain_auth=True, **secret) as (adapter, _),
    ):
        assert adapter.state() == "up"


async def test_auth_login() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("AUTH=LOGIN")
        await peer.expect("AUTH LOGIN")
        await peer.say("334 VXNlcm5hbWU6")
        await peer.expect(b64(USER))
        await peer.say("334 UGFzc3dvcmQ6")
        await peer.expect(b64(PASSWORD))
        await peer.say("235 2.7.0 ok")
        await peer.gone()

    async with (
        ScriptedServer(script) as server,
        account(server.port, username=USER, password=PASSWORD) as (adapter, _),
    ):
        assert adapter.state() == "up"


async def test_auth_login_where_plain_is_offered_and_not_known() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("AUTH PLAIN LOGIN")
        await peer.expect("AUTH PLAIN ")
        await peer.say("504 5.5.4 unrecognized")
        await peer.expect("AUTH LOGIN")
        await peer.say("334 VXNlcm5hbWU6")
        await peer.expect(b64(USER))
        await peer.say("334 UGFzc3dvcmQ6")
        await peer.expect(b64(PASSWORD))
        await peer.say("235 2.7.0 ok")
        await peer.gone()

    async with (
        ScriptedServer(script) as server,
        account(server.port, username=USER, password=PASSWORD) as (adapter, _),
    ):
        assert adapter.state() == "up"


async def test_a_passing_trouble_with_auth_is_tried_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("AUTH PLAIN")
        await peer.expect("AUTH PLAIN ")
        await peer.say(f"454 4.7.0 cannot look {USER} up now")

    async def second(peer: Peer) -> None:
        await peer.hello("AUTH PLAIN")
        await peer.expect("AUTH PLAIN ")
        await peer.say("235 ok")
        await peer.gone()

    states = []
    async with (
        ScriptedServer(script, second) as server,
        account(server.port, up=False, username=USER, password=PASSWORD, throttle_wait_ms=100) as (
            adapter,
            engine,
        ),
    ):
        await until(lambda: adapter.state().startswith("down: "))
        states.append(adapter.state())
        await until(lambda: adapter.state() == "up")
        assert engine.faults == []
    assert USER not in states[0]


async def test_a_username_without_password_is_a_fault_at_once() -> None:
    async with account(9, up=False, username=USER) as (adapter, engine):
        assert adapter.state().startswith("fault: ")
        assert len(engine.faults) == 1


async def test_an_unreadable_ca_file_is_a_fault_at_once() -> None:
    async with account(9, up=False, tls="implicit", ca_file="/nowhere/ca.pem") as (adapter, engine):
        assert "ca_file" in adapter.state()
        assert len(engine.faults) == 1


async def test_helo_where_ehlo_is_not_known() -> None:
    async def script(peer: Peer) -> None:
        await peer.say("220 old")
        await peer.expect("EHLO [127.0.0.1]")
        await peer.say("500 what?")
        await peer.expect("HELO [127.0.0.1]")
        await peer.say("250 hello")
        await peer.mail()
        await peer.gone()

    async with ScriptedServer(script) as server, account(server.port) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1"))
        assert (await engine.outcome("m1.a.1")).kind == "accepted"


@pytest.mark.parametrize("greeting", ["554 5.7.1 go away", "421 4.3.2 busy", "hello", ""])
async def test_an_unfriendly_greeting_is_met_with_patience(greeting: str) -> None:
    async def script(peer: Peer) -> None:
        if greeting:
            await peer.say(greeting)

    async with (
        ScriptedServer(script) as server,
        account(server.port, up=False, throttle_wait_ms=50) as (adapter, engine),
    ):
        await until(lambda: adapter.state().startswith("down: "))
        await until(lambda: adapter.capacity() == 1)
        assert server.connections == 2
        assert engine.faults == []


async def test_a_server_that_never_greets_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with (
        ScriptedServer(script) as server,
        account(server.port, up=False, reply_timeout_ms=100) as (adapter, _),
    ):
        await until(lambda: adapter.state() == "down: no answer in time")
        await until(lambda: adapter.capacity() == 1)


async def test_attempts_to_connect_keep_their_distance() -> None:
    begun: list[float] = []

    async def script(peer: Peer) -> None:
        begun.append(asyncio.get_running_loop().time())

    async with (
        ScriptedServer(then=script) as server,
        account(server.port, up=False, reconnect_min_ms=40, reconnect_max_ms=160),
    ):
        await until(lambda: len(begun) >= 6)
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    # At least half of 40, 80, 160, 160, 160 ms, but for the clock's grain.
    for gap, least_s in zip(gaps, (0.015, 0.035, 0.075, 0.075, 0.075), strict=False):
        assert gap >= least_s
