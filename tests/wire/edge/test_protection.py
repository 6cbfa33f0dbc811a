"""Slow, half-open, greedy and lying clients."""

import asyncio
import time
from typing import Any

import pytest

from tests.support.fake_core import FakeCore
from tests.support.wait import until
from tests.wire.edge.support import edge, raw

GOOD = b'{"to":{"phone":"+447700900123"},"content":{"text":"x"}}'


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


def head(key: str, *lines: str, path: str = "/v1/notifications") -> bytes:
    first = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    rest = "".join(f"{line}\r\n" for line in (f"Authorization: Bearer {key}", *lines))
    return (first + rest + "\r\n").encode()


async def test_a_head_that_trickles_is_cut_off(core: FakeCore) -> None:
    async with edge(core, header_timeout_ms=600) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        began = time.monotonic()

        async def trickle() -> None:
            for letter in b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
                writer.write(bytes([letter]))
                await asyncio.sleep(0.1)

        slow = asyncio.create_task(trickle())
        answer = await asyncio.wait_for(reader.read(65536), 5)
        slow.cancel()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert await asyncio.wait_for(reader.read(65536), 5) == b""
        assert 0.5 < time.monotonic() - began < 2
        writer.close()


async def test_a_connection_that_says_nothing_is_cut_off(core: FakeCore) -> None:
    async with edge(core, header_timeout_ms=400) as running:
        answer = await raw(running.app.port, b"")
        assert answer.startswith(b"HTTP/1.1 408 ")
        await until(lambda: not running.app.facts()["connections"])


async def test_a_kept_connection_may_be_idle_for_longer_than_a_head_takes(core: FakeCore) -> None:
    key = core.add_key()
    request = head(key, f"Content-Length: {len(GOOD)}") + GOOD
    limits = {"header_timeout_ms": 300, "keepalive_timeout_ms": 2000}
    async with edge(core, **limits) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        for pause_s in (0.8, 0.0):
            writer.write(request)
            assert (await reader.read(65536)).startswith(b"HTTP/1.1 202 ")
            await asyncio.sleep(pause_s)
        began = time.monotonic()
        assert await asyncio.wait_for(reader.read(65536), 5) == b""
        assert 1 < time.monotonic() - began < 4
        writer.close()


async def test_the_next_head_on_a_kept_connection_may_not_trickle_either(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core, header_timeout_ms=400) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        writer.write(head(key, f"Content-Length: {len(GOOD)}") + GOOD)
        assert (await reader.read(65536)).startswith(b"HTTP/1.1 202 ")
        writer.write(b"GET / HT")
        assert (await asyncio.wait_for(reader.read(65536), 5)).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_body_that_does_not_come(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core, body_timeout_ms=400) as running:
        answer = await raw(running.app.port, head(key, "Content-Length: 100") + b'{"to":')
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close" in answer
        assert b"request_timeout" in answer
    assert not core.calls


async def test_a_client_that_goes_away_in_the_middle_of_its_body(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        writer.write(head(key, "Content-Length: 100") + b'{"to":')
        await until(lambda: running.app.facts()["held_bytes"] == 100)
        writer.close()
        await until(lambda: not running.app.facts()["connections"])
        assert running.app.facts()["held_bytes"] == 0
        assert not [line for line in running.lines() if line["level"] == "error"]
    assert not core.calls


async def test_a_client_that_goes_away_before_its_answer(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    async with edge(core, request_deadline_ms=800) as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        writer.write(head(key, f"Content-Length: {len(GOOD)}") + GOOD)
        await until(lambda: core.calls)
        writer.close()
        await until(lambda: not running.app.facts()["outstanding"])
        await until(lambda: running.app.facts()["held_bytes"] == 0)
        assert not [line for line in running.lines() if line["level"] == "error"]


async def test_a_client_that_waits_for_100_continue(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        writer.write(head(key, f"Content-Length: {len(GOOD)}", "Expect: 100-continue"))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == (
            b"HTTP/1.1 100 Continue\r\n\r\n"
        )
        writer.write(GOOD)
        assert (await reader.read(65536)).startswith(b"HTTP/1.1 202 ")
        writer.close()


SMUGGLED = b"GET /v1/keys HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5, 5",),
        ("Content-Length: +5",),
        ("Content-Length: -1",),
        ("Content-Length: 0x5",),
        ("Content-Length: 5 5",),
        ("Content-Length : 5",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        (" Content-Length: 5",),
        ("X: a\rb",),
        ("X: a\0b",),
        ("X\0: a",),
        ("Content-Length: 5\n",),
        ("X-Long: " + "x" * 20_000,),
        tuple(f"X-{number}: x" for number in range(200)),
    ],
)
async def test_heads_that_two_servers_could_read_in_two_ways(
    core: FakeCore, lines: tuple[str, ...]
) -> None:
    """Refused and closed: whatever follows is never read as a second request."""
    key = core.add_key()
    async with edge(core) as running:
        answer = await raw(running.app.port, head(key, *lines) + b"0\r\n\r\n" + SMUGGLED)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"application/problem+json" in answer
        assert b'"code":"bad_request"' in answer
    assert not core.calls


@pytest.mark.parametrize(
    "line",
    [b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
     b"GET / HTTP/1.1 x\r\n\r\n", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_http(core: FakeCore, line: bytes) -> None:
    async with edge(core, header_timeout_ms=500) as running:
        answer = await raw(running.app.port, line)
    assert answer[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "chunk",
    [
        b"g\r\nx\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"5\r\nabc\r\n0\r\n\r\n",
        b"5;\nx\r\nhello\r\n0\r\n\r\n",
    ],
)
async def test_broken_chunks(core: FakeCore, chunk: bytes) -> None:
    key = core.add_key()
    async with edge(core, body_timeout_ms=500) as running:
        data = head(key, "Transfer-Encoding: chunked") + chunk + SMUGGLED
        answer = await raw(running.app.port, data)
    assert answer[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 408 ", b"")
    assert b"HTTP/1.1 40" not in answer[13:] or b"unauthenticated" not in answer
    assert not core.calls


async def test_pipelined_requests_are_answered_in_order(core: FakeCore) -> None:
    key = core.add_key()
    one = head(key, f"Content-Length: {len(GOOD)}") + GOOD
    last = head(key, "Connection: close", f"Content-Length: {len(GOOD)}") + GOOD
    async with edge(core) as running:
        answer = await raw(running.app.port, one * 5 + last)
    assert answer.count(b"HTTP/1.1 202 ") == 6
    order = [answer.index(call.ntf.encode()) for call in core.calls]
    assert order == sorted(order)


async def test_more_connections_than_allowed(core: FakeCore) -> None:
    async with edge(core, connections_max=3) as running:
        opened = [await asyncio.open_connection("127.0.0.1", running.app.port) for _ in range(3)]
        await until(lambda: running.app.facts()["connections"] == 3)
        answer = await raw(running.app.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        for _, writer in opened:
            writer.close()
        await until(lambda: not running.app.facts()["connections"])
        request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await raw(running.app.port, request)).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_does_not_read_holds_nothing_up(core: FakeCore) -> None:
    """Its own pipeline stops; memory stays bounded, and others are served."""
    async with edge(core) as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.app.port)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(40):
            writer.write(request * 200)
            await asyncio.sleep(0.005)
        assert 0 < running.app.facts()["unsent_bytes"] < 2_000_000
        done = await raw(running.app.port, b"GET /livez HTTP/1.0\r\n\r\n")
        assert done.startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()
