"""A TCP or TLS connection on which lines go out and replies come in, with one deadline.

It knows how to be opened (`command`, `next_reply`, `upgrade`: plain coroutines, used by
opening.py) and how to end; what is done with it in between is the subclass's. It ends by `abort`,
whatever the cause, which resets the connection (the opener sets SO_LINGER 0): no kernel delivers
later what was given up here.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from ssl import SSLContext
from typing import cast

from core.providers.smtp.reply import Reply, ReplyError, ReplyReader

_EARLY_MAX = 8
_TIMER_SLACK_S = 0.001


class Link(asyncio.Protocol, ABC):
    """See the module. Until `opening` is false, replies go to `next_reply`, then to `on_reply`."""

    def __init__(self, reply_timeout_ms: int) -> None:
        self.opening = True
        self.ended = False
        self._why = ""
        self._reply_timeout_ms = reply_timeout_ms
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._raw: asyncio.Transport | None = None  # the TCP transport, under TLS too
        self._transport: asyncio.Transport | None = None
        self._early: deque[Reply] = deque()
        self._waiter: asyncio.Future[Reply] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # --- what a subclass answers ---

    @abstractmethod
    def on_connected(self) -> None:
        """There is a connection now; `on_closed` will follow."""

    @abstractmethod
    def on_reply(self, reply: Reply, alone: bool) -> None:
        """The server has spoken; `alone` says that nothing follows what it said."""

    @abstractmethod
    def on_timeout(self) -> None:
        """The deadline has passed."""

    @abstractmethod
    def on_ended(self, why: str) -> None:
        """The connection was just given up or lost, once it was open."""

    @abstractmethod
    def on_closed(self) -> None:
        """The connection is gone."""

    # --- opening ---

    async def command(self, line: bytes) -> Reply:
        """Send one line and wait for its reply."""
        self._check_open()
        self.write(line)
        return await self.next_reply()

    async def next_reply(self) -> Reply:
        """The next reply. Raises TimeoutError or ConnectionError."""
        if self._early:
            return self._early.popleft()
        self._check_open()
        self._waiter = self._loop.create_future()
        self.expect(self._reply_timeout_ms)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    async def upgrade(self, context: SSLContext, server_name: str, timeout_s: float) -> None:
        """Go on under TLS. A server that has said more than it was asked is refused."""
        self._check_open()
        # From here to the first await of start_tls no other callback runs: bytes in clear came
        # before and are refused here, or they become a broken TLS handshake.
        self.check_silence()
        assert self._raw is not None
        upgraded = await self._loop.start_tls(
            self._raw,
            self,
            context,
            server_hostname=server_name,
            ssl_handshake_timeout=timeout_s,
        )
        self._transport = cast(asyncio.Transport, upgraded)
        if self.ended:
            self._transport.abort()
        self._check_open()

    def check_silence(self) -> None:
        """Raise ReplyError if the server has said more than it was asked."""
        if self._early or self._reader.pending:
            raise ReplyError("the server said more than it was asked")

    def _check_open(self) -> None:
        if self.ended or self._transport is None:
            raise ConnectionError(self._why or "not connected")

    # --- any time ---

    @property
    def closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self.ended or self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport, which writes them at once if its buffer is empty."""
        assert self._transport is not None
        self._transport.write(data)

    def unwritten(self) -> int:
        """Bytes that this process has not handed to the kernel yet."""
        raw, transport = self._raw, self._transport
        assert raw is not None
        assert transport is not None
        size = raw.get_write_buffer_size()
        return size if transport is raw else size + transport.get_write_buffer_size()

    def expect(self, timeout_ms: int) -> None:
        """Something must happen within the time. Moving the deadline back costs no timer."""
        self._deadline = self._loop.time() + timeout_ms / 1_000
        if self._timer is None or self._timer_at > self._deadline:
            self._arm()

    def abort(self, why: str) -> None:
        """Reset the connection now, and say so once."""
        if self.ended:
            return
        self.ended = True
        self._why = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError(why))
        if not self.opening:
            self.on_ended(why)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = self._transport = cast(asyncio.Transport, transport)
        self.on_connected()

    def data_received(self, data: bytes) -> None:
        replies = self._reader.feed(data)
        last = len(replies) - 1
        for i, reply in enumerate(replies):
            if self.ended:
                return
            if self.opening:
                self._answer(reply)
            else:
                self.on_reply(reply, i == last and not self._reader.pending)
        if self._reader.error:
            self.abort(f"no SMTP reply: {self._reader.error}")

    def eof_received(self) -> bool:
        self.abort("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort(f"the connection was lost ({type(exc).__name__})" if exc else "closed")
        self.on_closed()

    def _answer(self, reply: Reply) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)
        elif len(self._early) < _EARLY_MAX:
            self._early.append(reply)
        else:
            self.abort("the server said more than it was asked")

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._loop.time() + _TIMER_SLACK_S < self._deadline:
            self._arm()
        elif self.opening:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(TimeoutError())
        else:
            self.on_timeout()
