"""What a server may answer, and what becomes of it."""

import asyncio

import pytest

from core.providers.http import Answered, Unknown
from tests.support.http_script import OK, HttpServer, Peer, answering
from tests.wire.http.harness import client

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
)


async def test_a_request_goes_out_as_it_was_given() -> None:
    seen = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.say(b"HTTP/1.1 201 Made\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello")
        await peer.gone()

    async with HttpServer(script) as server, client() as http:
        result = await http.call("one", server.url, body=b"\x00body")
    assert result == Answered(201, {"x-a": "1, 2", "content-length": "5"}, b"hello")
    (request,) = seen
    assert (request.method, request.target, request.version) == ("POST", "/hook?a=1", "HTTP/1.1")
    assert request.headers["host"] == f"localhost:{server.port}"
    assert request.headers["x-name"] == "one"
    assert request.body == b"\x00body"
    assert "user-agent" in request.headers


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED, b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + CHUNKED, b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    ],
    ids=["chunked", "interim", "no_content", "http_1_0_kept"],
)
async def test_answers_after_which_the_connection_is_used_again(answer: bytes, body: bytes) -> None:
    async with HttpServer(answering(answer, OK)) as server, client() as http:
        first = await http.call("one", server.url)
        assert isinstance(first, Answered)
        assert first.body == body
        assert first.complete
        assert "link" not in first.headers
        assert (await http.call("two", server.url)) == Answered(200, {"content-length": "0"}, b"")
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi<html>",
    ],
    ids=["close", "http_1_0", "two_answers", "rubbish_behind"],
)
async def test_answers_after_which_a_new_connection_is_made(answer: bytes) -> None:
    async with HttpServer(answering(answer)) as server, client() as http:
        first = await http.call("one", server.url)
        assert isinstance(first, Answered)
        assert (first.status, first.body, first.complete) == (200, b"hi", True)
        assert isinstance(await http.call("two", server.url), Answered)
        assert server.connections == 2


async def test_a_body_without_length_ends_with_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await peer.say(b"lo")

    async with HttpServer(script) as server, client() as http:
        assert await http.call("one", server.url) == Answered(200, {}, b"hello", complete=True)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n",
    ],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
async def test_a_body_that_breaks_off_is_told_as_incomplete(head: bytes, reset: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(head + b"abc")
        await asyncio.sleep(0.05)
        if reset:
            peer.reset()

    async with HttpServer(script) as server, client() as http:
        result = await http.call("one", server.url)
    assert isinstance(result, Answered)
    assert (result.status, result.body, result.complete) == (200, b"abc", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00" * 10,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nzz",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000,
        b"".join(b"HTTP/1.1 100 Continue\r\nX: %b\r\n\r\n" % (b"a" * 100) for _ in range(500)),
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 4_000,
    ],
    ids=[
        *("ssh", "tls", "no_status", "two_lengths", "two_framings", "upgrade"),
        *("large_field", "endless_field", "endless_interim", "many_fields"),
    ],
)
async def test_what_is_no_answer_leaves_the_call_in_doubt(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer)
        await peer.gone()

    async with HttpServer(script) as server, client() as http:
        result = await http.call("one", server.url)
        assert isinstance(result, Unknown), result
        assert isinstance(await http.call("two", server.url), Answered)


@pytest.mark.parametrize("length", [b"Content-Length: 2000000", b"X: y"], ids=["told", "untold"])
async def test_a_long_body_is_cut_and_its_connection_given_up(length: bytes) -> None:
    resets = []

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + b"x" * 2_000_000)
        await peer.gone()
        resets.append(peer.was_reset)

    async with HttpServer(script) as server, client(body_bytes_max=1_000) as http:
        result = await http.call("one", server.url)
    assert isinstance(result, Answered)
    assert (result.status, len(result.body), result.complete) == (200, 1_000, False)
    assert resets == [True]


async def test_an_answer_that_comes_byte_by_byte() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in CHUNKED:
            await peer.say(bytes([byte]))
            await asyncio.sleep(0)
        await peer.gone()

    async with HttpServer(script) as server, client() as http:
        result = await http.call("one", server.url)
    assert isinstance(result, Answered)
    assert (result.status, result.body, result.complete) == (200, b"abcde", True)
