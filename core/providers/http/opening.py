"""Opening connections for hosts: the name, the address, TCP, TLS, all within one time-out."""

import asyncio
import ssl
from typing import Protocol

from core.providers.http.connection import Connection, Owner
from core.providers.http.dial import connect, open_outlet
from core.providers.http.host import Host
from core.providers.http.limits import HttpLimits
from core.providers.http.message import NotSent, Refused
from core.providers.http.names import ForbiddenError, Names


class Site(Owner, Protocol):
    """Whom the opener tells: one of the two for each `open`, from a later turn."""

    def opened(self, connection: Connection) -> None: ...

    def not_opened(self, host: Host, result: NotSent | Refused) -> None: ...


class Opener:
    """See the module."""

    def __init__(
        self, site: Site, limits: HttpLimits, names: Names, tls: ssl.SSLContext | None
    ) -> None:
        self._site = site
        self._limits = limits
        self._names = names
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, host: Host) -> None:
        """Begin to open one connection to the host."""
        task = asyncio.get_running_loop().create_task(self._run(host))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is being opened."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, host: Host) -> None:
        result: Connection | NotSent | Refused
        try:
            async with asyncio.timeout(self._limits.connect_timeout_ms / 1_000):
                result = await self._open(host)
        except ForbiddenError as error:
            result = Refused(str(error))
        except TimeoutError:
            took = self._limits.connect_timeout_ms
            result = NotSent(f"connect: nothing within {took} ms")
        except asyncio.CancelledError:
            result = NotSent("connect: the account was stopped")
        except ssl.SSLCertVerificationError as error:
            result = NotSent(f"connect: TLS: {error.verify_message}")
        except ssl.SSLError as error:
            result = NotSent(f"connect: TLS: {error.reason or 'failed'}")
        except OSError as error:
            result = NotSent(f"connect: {error.strerror or error}")
        if isinstance(result, Connection):
            self._site.opened(result)
        else:
            self._site.not_opened(host, result)

    async def _open(self, host: Host) -> Connection:
        target, limits = host.target, self._limits
        tls = None
        if target.tls:
            tls = self._tls
            if tls is None:
                raise OSError("this account has no TLS")
        addresses = await self._names.addresses(target.host)
        host.addresses = frozenset(map(str, addresses))
        sock, address = await connect(
            addresses, target.port, limits.connect_timeout_ms / 1_000, limits.write_timeout_ms
        )
        connection = Connection(self._site, limits, host, str(address))
        outlet = await open_outlet(sock, connection, tls, target.host)
        connection.attach(outlet)
        return connection
