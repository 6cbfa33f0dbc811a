"""Before the first byte a loss is `NotSent`, after it `Unknown`; the guard is obeyed."""

import asyncio
import socket
from collections.abc import Sequence

from core.providers.http import Answered, NotSent, Unknown, Withdrawn
from tests.support.http_script import OK, HttpServer, Peer
from tests.support.wait import until
from tests.wire.http.harness import client


async def hang(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def test_a_guard_that_says_no_leaves_nothing_on_the_wire() -> None:
    sent = []

    async def script(peer: Peer) -> None:
        sent.append(await peer.gone())

    async with HttpServer(script) as server, client(idle_ms=40) as http:
        assert await http.call("one", server.url, guard=lambda: False) == Withdrawn()
        assert http.guarded == ["one"]
        await until(lambda: sent)
    assert sent == [b""]


async def test_a_guard_that_says_no_on_a_kept_connection_leaves_it_usable() -> None:
    async with HttpServer() as server, client() as http:
        await http.call("one", server.url)
        assert await http.call("two", server.url, guard=lambda: False) == Withdrawn()
        assert isinstance(await http.call("three", server.url), Answered)
        assert server.connections == 1


async def test_a_guard_that_breaks_leaves_nothing_on_the_wire() -> None:
    def guard() -> bool:
        raise RuntimeError("the guard broke")

    broken: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: broken.append(told))
    async with HttpServer() as server, client() as http:
        assert await http.call("one", server.url, guard=guard) == Withdrawn()
        assert isinstance(await http.call("two", server.url), Answered)
    assert broken


async def test_the_guard_is_asked_only_when_the_connection_is_there() -> None:
    asked_before = []
    ready = asyncio.Event()

    async def look_up(_: str) -> Sequence[str]:
        await ready.wait()
        asked_before.extend(http.guarded)
        return ["127.0.0.1"]

    async with HttpServer() as server, client(look_up=look_up) as http:
        http.send("one", server.url)
        await asyncio.sleep(0.02)
        ready.set()
        assert isinstance(await http.result("one"), Answered)
    assert asked_before == []
    assert http.guarded == ["one"]


async def test_no_result_is_told_from_within_send() -> None:
    async with HttpServer() as server, client(calls_max=1) as http:
        await http.call("one", server.url)
        http.send("two", server.url, guard=lambda: False)
        http.send("three", server.url, guard=lambda: False)
        http.send("four", server.url)
        assert set(http.results) == {"one"}
        await until(lambda: len(http.results) == 4)


async def test_a_reset_after_the_body_is_unknown() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with HttpServer(script) as server, client() as http:
        result = await http.call("one", server.url)
    assert isinstance(result, Unknown)


async def test_a_close_after_the_body_is_unknown() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with HttpServer(script) as server, client() as http:
        assert isinstance(await http.call("one", server.url), Unknown)
        assert isinstance(await http.call("two", server.url), Answered)


async def test_a_hang_is_unknown_after_the_time_out_and_the_late_answer_is_told() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(OK)
        await peer.gone()

    async with HttpServer(script) as server, client(timeout_ms=60) as http:
        result = await http.call("one", server.url)
        assert result == Unknown("no answer within 60 ms")
        assert isinstance(await http.call("two", server.url), Answered)
        go.set()
        await until(lambda: http.lates)
        assert isinstance(http.lates["one"], Answered)
        assert server.connections == 2


async def test_a_connection_listens_for_a_late_answer_for_a_limited_time() -> None:
    resets = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()
        resets.append(peer.was_reset)

    async with HttpServer(script, script) as server:
        async with client(timeout_ms=40, late_ms=40) as http:
            await http.call("one", server.url)
            await until(lambda: len(resets) == 1)
        async with client(timeout_ms=40, late_max=0) as http:
            await http.call("one", server.url)
            await until(lambda: len(resets) == 2)
    assert resets == [True, True]
    assert http.lates == {}


async def test_a_slow_drip_ends_at_the_time_out_with_the_status_that_came() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not peer.writer.transport.is_closing():
            peer.writer.write(b"x")
            await asyncio.sleep(0.005)

    async with HttpServer(script) as server, client(timeout_ms=80) as http:
        result = await http.call("one", server.url)
    assert isinstance(result, Answered)
    assert (result.status, result.complete) == (200, False)


async def test_a_slow_drip_of_the_head_is_unknown() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        while not peer.writer.transport.is_closing():
            peer.writer.write(b"H")
            await asyncio.sleep(0.005)

    async with HttpServer(script) as server, client(timeout_ms=80) as http:
        assert isinstance(await http.call("one", server.url), Unknown)


async def test_a_call_that_waits_too_long_for_a_connection_was_not_sent() -> None:
    async with HttpServer(hang) as server, client(host_connections_max=1, timeout_ms=60) as http:
        http.send("one", server.url)
        http.send("two", server.url)
        assert isinstance(await http.result("one"), Unknown)
        assert isinstance(await http.result("two"), NotSent | Answered)


async def test_a_server_that_takes_no_bytes_is_given_up_after_the_write_time_out() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    async with client(write_timeout_ms=80, timeout_ms=60_000) as http:
        url = f"http://localhost:{listener.getsockname()[1]}/"
        http.send("one", url, body=b"x" * 20_000_000)
        served, _ = await asyncio.get_running_loop().sock_accept(listener)
        result = await http.result("one")
        served.close()
    listener.close()
    assert isinstance(result, Unknown)


async def test_a_large_body_goes_out_whole() -> None:
    body = bytes(range(256)) * 20_000
    seen = []

    async def script(peer: Peer) -> None:
        seen.append((await peer.request()).body)
        await peer.say(OK)
        await peer.gone()

    async with HttpServer(script) as server, client() as http:
        assert isinstance(await http.call("one", server.url, body=body), Answered)
    assert seen == [body]


async def test_an_answer_before_the_whole_request_counts_and_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.05)

    async with HttpServer(script) as server, client() as http:
        result = await http.call("one", server.url, body=b"x" * 20_000_000)
    assert isinstance(result, Answered)
    assert result.status == 413


async def test_stopping_tells_every_call_what_became_of_it() -> None:
    async with HttpServer(hang) as server, client(host_connections_max=1, grace_ms=30) as http:
        http.send("written", server.url)
        await until(lambda: http.guarded)
        http.send("waiting", server.url)
        await http.pool.stop(30)
        assert isinstance(http.results["written"], Unknown)
        assert http.results["waiting"] == NotSent("the account was stopped")
        assert await http.call("after", server.url) == NotSent("the account was stopped")


async def test_stopping_waits_for_an_answer_within_the_grace() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.05)
        await peer.say(OK)
        await peer.gone()

    async with HttpServer(script) as server, client() as http:
        http.send("one", server.url)
        await until(lambda: http.guarded)
        await http.pool.stop(5_000)
        assert isinstance(http.results["one"], Answered)


async def test_stopping_gives_up_what_is_being_opened() -> None:
    async def look_up(_: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    async with client(look_up=look_up) as http:
        http.send("one", "http://slow.example/")
        await asyncio.sleep(0.01)
        await http.pool.stop(10_000)
        assert http.results == {"one": NotSent("the account was stopped")}


async def test_a_name_server_that_hangs_ends_the_call_as_not_sent() -> None:
    async def look_up(_: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    async with client(look_up=look_up, connect_timeout_ms=40) as http:
        result = await http.call("one", "http://slow.example/")
    assert result == NotSent("connect: nothing within 40 ms")
