"""One connection to a server: at most one request under way, and what becomes of it.

`begin` asks the guard and writes in the same turn, with nothing of an earlier request left in the
buffer. Once it has written, the call is answered by `Owner.answered` exactly once: by what the
server says, or by `Unknown` when the connection ends, whatever ends it. A connection that was
given up is closed by reset.

After `overdue` the call has been answered, and the connection only listens for its late answer.
"""

import asyncio
from typing import TYPE_CHECKING, Literal, Protocol, cast

from core.providers.http.answer import AnswerError, AnswerReader
from core.providers.http.flight import Flight
from core.providers.http.limits import HttpLimits
from core.providers.http.message import Answered, HttpResult, Unknown, written
from core.providers.http.outlet import Outlet

if TYPE_CHECKING:
    from core.providers.http.host import Host

Begun = Literal["written", "withdrawn", "stale"]


class Owner(Protocol):
    """Whom a connection tells what happened. Each is called with the connection's state set."""

    def answered(self, connection: "Connection", flight: Flight, result: HttpResult) -> None:
        """The call has its result; the connection is idle or closed."""

    def answered_late(self, connection: "Connection", flight: Flight, result: Answered) -> None:
        """A call that was overdue has its answer; the connection is closed."""

    def gone(self, connection: "Connection") -> None:
        """The connection is closed; told once, before the result of a call that it ended."""


class Connection(asyncio.Protocol):
    """See the module. It can be used once `attach` was called."""

    __slots__ = (
        *("_flight", "_late", "_limits", "_loop", "_outlet", "_owner", "_reader", "_timer"),
        *("address", "closed", "host", "idle_until", "old_at"),
    )

    def __init__(self, owner: Owner, limits: HttpLimits, host: "Host", address: str) -> None:
        self.host = host
        self.address = address
        self.closed = False
        self.idle_until = 0.0
        self.old_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._limits = limits
        self._reader = AnswerReader(limits.head_bytes_max, limits.body_bytes_max)
        self._outlet: Outlet | None = None
        self._flight: Flight | None = None
        self._late = False
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, outlet: Outlet) -> None:
        """The connection is open and idle. Raises ConnectionError if it was lost meanwhile."""
        if self.closed:
            outlet.abort()
            raise ConnectionError("the server closed the connection")
        self._outlet = outlet
        now = self._loop.time()
        self.old_at = now + self._limits.age_max_ms / 1_000
        self.idle_until = now + self._limits.idle_ms / 1_000

    def usable(self, now: float) -> bool:
        """Whether a request may be written: idle, young, to an address that the host's name still
        has, and the server has not closed it."""
        outlet = self._outlet
        return (
            outlet is not None
            and not self.closed
            and self._flight is None
            and now < self.idle_until
            and now < self.old_at
            and self.address in self.host.addresses
            and outlet.quiet()
        )

    def begin(self, flight: Flight) -> Begun:
        """Ask the guard and write the request. `stale`: nothing was written and the connection
        is closed; `withdrawn`: nothing was written and it is idle as before."""
        outlet = self._outlet
        assert outlet is not None
        assert self._flight is None
        data = written(flight.request)
        if not outlet.clear():
            self.abort()
            return "stale"
        if not self._allowed(flight):
            return "withdrawn"
        try:
            left = outlet.write(data)
        except OSError:
            left = False
        if not left:
            self.abort()
            return "stale"
        self._flight = flight
        flight.connection = self
        if not outlet.clear():
            wait_s = self._limits.write_timeout_ms / 1_000
            self._timer = self._loop.call_later(wait_s, self._check_written)
        return "written"

    def overdue(self) -> HttpResult:
        """The call's time is up: its result, which the caller tells. From now on the connection
        listens for a late answer, unless one has begun; then it is closed."""
        reader = self._reader
        if reader.head_done:
            self._flight = None
            self._close("")
            return reader.answered(complete=False)
        self._late = True
        self._stop_timer()
        self._timer = self._loop.call_later(self._limits.late_ms / 1_000, self.abort)
        return Unknown(f"no answer within {self._limits.timeout_ms} ms")

    def abort(self) -> None:
        """Close by reset; a call under way is told `Unknown`."""
        self._close("the connection was given up")

    def close(self) -> None:
        """Close an idle connection in order."""
        if self.closed or self._outlet is None or self._flight is not None:
            self.abort()
            return
        self.closed = True
        self._outlet.close()
        self._owner.gone(self)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing yet: what may be written is decided by `attach`."""

    def data_received(self, data: bytes) -> None:
        if self.closed:
            return
        flight = self._flight
        if flight is None:
            self.abort()  # it says something that nobody asked for
            return
        reader = self._reader
        try:
            reader.feed(data)
        except AnswerError as error:
            self._close(f"the server's answer cannot be read: {error}")
            return
        if reader.done or reader.too_long:
            self._finish(flight)

    def eof_received(self) -> bool:
        if self._flight is not None and not self.closed:
            self._reader.end()
            if self._reader.done:
                self._finish(self._flight)
        self._close("the server closed the connection before it answered")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        why = f" ({type(exc).__name__})" if exc else ""
        self._close(f"the connection was lost before the answer{why}")

    # --- inside ---

    def _allowed(self, flight: Flight) -> bool:
        try:
            return flight.guard()
        except Exception as error:
            told = {"message": "a guard failed", "exception": error}
            self._loop.call_exception_handler(told)
            return False

    def _finish(self, flight: Flight) -> None:
        """The answer is there."""
        reader = self._reader
        result = reader.answered(complete=True)
        self._flight = None
        outlet = cast(Outlet, self._outlet)
        if reader.keep_alive and reader.done and not self._late and outlet.clear():
            self._stop_timer()
            self.idle_until = self._loop.time() + reader.idle_s(self._limits.idle_ms / 1_000)
        else:
            self._close("")
        reader.clear()
        self._tell(flight, result)

    def _close(self, why: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._stop_timer()
        if self._outlet is None:
            return  # it was never open; whoever opens it will see
        self._outlet.abort()
        self._owner.gone(self)
        flight, self._flight = self._flight, None
        if flight is None:
            return
        # The status is the server's word, even if the rest of its answer was lost.
        head = self._reader.head_done
        self._tell(flight, self._reader.answered(complete=False) if head else Unknown(why))

    def _tell(self, flight: Flight, result: HttpResult) -> None:
        flight.connection = None
        if not self._late:
            self._owner.answered(self, flight, result)
        elif isinstance(result, Answered):
            self._owner.answered_late(self, flight, result)

    def _check_written(self) -> None:
        self._timer = None
        outlet = self._outlet
        if outlet is not None and not outlet.clear():
            took = self._limits.write_timeout_ms
            self._close(f"the server did not take the request within {took} ms")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
