"""What comes back for mails: decided by the behaviour, sent by real SMTP to the return path.

Each goes out after `delay_ms`, over one connection at a time. A server that cannot be reached or
answers 4xx is asked again, as servers do, for as long as `limits` allow; 5xx ends it. What is
owed is in memory only: it is lost with the sandbox's process. Beyond the bound nothing more comes
back, and a line of the log says so.
"""

import asyncio
import heapq
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

from msgspec import Struct

from core.clock import Clock
from core.contract.log import Log
from core.sandbox import bounce_mail
from core.sandbox.behaviour import BounceHabits
from core.sandbox.bounce_mail import Returned
from core.sandbox.limits import SandboxLimits

_REPLY_S = 10.0
_GOODBYE_S = 1.0
_LONG_S = 3_600.0
_REPLY_BYTES_MAX = 4_096


class Owed(Struct):
    """One mail that has to come back."""

    path: str
    data: bytes
    tries: int = 0


class _RefusedError(Exception):
    """The server answered something else than was hoped for."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Bouncer:
    """`server` is host and port, None where nothing comes back."""

    def __init__(
        self,
        server: tuple[str, int] | None,
        limits: SandboxLimits,
        clock: Clock,
        random: Random,
        log: Log,
    ) -> None:
        self._server = server
        self._limits = limits
        self._clock = clock
        self._random = random
        self._log = log
        self._owed: list[tuple[float, int, Owed]] = []  # a heap by time, then order
        self._count = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def accepted(self, habits: BounceHabits, path: str, recipients: list[str], data: bytes) -> None:
        """A mail was taken from this return path: decide what comes back for it."""
        if self._server is None or not path or habits == BounceHabits():
            return
        head = data.partition(b"\r\n\r\n")[0] + b"\r\n"
        due = asyncio.get_running_loop().time() + habits.delay_ms / 1000
        for recipient in recipients:
            for to, mail in self._draw(habits, Returned(path, recipient, head)):
                self._owe(due, Owed(to, mail))

    async def close(self) -> None:
        """Send nothing more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _draw(self, habits: BounceHabits, mail: Returned) -> list[tuple[str, bytes]]:
        """What comes back, in order: to which address, and the mail."""
        date = format_datetime(datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC))
        found = []
        if self._happens(habits.delayed):
            found.append((mail.path, bounce_mail.delay(mail, date)))
        if self._happens(habits.auto_reply):
            found.append((mail.path, bounce_mail.auto_reply(mail, date)))
        if self._happens(habits.malformed):
            found.append((mail.path, bounce_mail.malformed(mail, date, self._random)))
        if self._happens(habits.forged):
            forged = bounce_mail.forged_path(mail.path, self._random)
            found.append((forged, bounce_mail.failure(mail, date)))
        if self._happens(habits.dsn):
            found.append((mail.path, bounce_mail.failure(mail, date)))
        elif self._happens(habits.complaint):
            found.append((mail.path, bounce_mail.complaint(mail, date)))
        return found

    def _happens(self, share: float) -> bool:
        return bool(share) and self._random.random() < share

    def _owe(self, due: float, owed: Owed) -> None:
        if len(self._owed) >= self._limits.bounces_max:
            self._log.warning("a bounce is dropped", why="too many are owed")
            return
        self._count += 1
        heapq.heappush(self._owed, (due, self._count, owed))
        self._wake.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            wait_s = self._owed[0][0] - loop.time() if self._owed else _LONG_S
            if wait_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
            else:
                await self._send_due()

    async def _send_due(self) -> None:
        """Over one connection, as long as that goes well."""
        assert self._server is not None
        loop = asyncio.get_running_loop()
        line: _Line | None = None
        while self._owed and self._owed[0][0] <= loop.time():
            owed = heapq.heappop(self._owed)[2]
            try:
                if line is None:
                    line = await _Line.open(*self._server)
                await line.send(owed)
            except (OSError, EOFError, ValueError) as error:
                self._again(owed, type(error).__name__)
                await _hang_up(line)
                line = None
            except _RefusedError as refused:
                if refused.code < 500:
                    self._again(owed, str(refused.code))
                await _hang_up(line)
                line = None
        await _hang_up(line)

    def _again(self, owed: Owed, why: str) -> None:
        owed.tries += 1
        if owed.tries >= self._limits.bounce_tries_max:
            self._log.warning("a bounce is given up", why=why, tries=owed.tries)
            return
        again = asyncio.get_running_loop().time() + self._limits.bounce_repeat_ms / 1000
        self._owe(again, owed)


class _Line:
    """A connection to the server that takes bounces."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> "_Line":
        async with asyncio.timeout(_REPLY_S):
            line = cls(*await asyncio.open_connection(host, port, limit=_REPLY_BYTES_MAX))
        try:
            await line.expect(b"", 220)
            await line.expect(b"EHLO mx.sandbox.example\r\n", 250)
        except BaseException:
            line.writer.close()
            raise
        return line

    async def send(self, owed: Owed) -> None:
        await self.expect(b"MAIL FROM:<>\r\n", 250)
        await self.expect(f"RCPT TO:<{owed.path}>\r\n".encode(), 250)
        await self.expect(b"DATA\r\n", 354)
        stuffed = (b"\r\n" + owed.data).replace(b"\r\n.", b"\r\n..")[2:]
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        await self.expect(stuffed + end, 250)

    async def expect(self, command: bytes, code: int) -> None:
        self.writer.write(command)
        async with asyncio.timeout(_REPLY_S):
            reply = await self._reader.readline()
            while reply[3:4] == b"-":
                reply = await self._reader.readline()
        if not reply:
            raise EOFError
        if int(reply[:3]) != code:
            raise _RefusedError(int(reply[:3]))


async def _hang_up(line: _Line | None) -> None:
    if line is not None:
        with suppress(OSError):
            line.writer.write(b"QUIT\r\n")
            line.writer.close()
            async with asyncio.timeout(_GOODBYE_S):
                await line.writer.wait_closed()
