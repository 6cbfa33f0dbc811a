"""An SMTP server that does, connection by connection, exactly what a test's script says.

A script is a coroutine function of one `Peer`; the n-th connection gets the n-th script, later
ones the script `then`, which greets and takes no mail unless told otherwise. An assertion that
fails inside a script fails the test when the server is closed.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Script = Callable[["Peer"], Awaitable[None]]

USUAL = ("PIPELINING", "SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES")
_STEP_S = 10.0


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.was_reset = False  # by the client; known after gone()

    async def say(self, *lines: str) -> None:
        """Write reply lines as they are."""
        if self.writer.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def expect(self, start: str) -> str:
        """Read one line, which must begin with `start`."""
        line = await asyncio.wait_for(self.reader.readline(), _STEP_S)
        text = line.decode().rstrip("\r\n")
        assert line.endswith(b"\r\n"), f"expected {start}, the connection ended after {text!r}"
        assert text.upper().startswith(start.upper()), f"expected {start}, got {text!r}"
        return text

    async def hello(self, *extensions: str) -> None:
        """Greet, and answer EHLO with the extensions."""
        await self.say("220 script ESMTP")
        await self.ehlo(*extensions)

    async def ehlo(self, *extensions: str) -> None:
        """Answer EHLO with the extensions."""
        await self.expect("EHLO ")
        lines = ["script at your service", *extensions]
        marks = ["-"] * (len(lines) - 1) + [" "]
        await self.say(*[f"250{m}{line}" for m, line in zip(marks, lines, strict=True)])

    async def envelope(self, *, upto: str = "354 go on") -> None:
        """Take MAIL, RCPT and DATA; the last is answered with `upto`."""
        await self.expect("MAIL FROM:")
        await self.say("250 2.1.0 ok")
        await self.expect("RCPT TO:")
        await self.say("250 2.1.5 ok")
        await self.expect("DATA")
        await self.say(upto)

    async def data(self) -> bytes:
        """Read a data block up to and with its final dot."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n.\r\n"), _STEP_S)

    async def mail(self, reply: str = "250 2.0.0 ok: queued as Q1") -> bytes:
        """Take one mail and answer it."""
        await self.envelope()
        block = await self.data()
        await self.say(reply)
        return block

    async def gone(self) -> bytes:
        """Wait until the client is gone, however long; what it still sent, but for QUIT."""
        sent = b""
        try:
            while chunk := await self.reader.read(65_536):
                sent += chunk
                if sent.endswith(b"QUIT\r\n"):
                    sent = sent.removesuffix(b"QUIT\r\n")
                    await self.say("221 2.0.0 bye")
        except ConnectionError:
            self.was_reset = True
        return sent

    def reset(self) -> None:
        """Close by reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def lounge(peer: Peer) -> None:
    """Greet, and wait until the client leaves without a mail."""
    await peer.hello(*USUAL)
    assert await peer.gone() == b""


async def serve(peer: Peer) -> None:
    """Take mails until the client leaves."""
    await peer.hello(*USUAL)
    number = 0
    while True:
        line = (await peer.reader.readline()).decode()
        if line.startswith("QUIT"):
            await peer.say("221 bye")
            return
        if not line:
            return
        assert line.startswith("MAIL"), line
        number += 1
        await peer.say("250 ok")
        await peer.expect("RCPT")
        await peer.say("250 ok")
        await peer.expect("DATA")
        await peer.say("354 go on")
        await peer.data()
        await peer.say(f"250 queued as N{number}")


class ScriptedServer:
    """Listens on a free port of `host` while entered."""

    def __init__(self, *scripts: Script, then: Script = lounge, host: str = "127.0.0.1") -> None:
        self._host = host
        self._scripts = scripts
        self._then = then
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=2**26)
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

    async def vanish(self) -> None:
        """Listen no more, and end all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, number = Peer(reader, writer), self.connections
        self.connections += 1
        if number < len(self._scripts):
            playing = _play(self._scripts[number], peer)
        else:
            playing = _play_loosely(self._then, peer)
        self._tasks.append(asyncio.get_running_loop().create_task(playing))


async def _play(script: Script, peer: Peer) -> None:
    try:
        await script(peer)
    finally:
        peer.writer.transport.abort()


async def _play_loosely(script: Script, peer: Peer) -> None:
    """The client may be stopped at any moment of a connection that no script was written for."""
    with suppress(ConnectionError):
        await _play(script, peer)
