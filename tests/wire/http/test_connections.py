"""Which connection carries a call: kept, stale, waited for, refused, given to others."""

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from core.providers.http import AddressRules, Answered, NotSent, Refused, tls_context
from tests.support.certificate import certificate
from tests.support.http_script import OK, HttpServer, Peer, answering, serve
from tests.support.wait import until
from tests.wire.http.harness import client


async def test_one_connection_carries_calls_one_after_another() -> None:
    async with HttpServer() as server, client() as http:
        for name in map(str, range(20)):
            assert isinstance(await http.call(name, server.url), Answered)
        assert server.connections == 1


async def test_calls_at_once_have_a_connection_each_up_to_the_limit_and_then_wait() -> None:
    async with HttpServer() as server, client(host_connections_max=3) as http:
        for name in map(str, range(10)):
            http.send(name, server.url)
        await until(lambda: len(http.results) == 10)
        assert all(isinstance(each, Answered) for each in http.results.values())
        assert server.connections <= 3


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
async def test_a_kept_connection_that_the_server_closed_is_not_used(reset: bool) -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await asyncio.sleep(0.02)
        if reset:
            peer.reset()
        peer.writer.close()
        with suppress(ConnectionError):
            await peer.writer.wait_closed()
        closed.set()

    async with HttpServer(script) as server, client() as http:
        assert isinstance(await http.call("one", server.url), Answered)
        await closed.wait()
        assert isinstance(await http.call("two", server.url), Answered)
        assert server.connections == 2


async def test_a_close_that_the_event_loop_has_not_seen_yet_is_noticed() -> None:
    """The server closes while our event loop is busy: the call comes before its eof."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    async with client() as http:
        url = f"http://localhost:{listener.getsockname()[1]}/"
        http.send("one", url)
        served, _ = await loop.sock_accept(listener)
        await loop.sock_recv(served, 65_536)
        await loop.sock_sendall(served, OK)
        await http.result("one")
        served.close()
        time.sleep(0.02)  # noqa: ASYNC251 - the loop must not turn
        http.send("two", url)
        second, _ = await loop.sock_accept(listener)
        assert b"x-name: two" in await loop.sock_recv(second, 65_536)
        await loop.sock_sendall(second, OK)
        assert isinstance(await http.result("two"), Answered)
        second.close()
    listener.close()


async def test_a_server_that_says_how_long_it_keeps_a_connection_is_believed() -> None:
    kept = OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=0, max=5\r\n\r\n")
    async with HttpServer(answering(kept)) as server, client() as http:
        await http.call("one", server.url)
        await http.call("two", server.url)
        assert server.connections == 2


@pytest.mark.parametrize("limit", ["idle_ms", "age_max_ms"])
async def test_a_connection_is_kept_for_a_limited_time(limit: str) -> None:
    ended = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        ended.append(await peer.gone())

    async with HttpServer(script) as server, client(**{"idle_ms": 100, limit: 40}) as http:
        await http.call("one", server.url)
        await until(lambda: ended)
        assert isinstance(await http.call("two", server.url), Answered)
        assert server.connections == 2
    assert ended == [b""]


async def test_an_idle_connection_is_closed_in_order_and_not_by_reset() -> None:
    resets = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.gone()
        resets.append(peer.was_reset)

    async with HttpServer(script) as server, client(idle_ms=40) as http:
        await http.call("one", server.url)
        await until(lambda: resets)
    assert resets == [False]


async def test_words_on_an_idle_connection_end_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await asyncio.sleep(0.02)
        await peer.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()
        gone.set()

    gone = asyncio.Event()
    async with HttpServer(script) as server, client() as http:
        await http.call("one", server.url)
        await gone.wait()
        assert (await http.call("two", server.url)) == Answered(200, {"content-length": "0"}, b"")


async def test_a_server_that_speaks_first_is_not_called() -> None:
    async def script(peer: Peer) -> None:
        await peer.say(b"220 ready\r\n")
        await peer.gone()

    async with HttpServer(then=script) as server, client() as http:
        http.send("one", server.url)
        result = await http.result("one")
        # The request may go before the banner comes, which is never taken for an answer.
        assert not isinstance(result, Answered)
        assert server.connections <= 2


async def test_a_dead_host_ends_its_calls_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://localhost:{taken.getsockname()[1]}/"
        async with client() as http:
            for name in map(str, range(5)):
                http.send(name, url)
            await until(lambda: len(http.results) == 5)
            assert all(isinstance(each, NotSent) for each in http.results.values())
            assert http.guarded == []


async def test_a_hanging_host_holds_up_its_own_calls_only() -> None:
    async def hang(peer: Peer) -> None:
        with suppress(asyncio.IncompleteReadError):
            await peer.request()
            await peer.gone()

    limits = {"host_connections_max": 2, "host_waiting_max": 3}
    async with HttpServer(then=hang) as bad, HttpServer() as good, client(**limits) as http:
        for name in map(str, range(8)):
            http.send(f"bad{name}", bad.url)
        await until(lambda: len(http.results) == 3)
        assert set(http.results) == {"bad5", "bad6", "bad7"}
        assert http.results["bad7"] == NotSent("too many calls to this host")
        for name in map(str, range(5)):
            assert isinstance(await http.call(f"good{name}", good.url), Answered)


async def test_calls_past_the_bound_of_all_are_not_sent() -> None:
    async with HttpServer() as server, client(calls_max=2) as http:
        for name in map(str, range(3)):
            http.send(name, server.url)
        assert await http.result("2") == NotSent("too many calls are under way")
        await until(lambda: len(http.results) == 3)


async def test_a_host_without_any_connection_gets_one_from_the_others() -> None:
    limits = {"connections_max": 2}
    one, other, third = (HttpServer() for _ in range(3))
    async with one, other, third, client(**limits) as http:
        for name in map(str, range(30)):
            http.send(f"one{name}", one.url)
        http.send("other", other.url)
        await http.result("other")
        await until(lambda: len(http.results) == 31)
        assert all(isinstance(each, Answered) for each in http.results.values())
        # Idle ones are closed for a host that needs one.
        assert isinstance(await http.call("third", third.url), Answered)


async def test_tls_names_the_host_and_proves_it(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    named = []
    context.sni_callback = lambda _, name, __: named.append(name)
    async with (
        HttpServer(tls=context) as server,
        client(tls=tls_context(str(trusted))) as http,
        client(tls=tls_context("")) as strange,
    ):
        for name in ("one", "two"):
            assert isinstance(await http.call(name, server.url), Answered)
        assert server.connections == 1
        result = await strange.call("one", server.url)
        assert isinstance(result, NotSent)
        assert "TLS" in result.detail
        other = await http.call("three", server.url.replace("localhost", "other.example"))
        assert isinstance(other, NotSent)
    assert named[0] == "localhost"
    assert strange.guarded == []


async def test_tls_to_a_server_without_it_is_not_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with HttpServer(then=script) as server, client(tls=tls_context("")) as http:
        result = await http.call("one", server.url.replace("http:", "https:"))
    assert isinstance(result, NotSent)


async def test_a_kept_tls_connection_that_the_server_closed_is_not_used(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await asyncio.sleep(0.02)
        peer.writer.close()
        with suppress(ConnectionError):
            await peer.writer.wait_closed()
        closed.set()

    async with (
        HttpServer(script, tls=context) as server,
        client(tls=tls_context(str(trusted))) as http,
    ):
        await http.call("one", server.url)
        await closed.wait()
        assert isinstance(await http.call("two", server.url), Answered)
        assert server.connections == 2


async def test_a_name_that_turns_private_is_refused_when_it_is_asked_for_again() -> None:
    """The first answer is allowed, the second one is not: kept connections end, too."""
    told = ["127.0.0.1", "127.0.0.2"]

    async def look_up(_: str) -> Sequence[str]:
        return [told[0]]

    rules = AddressRules(allow_networks=(ip_network("127.0.0.1/32"),))
    limits = {"names_ttl_ms": 20, "host_connections_max": 2}
    async with HttpServer() as server, client(look_up=look_up, rules=rules, **limits) as http:
        url = server.url.replace("localhost", "hooks.example")
        assert isinstance(await http.call("one", url), Answered)
        told.pop(0)
        await asyncio.sleep(0.03)
        # Two calls: the first takes the kept connection, the second needs a new one.
        http.send("two", url)
        http.send("three", url)
        assert await http.result("three") == Refused("the host resolves to a private address")
        await http.result("two")
        assert await http.call("four", url) == Refused("the host resolves to a private address")


async def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    """A name server that changes its answer between our looking and our calling moves nothing."""
    asked = []

    async def look_up(_: str) -> Sequence[str]:
        asked.append(1)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with HttpServer(then=serve) as server, client(look_up=look_up) as http:
        url = server.url.replace("localhost", "hooks.example")
        for name in map(str, range(5)):
            http.send(name, url)
        await until(lambda: len(http.results) == 5)
        assert all(isinstance(each, Answered) for each in http.results.values())
    assert len(asked) == 1


async def test_of_several_addresses_the_next_one_is_tried() -> None:
    async def look_up(_: str) -> Sequence[str]:
        return ["127.0.0.99", "127.0.0.1"]

    async with HttpServer() as server, client(look_up=look_up) as http:
        assert isinstance(await http.call("one", server.url), Answered)


async def test_a_name_without_an_address_is_not_sent() -> None:
    async def look_up(_: str) -> Sequence[str]:
        raise OSError("no such name")

    async with client(look_up=look_up) as http:
        result = await http.call("one", "http://nowhere.example/")
    assert result == NotSent("connect: the host's name has no address")
