"""One server that brings bounces: the SMTP conversation with it, within bounds.

One recipient a mail, so that a mail is about one message: another one is answered 452, and comes
in a mail of its own. RCPT is answered 550 unless the address was made here; a client that tries a
few such addresses is sent away. A mail is answered 250 only when the desk has taken it, else 451.
Data ends at CRLF.CRLF only, so that nothing can be smuggled in behind it.
"""

import asyncio
import re
from typing import Literal

from msgspec import Struct

from core.bounces.book import Target
from core.bounces.desk import Desk
from core.bounces.judge import LOOKED_AT_BYTES

LINE_BYTES_MAX = 65_536
_COMMAND_BYTES_MAX = 2_048
_GOODBYE_S = 1.0
_STRANGERS_MAX = 5
_ERRORS_MAX = 10
_FROM = re.compile(r"from: ?<[^<>]*>.*", re.IGNORECASE)
_TO = re.compile(r"to: ?<([^<>\s]{3,254})>.*", re.IGNORECASE)
_SIZE = re.compile(r"\bsize=(\d{1,15})\b", re.IGNORECASE)
_BAD_SEQUENCE = "503 5.5.1 Bad sequence of commands"


class Bounds(Struct, frozen=True):
    """How much a session takes, and how long it waits."""

    mail_bytes_max: int
    idle_ms: int
    session_ms: int
    mails_max: int = 1_000


class _GoneError(Exception):
    """The client has gone, or was sent away."""


class Session:
    """See the module. `run` returns when the conversation is over, however it ends."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        desk: Desk,
        bounds: Bounds,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._bounds = bounds
        self._greeted = False
        self._strangers = 0
        self._errors = 0
        self._mails = 0
        self._forget()

    async def run(self) -> None:
        """Talk until one side ends it."""
        try:
            async with asyncio.timeout(self._bounds.session_ms / 1000):
                await self._say("220 bounces ESMTP")
                while True:
                    await self._command(await self._line())
        except (_GoneError, OSError):  # a time-out is an OSError, too
            pass
        finally:
            await self._close()

    async def _close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._writer.wait_closed()
        except OSError:
            self._writer.transport.abort()

    def _forget(self) -> None:
        self._sender = False
        self._recipient: Target | Literal["feedback"] | None = None

    async def _line(self) -> str:
        """The next command."""
        line = await self._read_line()
        if len(line) > _COMMAND_BYTES_MAX:
            await self._send_away("500 5.5.2 Line too long")
        return line.decode("utf-8", "replace").rstrip("\r\n")

    async def _read_line(self) -> bytes:
        try:
            async with asyncio.timeout(self._bounds.idle_ms / 1000):
                return await self._reader.readuntil(b"\n")
        except TimeoutError:
            await self._send_away("421 4.4.2 Timeout")
        except asyncio.LimitOverrunError:
            await self._send_away("500 5.5.2 Line too long")
        except asyncio.IncompleteReadError:
            pass
        raise _GoneError

    async def _say(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())
        async with asyncio.timeout(self._bounds.idle_ms / 1000):
            await self._writer.drain()

    async def _send_away(self, reply: str) -> None:
        await self._say(reply)
        raise _GoneError

    async def _command(self, line: str) -> None:
        word, _, argument = line.partition(" ")
        argument = argument.strip()
        match word.upper():
            case "EHLO":
                self._greeted = True
                self._forget()
                size = self._bounds.mail_bytes_max
                words = ("bounces", "PIPELINING", f"SIZE {size}", "8BITMIME", "SMTPUTF8")
                lines = [*(f"250-{each}" for each in words), "250 ENHANCEDSTATUSCODES"]
                reply = "\r\n".join(lines)
            case "HELO":
                self._greeted = True
                self._forget()
                reply = "250 bounces"
            case "MAIL":
                reply = self._mail(argument)
            case "RCPT":
                reply = self._rcpt(argument)
            case "DATA":
                reply = await self._data()
            case "RSET":
                self._forget()
                reply = "250 2.0.0 Ok"
            case "NOOP":
                reply = "250 2.0.0 Ok"
            case "VRFY":
                reply = "252 2.1.5 Send a message and see"
            case "QUIT":
                await self._send_away("221 2.0.0 Bye")
            case _:
                reply = "500 5.5.1 Command not known"
        await self._say(reply)
        if reply.startswith("421"):
            raise _GoneError
        self._errors += reply.startswith("50")
        if self._strangers > _STRANGERS_MAX or self._errors > _ERRORS_MAX:
            await self._send_away("421 4.7.0 Too many mistakes")

    def _mail(self, argument: str) -> str:
        if not self._greeted or self._sender:
            return _BAD_SEQUENCE
        if not _FROM.fullmatch(argument):
            return "501 5.1.7 Write MAIL FROM:<address>"
        size = _SIZE.search(argument)
        if size and int(size[1]) > self._bounds.mail_bytes_max:
            return "552 5.3.4 Message too big"
        if self._mails >= self._bounds.mails_max:
            return "421 4.7.0 Enough for one connection"
        self._sender = True
        return "250 2.1.0 Ok"

    def _rcpt(self, argument: str) -> str:
        if not self._sender:
            return _BAD_SEQUENCE
        found = _TO.fullmatch(argument)
        if found is None:
            return "501 5.1.3 Write RCPT TO:<address>"
        if self._recipient is not None:
            return "452 4.5.3 One recipient at a time"
        address = found[1]
        if self._desk.book.takes_feedback(address):
            self._recipient = "feedback"
        else:
            self._recipient = self._desk.book.target(address)
        if self._recipient is None:
            self._strangers += 1
            self._desk.refused()
            return "550 5.1.1 No such mailbox"
        return "250 2.1.5 Ok"

    async def _data(self) -> str:
        recipient = self._recipient
        if recipient is None:
            return "554 5.5.1 No valid recipients" if self._sender else _BAD_SEQUENCE
        self._forget()
        await self._say("354 End data with <CR><LF>.<CR><LF>")
        data = await self._read_data()
        if data is None:
            return "552 5.3.4 Message too big"
        self._mails += 1
        target = None if recipient == "feedback" else recipient
        if await self._desk.take(target, data):
            return "250 2.0.0 Ok"
        return "451 4.3.0 Not written down, come again"

    async def _read_data(self) -> bytes | None:
        """The data as far as it is looked at; None where there was too much of it."""
        kept, total, complete = bytearray(), 0, True
        while True:
            line = await self._read_line()
            if complete and line == b".\r\n":
                return bytes(kept) if total <= self._bounds.mail_bytes_max else None
            if complete and line.startswith(b"."):
                line = line[1:]
            complete = line.endswith(b"\r\n")
            total += len(line)
            if total > 2 * self._bounds.mail_bytes_max:
                await self._send_away("552 5.3.4 Message too big")
            if len(kept) < LOOKED_AT_BYTES:
                kept += line
