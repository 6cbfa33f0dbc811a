"""Asks a part whether it is ready, with nothing but a socket: over HTTP, or over CQL."""

import asyncio
from urllib.parse import SplitResult, urlsplit

from core.supervisor.cassandra.cql import CqlError, known_datacenters

_TIMEOUT_S = 2.0


async def answers(url: str) -> bool:
    """Whether what is asked by this URL is ready: 200 over http, any answer over cql."""
    parts = urlsplit(url)
    if parts.scheme == "cql":
        return await asyncio.to_thread(_answers_cql, parts)
    return await status_of(url) == 200


async def status_of(url: str, timeout_s: float = _TIMEOUT_S) -> int | None:
    """The HTTP status of this URL, or None if nobody answered in time."""
    head = (await _get(url, timeout_s, whole=False)).split(maxsplit=2)
    try:
        return int(head[1])
    except (ValueError, IndexError):
        return None


async def body_of(url: str, timeout_s: float = _TIMEOUT_S) -> bytes:
    """What this URL answers, as far as it came in time."""
    return (await _get(url, timeout_s, whole=True)).partition(b"\r\n\r\n")[2]


async def first_word(port: int, timeout_s: float = 1.0) -> bytes:
    """What the program at this port says unasked, up to the first space; empty: nothing."""
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            return (await reader.readuntil(b" "))[:-1]
    except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
        return b""
    finally:
        if writer is not None:
            writer.transport.abort()


async def _get(url: str, timeout_s: float, whole: bool) -> bytes:
    """The answer, whole or its first line; empty when nobody answered in time."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            return await (reader.read() if whole else reader.readline())
    except (OSError, TimeoutError, ValueError):
        return b""
    finally:
        if writer is not None:
            writer.transport.abort()


def _answers_cql(parts: SplitResult) -> bool:
    assert parts.hostname is not None and parts.port is not None
    try:
        known_datacenters(parts.hostname, parts.port)
    except CqlError:
        return False
    return True
