"""Calls in, results out: which connection carries a call, and when its time is up.

`send` promises what the port of adapters asks for (core/providers/port.py): the guard is asked in
the turn of the first byte, `done` is called exactly once and never from within `send`, before the
first byte a loss is `NotSent`, after it `Unknown`, and nothing written is ever repeated. An
answer that comes after `Unknown` was told by the time-out is handed to `late`.

A call takes an idle connection of its host, or waits for one while up to `host_connections_max`
are opened. So a host that hangs holds up its own calls only. Where all connections of the account
are in use, idle ones of other hosts are closed for those that have none, and busy hosts give theirs
up one by one.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext

from core.providers.http.connection import Connection
from core.providers.http.flight import Flight
from core.providers.http.host import Host
from core.providers.http.limits import HttpLimits
from core.providers.http.message import (
    Answered,
    HostKey,
    HttpRequest,
    HttpResult,
    NotSent,
    Refused,
    Target,
    Withdrawn,
)
from core.providers.http.names import Names
from core.providers.http.opening import Opener

_TIMER_SLACK_S = 0.001


class HttpPool:
    """The HTTP client of one account. `tls` may be None where only http is called."""

    def __init__(self, limits: HttpLimits, names: Names, tls: SSLContext | None) -> None:
        self._limits = limits
        self._names = names
        self._loop = asyncio.get_running_loop()
        self._opener = Opener(self, limits, names, tls)
        self._hosts: dict[HostKey, Host] = {}
        self._open: dict[Flight, None] = {}  # in the order of their deadlines
        self._starved: dict[Host, None] = {}
        self._late: dict[Connection, None] = {}
        self._connections = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._calm = asyncio.Event()
        self._closing = False

    @property
    def under_way(self) -> int:
        """Calls that have no result yet."""
        return len(self._open)

    def send(
        self,
        request: HttpRequest,
        guard: Callable[[], bool],
        done: Callable[[HttpResult], None],
        late: Callable[[HttpResult], None] | None = None,
    ) -> None:
        """Carry out one call; see the module."""
        if self._closing or len(self._open) >= self._limits.calls_max:
            why = "the account was stopped" if self._closing else "too many calls are under way"
            self._loop.call_soon(done, NotSent(why))
            return
        host = self._host(request.target)
        deadline = self._loop.time() + self._limits.timeout_ms / 1_000
        flight = Flight(request, guard, done, late, host, deadline)
        self._open[flight] = None
        if self._deadline is None:
            self._deadline = self._loop.call_at(deadline, self._tick)
        if not host.waiting and self._use_idle(host, flight):
            return
        if len(host.waiting) >= self._limits.host_waiting_max + host.opening:
            self._end_later(flight, NotSent("too many calls to this host"))
            return
        host.waiting.append(flight)
        self._hosts[host.key] = host  # its last connection may have gone just now
        self._grow(host)

    async def stop(self, grace_ms: int) -> None:
        """Take no more calls, let those that were written end within the grace, close by reset."""
        self._closing = True
        for flight in [each for each in self._open if each.connection is None]:
            flight.host.waiting.clear()
            self._end(flight, NotSent("the account was stopped"))
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_ms / 1_000):
                    await self._calm.wait()
        await self._opener.stop()
        self._names.close()
        # What is still under way is told `Unknown` by its connection.
        busy = [each.connection for each in self._open if each.connection is not None]
        idle = [each for host in self._hosts.values() for each in host.idle]
        for connection in (*busy, *idle, *self._late):
            connection.abort()
        for timer in (self._deadline, self._sweep):
            if timer is not None:
                timer.cancel()

    # --- connection.Owner ---

    def answered(self, connection: Connection, flight: Flight, result: HttpResult) -> None:
        if not connection.closed:
            self._reuse(connection)
        self._end(flight, result)

    def answered_late(self, _connection: Connection, flight: Flight, result: Answered) -> None:
        if flight.late is not None:
            flight.late(result)

    def gone(self, connection: Connection) -> None:
        if connection in self._late:
            del self._late[connection]
            return
        host = connection.host
        if connection in host.idle:
            host.idle.remove(connection)
        self._freed(host)

    # --- opening.Site ---

    def opened(self, connection: Connection) -> None:
        host = connection.host
        host.opening -= 1
        if connection.usable(self._loop.time()) and self._serve(connection):
            return
        # Another one would fare no better: what waits is told, rather than tried again and again.
        self._fail(host, NotSent("the server spoke or closed before it was asked"))
        connection.abort()

    def not_opened(self, host: Host, result: NotSent | Refused) -> None:
        host.opening -= 1
        self._fail(host, result)
        self._freed(host)

    # --- inside ---

    def _host(self, target: Target) -> Host:
        host = self._hosts.get(target.key)
        if host is None:
            host = self._hosts[target.key] = Host(target)
        return host

    def _use_idle(self, host: Host, flight: Flight) -> bool:
        now = self._loop.time()
        while host.idle:
            connection = host.idle.pop()
            if not connection.usable(now):
                connection.close()
                continue
            begun = connection.begin(flight)
            if begun == "withdrawn":
                host.idle.append(connection)
                self._end_later(flight, Withdrawn())
            if begun != "stale":
                return True
        return False

    def _reuse(self, connection: Connection) -> None:
        """A connection has done its call. What it cannot do any more, a new one will."""
        host = connection.host
        if host.waiting and not connection.usable(self._loop.time()):
            connection.close()
        elif not self._serve(connection):
            self._grow(host)

    def _serve(self, connection: Connection) -> bool:
        """Give an idle connection its next call, keep it, or give its place to another host.
        False if it turned out to be lost; then nothing was done."""
        host = connection.host
        if self._starved and (host.connections > 1 or not host.waiting):
            connection.close()
            return True
        while host.waiting:
            flight = host.waiting.popleft()
            begun = connection.begin(flight)
            if begun == "written":
                return True
            if begun == "stale":
                host.waiting.appendleft(flight)
                return False
            self._end_later(flight, Withdrawn())
        if self._closing:
            connection.close()
            return True
        host.idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._limits.idle_ms / 2_000, self._sweep_idle)
        return True

    def _grow(self, host: Host) -> None:
        """Open connections for the calls that wait, as far as there are places."""
        limits = self._limits
        while (
            host.opening < len(host.waiting)
            and host.connections < limits.host_connections_max
            and not self._closing
        ):
            if self._connections >= limits.connections_max and not self._evict():
                if not host.connections:
                    self._starved[host] = None
                return
            host.connections += 1
            host.opening += 1
            self._connections += 1
            self._opener.open(host)

    def _evict(self) -> bool:
        """Close the idle connection that was not used for longest; False if there is none."""
        oldest = [host.idle[0] for host in self._hosts.values() if host.idle]
        if not oldest:
            return False
        min(oldest, key=lambda each: each.idle_until).close()
        return self._connections < self._limits.connections_max

    def _freed(self, host: Host) -> None:
        """A place for a connection is free again: for the host's own calls, or for others'."""
        host.connections -= 1
        self._connections -= 1
        while self._starved and self._connections < self._limits.connections_max:
            starved = next(iter(self._starved))
            del self._starved[starved]
            self._grow(starved)
        self._grow(host)
        self._forget(host)

    def _forget(self, host: Host) -> None:
        if not host.connections and not host.waiting:
            self._starved.pop(host, None)
            self._hosts.pop(host.key, None)

    def _fail(self, host: Host, result: NotSent | Refused) -> None:
        """A connection did not come about. It ends all that wait, or one where others are open."""
        if isinstance(result, Refused):
            host.addresses = frozenset()  # those that are busy are not used again, either
            for connection in list(host.idle):
                connection.close()
        elif host.waiting and host.connections - host.opening > 1:
            self._end(host.waiting.pop(), result)
            return
        ended = list(host.waiting)
        host.waiting.clear()
        for flight in ended:
            self._end(flight, result)

    def _end(self, flight: Flight, result: HttpResult) -> None:
        del self._open[flight]
        if self._closing and not self._open:
            self._calm.set()
        flight.done(result)

    def _end_later(self, flight: Flight, result: HttpResult) -> None:
        del self._open[flight]
        self._loop.call_soon(flight.done, result)

    def _tick(self) -> None:
        """End the calls whose time is up."""
        self._deadline = None
        now = self._loop.time() + _TIMER_SLACK_S
        try:
            while self._open and (flight := next(iter(self._open))).deadline <= now:
                self._expire(flight)
        finally:
            if self._open:
                at = next(iter(self._open)).deadline
                self._deadline = self._loop.call_at(at, self._tick)

    def _expire(self, flight: Flight) -> None:
        host, connection = flight.host, flight.connection
        if connection is None:
            host.waiting.remove(flight)
            self._end(flight, NotSent("no connection to the host came free in time"))
            self._forget(host)
            return
        result = connection.overdue()
        flight.connection = None
        if not connection.closed:
            self._late[connection] = None
            self._freed(host)
            if len(self._late) > self._limits.late_max:
                next(iter(self._late)).abort()
        self._end(flight, result)

    def _sweep_idle(self) -> None:
        """Close connections that nobody needed for long."""
        self._sweep = None
        now = self._loop.time()
        for host in list(self._hosts.values()):
            for connection in list(host.idle):
                if now >= connection.idle_until or now >= connection.old_at:
                    connection.close()
        if any(host.idle for host in self._hosts.values()):
            self._sweep = self._loop.call_later(self._limits.idle_ms / 2_000, self._sweep_idle)
