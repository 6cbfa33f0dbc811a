"""A small HTTP server behind a `Gate`, so that its connections can end as badly as told.

One request after another on a connection; what comes while one is being answered waits, unread.
Requests have bounds: a longer head is answered 431, a longer body 413, and the connection closes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Literal

import httptools
from msgspec import Struct

from core.sandbox.gate import Gate, Peer
from core.sandbox.limits import SandboxLimits

_HEAD_BYTES_MAX = 32 << 10


class HttpCall(Struct, frozen=True, gc=False):
    """One request. `target` is path and query as they came; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


class HttpReply(Struct, frozen=True):
    """An answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = {}


class Drip(Struct, frozen=True):
    """An answer of which a byte goes out every so often."""

    reply: HttpReply
    every_ms: int


Ending = HttpReply | Drip | Literal["reset", "hang"]
Handle = Callable[[HttpCall], Awaitable[Ending]]


class HttpPeer(Peer):
    """One connection of a client."""

    def __init__(self, gate: Gate, handle: Handle, limits: SandboxLimits) -> None:
        super().__init__(gate)
        self._handle = handle
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: list[HttpCall] = []
        self._task: asyncio.Task[None] | None = None
        self._head_bytes = 0
        self._clear()

    def data_received(self, data: bytes) -> None:
        if self.hung:
            return
        self._head_bytes += 0 if self._head_done else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._close_with(400)
            return
        if not self._head_done and self._head_bytes > _HEAD_BYTES_MAX:
            self._close_with(431)
        elif self._body_bytes > self._limits.http_body_bytes_max:
            self._close_with(413)

    def connection_lost(self, _error: Exception | None) -> None:
        self._waiting.clear()
        super().connection_lost(_error)

    # --- called by the parser ---

    def on_url(self, url: bytes) -> None:
        self._target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._head_done, self._head_bytes = True, 0
        if self._headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes <= self._limits.http_body_bytes_max:
            self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        call = HttpCall(method, self._target, self._headers, b"".join(self._body))
        if self._body_bytes <= self._limits.http_body_bytes_max:
            self._clear()
            self._waiting.append(call)
            self._go_on()

    # --- inside ---

    def _clear(self) -> None:
        self._target = ""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_done = False

    def _go_on(self) -> None:
        if self._task is None and self._waiting and not self.hung:
            self.pause_writing()
            self._task = asyncio.ensure_future(self._answer(self._waiting.pop(0)))

    async def _answer(self, call: HttpCall) -> None:
        try:
            ending = await self._handle(call)
        finally:
            self._task = None
        if ending == "reset":
            self.reset()
        elif ending == "hang":
            self.hang()
        elif isinstance(ending, Drip):
            self._task = asyncio.ensure_future(self._drip(ending))
        else:
            assert isinstance(ending, HttpReply)
            self.send(_written(ending))
            self.resume_writing()
            self._go_on()

    async def _drip(self, drip: Drip) -> None:
        # Read on, so that it is noticed when the client gives up.
        self.resume_writing()
        for byte in _written(drip.reply):
            if self.transport is None:
                break
            self.send(bytes([byte]))
            await asyncio.sleep(drip.every_ms / 1_000)
        self._task = None
        self._go_on()

    def _close_with(self, status: int) -> None:
        self.send(_written(HttpReply(status, headers={"Connection": "close"})))
        self.close()


def _written(reply: HttpReply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if reply.body:
        lines.append(f"Content-Type: {reply.content_type}")
    lines.append(f"Content-Length: {len(reply.body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body
