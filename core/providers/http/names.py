"""From a host to the addresses that may be called, remembered for a short time.

All addresses of a name have to be allowed, or none is called: a name that points at a public and a
private address at once is no mistake of ours to guess about. A name is asked for once at a time,
by a few threads of our own, so that a name server that hangs holds up other names only when many
of them hang.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from ipaddress import ip_address

from msgspec import Struct

from core.providers.http.addresses import Address, AddressRules, BadHostError, literal
from core.providers.http.limits import HttpLimits

LookUp = Callable[[str], Awaitable[Sequence[str]]]
_THREADS = 16
_ADDRESSES_MAX = 16


class ForbiddenError(Exception):
    """The host may not be called; the text says why."""


class _Known(Struct, frozen=True):
    until: float
    addresses: tuple[Address, ...] = ()
    failed: str = ""
    forbidden: str = ""


async def system_look_up(host: str) -> list[str]:
    """The addresses of a name as the machine finds them. Raises OSError."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), _look_up, host)


class Names:
    """See the module. `look_up` asks for one name."""

    def __init__(
        self, rules: AddressRules, limits: HttpLimits, look_up: LookUp = system_look_up
    ) -> None:
        self._rules = rules
        self._limits = limits
        self._look_up = look_up
        self._loop = asyncio.get_running_loop()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Known]] = {}

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """Where the host is: at least one address, each allowed. Raises ForbiddenError, or
        OSError where the name has no address now."""
        known = self._known.get(host)
        if known is None or known.until <= self._loop.time():
            known = await asyncio.shield(self._ask(host))
        if known.forbidden:
            raise ForbiddenError(known.forbidden)
        if known.failed:
            raise OSError(known.failed)
        return known.addresses

    def close(self) -> None:
        """Wait for no answer any more."""
        for task in self._asking.values():
            task.cancel()

    def _ask(self, host: str) -> asyncio.Task[_Known]:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = self._loop.create_task(self._find(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        return task

    async def _find(self, host: str) -> _Known:
        try:
            itself = literal(host)
            told = [str(itself)] if itself is not None else await self._look_up(host)
            known = self._judged([ip_address(each) for each in told], itself is not None)
        except BadHostError as error:
            known = _Known(self._until(self._limits.names_ttl_ms), forbidden=str(error))
        except (OSError, ValueError):
            known = self._failed()
        self._known[host] = known
        self._known.move_to_end(host)
        while len(self._known) > self._limits.names_max:
            self._known.popitem(last=False)
        return known

    def _judged(self, addresses: list[Address], itself: bool) -> _Known:
        if not addresses:
            return self._failed()
        until = self._until(self._limits.names_ttl_ms)
        if not all(self._rules.allows(each) for each in addresses):
            what = "is" if itself else "resolves to"
            return _Known(until, forbidden=f"the host {what} a private address")
        return _Known(until, tuple(dict.fromkeys(addresses))[:_ADDRESSES_MAX])

    def _failed(self) -> _Known:
        until = self._until(self._limits.names_failed_ttl_ms)
        return _Known(until, failed="the host's name has no address")

    def _until(self, ttl_ms: int) -> float:
        return self._loop.time() + ttl_ms / 1_000


@lru_cache(1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="names")


def _look_up(host: str) -> list[str]:
    # As bytes: Python's own codec for names refuses some that resolvers know.
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]
