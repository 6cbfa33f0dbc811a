"""An HTTP server that does, connection by connection, exactly what a test's script says.

A script is a coroutine function of one `Peer`; the n-th connection gets the n-th script, later
ones the script `then`, which answers everything with 200. An assertion that fails inside a script
fails the test when the server is closed.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Script = Callable[["Peer"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_STEP_S = 10.0


class Request:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().rstrip("\r\n").split("\r\n")
        self.method, self.target, self.version = first.split(" ")
        pairs = [line.split(": ", 1) for line in lines]
        assert len({name.lower() for name, _ in pairs}) == len(pairs), "a header field is twice"
        self.headers = {name.lower(): value for name, value in pairs}
        self.body = body


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.was_reset = False  # by the client; known after gone()

    async def request(self) -> Request:
        """Read one whole request."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), _STEP_S)
        request = Request(head, b"")
        length = int(request.headers["content-length"])
        request.body = await asyncio.wait_for(self.reader.readexactly(length), _STEP_S)
        return request

    async def say(self, data: bytes) -> None:
        """Write it as it is."""
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> bytes:
        """Wait until the client is gone, however long; what it still sent."""
        sent = b""
        try:
            while chunk := await self.reader.read(65_536):
                sent += chunk
        except ConnectionError:
            self.was_reset = True
        return sent

    def reset(self) -> None:
        """Close by reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def serve(peer: Peer) -> None:
    """Answer every request with 200 until the client leaves."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await peer.request()
            await peer.say(OK)


def answering(*answers: bytes) -> Script:
    """A script that gives these answers, one for each request, and then waits."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.say(answer)
        await peer.gone()

    return script


class HttpServer:
    """Listens on a free port of `host` while entered."""

    def __init__(
        self,
        *scripts: Script,
        then: Script = serve,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._tls = tls
        self._scripts = scripts
        self._then = then
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        """A URL at this server."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}/hook?a=1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, self._host, self.port, limit=2**26, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        # A script of which the test has seen enough may still wait for its client.
        done, waiting = await asyncio.wait(self._tasks, timeout=2) if self._tasks else ((), ())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        if kind is None:
            for task in done:
                task.result()
            assert not waiting, "a script was not played to its end"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        script = self._scripts[number] if number < len(self._scripts) else self._then
        task = asyncio.get_running_loop().create_task(_play(script, Peer(reader, writer)))
        self._tasks.append(task)


async def _play(script: Script, peer: Peer) -> None:
    try:
        await script(peer)
    finally:
        peer.writer.transport.abort()
