"""The HTTP server, guarded: heads and idle connections have time limits, and connections a number.

Built on aiohttp's low-level server (no router, no middleware). Three things are added, all in
`GuardedConnection`: a connection that has not sent a whole head within `header_timeout_ms` is
answered 408 and closed, whatever it trickles meanwhile; what the parser refuses is answered as a
problem; nothing is written to aiohttp's own loggers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from msgspec import Struct

from core.contract.log import Log
from core.contract.problems import problem
from edge.answers import problem_answer
from edge.caller import trace_of

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_SWEEP_S = 0.25
_LINGER_S = 2.0
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class ServerLimits(Struct, frozen=True):
    """What one caller may use up."""

    header_bytes_max: int
    header_timeout_ms: int
    keepalive_timeout_ms: int
    connections_max: int
    headers_max: int = 100


class GuardedConnection(RequestHandler):
    """One connection. `head_due` is when its next head has to be whole; 0 while none is awaited."""

    __slots__ = ("_guard", "head_due")

    def __init__(self, guard: "GuardedServer") -> None:
        limits = guard.limits
        super().__init__(
            guard,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.keepalive_timeout_ms / 1000,
            access_log=None,  # type: ignore[arg-type]  # aiohttp takes None for "no log"
            max_line_size=limits.header_bytes_max,
            max_field_size=limits.header_bytes_max,
            max_headers=limits.headers_max,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
        self._guard = guard
        self.head_due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.head_due = self._guard.head_due_from_now()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            self.head_due = 0.0
        elif not self.head_due and self.awaits_head:
            self.head_due = self._guard.head_due_from_now()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # Each read of a body asks for this; parsing nothing again costs more than the read.
        if self._reading_paused:
            super().resume_reading(resume_parser)

    @property
    def awaits_head(self) -> bool:
        """Whether no request is running and no whole head has come."""
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    def end_late_head(self) -> None:
        """Answer 408 and close."""
        detail = f"The head did not come within {self._guard.limits.header_timeout_ms} ms."
        body = problem("request_timeout", detail).body(self._guard.new_trace())
        if self.transport is not None:
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What the parser refused (400), or what a handler did not expect (500)."""
        trace = self._guard.new_trace()
        if status < 500:
            self._guard.log.info("request refused", trace=trace, reason=str(message)[:200])
            error = problem("bad_request", "This is not a well-formed HTTP request.")
        else:
            self._guard.log.error("handler failed", trace=trace, error=repr(exc)[:500])
            error = problem("internal", "Something went wrong; the trace id names the log line.")
        return problem_answer(error, trace, close=True)

    def log_exception(self, *args: object, **kw: object) -> None:
        self._guard.log.error("connection failed", error=repr(kw.get("exc_info", args))[:500])


class _Refusal(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened = cast("asyncio.Transport", transport)
        opened.write(_BUSY)
        opened.close()


class GuardedServer(web.Server):
    """Makes a connection's protocol for each caller, up to the limit."""

    def __init__(
        self, handler: Handler, limits: ServerLimits, log: Log, *, random_bits: Callable[[int], int]
    ) -> None:
        super().__init__(handler)
        self.limits = limits
        self.log = log
        self.refused_connections = 0
        self._random_bits = random_bits

    def __call__(self) -> RequestHandler:
        if len(self._connections) >= self.limits.connections_max:
            self.refused_connections += 1
            return cast("RequestHandler", _Refusal())
        return GuardedConnection(self)

    @property
    def unsent_bytes(self) -> int:
        """Answers that callers have not read yet."""
        transports = self._connections.values()
        return sum(one.get_write_buffer_size() for one in transports if not one.is_closing())

    def close_idle(self) -> int:
        """Close connections on which no request runs; how many are left."""
        for connection in self.connections:
            if not isinstance(connection, GuardedConnection) or connection.awaits_head:
                connection.force_close()
        return len(self._connections)

    def new_trace(self) -> str:
        return trace_of(None, self._random_bits(128))

    def head_due_from_now(self) -> float:
        return asyncio.get_running_loop().time() + self.limits.header_timeout_ms / 1000

    async def sweep(self) -> None:
        """Close connections whose head is overdue, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = loop.time()
            for connection in self.connections:
                if not isinstance(connection, GuardedConnection) or not connection.head_due:
                    continue
                # One that is so new that it does not await anything yet is looked at next time.
                if connection.awaits_head and now >= connection.head_due:
                    connection.end_late_head()
