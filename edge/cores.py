"""The cores as the edge knows them, and plain calls to their internal HTTP.

A call goes to the cores in turn until one answers; one that failed is asked last for a while, and
those of other regions before it, since any core answers for all of them. A
request that can have an effect is passed to the next core only if the connection was refused, so
that nothing can have been written. Raises `CoreUnreachable` when no core is left, and
`CoreSilent` when one took the request and gave no answer (`timed_out`: none in time).
"""

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp
from msgspec import Struct
from yarl import URL

from core.contract.internal import INTERNAL_SECRET_HEADER

_AVOIDED_S = 5.0


class CoreUnreachable(Exception):  # noqa: N818 - a fact, told in the words of the domain
    """No core could be connected to; nothing was written."""


class CoreSilent(Exception):  # noqa: N818
    """A core took the request, and its answer never came whole."""

    def __init__(self, what: str, *, timed_out: bool = False) -> None:
        super().__init__(what)
        self.timed_out = timed_out


class CoreAddress(Struct, frozen=True):
    """Where one core is: its link port and its HTTP port."""

    host: str
    link_port: int
    http_port: int

    @property
    def name(self) -> str:
        return f"{self.host}:{self.link_port}"


class CoreAnswer(Struct, frozen=True):
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def parse_cores(text: str) -> list[CoreAddress]:
    """ "host:LINKPORT/HTTPPORT,..." taken apart; ValueError says which part is wrong."""
    cores = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        host, colon, ports = part.rpartition(":")
        link, slash, http = ports.partition("/")
        if not (host and colon and slash and link.isdigit() and http.isdigit()):
            raise ValueError(f"{part!r} is no core; write host:LINKPORT/HTTPPORT")
        if not (0 < int(link) < 65_536 and 0 < int(http) < 65_536):
            raise ValueError(f"{part!r} has a port outside of 1 to 65535")
        cores.append(CoreAddress(host, int(link), int(http)))
    if len({core.name for core in cores}) != len(cores):
        raise ValueError("the same core is named twice")
    return cores


def parse_far(text: str) -> dict[str, list[CoreAddress]]:
    """The cores of other regions: "us=host:LINKPORT/HTTPPORT,...;ap=...", taken apart."""
    far: dict[str, list[CoreAddress]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        region, equals, cores = part.partition("=")
        if not equals or not region or region in far:
            raise ValueError(f"{part!r} is no region with its cores; write NAME=host:LINK/HTTP,...")
        far[region] = parse_cores(cores)
    return far


class CoreHttp:
    """A bounded pool of connections to the cores' HTTP."""

    def __init__(
        self,
        cores: Sequence[CoreAddress],
        secret: str,
        *,
        connections_max: int,
        body_bytes_max: int,
        far: Sequence[CoreAddress] = (),
    ) -> None:
        self._cores = list(cores)
        self._far = list(far)
        self._body_bytes_max = body_bytes_max
        self._turn = 0
        self._avoided_until: dict[str, float] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections_max, limit_per_host=connections_max, use_dns_cache=False
            ),
            headers={INTERNAL_SECRET_HEADER: secret},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )

    async def close(self) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        target: str,
        *,
        timeout_ms: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> CoreAnswer:
        """One answer of one core. `target` is path and query, already quoted."""
        repeatable = method in ("GET", "HEAD")
        failure: Exception = CoreUnreachable("no core is configured")
        for core in self._in_turn():
            try:
                answer = await self._ask(core, method, target, timeout_ms, headers, body)
                self._avoided_until.pop(core.name, None)
                return answer
            except aiohttp.ClientConnectorError as error:
                failure = CoreUnreachable(f"{core.name}: {error.os_error.strerror}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                timed_out = isinstance(error, TimeoutError)
                failure = CoreSilent(f"{core.name}: {type(error).__name__}", timed_out=timed_out)
            self._avoided_until[core.name] = asyncio.get_running_loop().time() + _AVOIDED_S
            if isinstance(failure, CoreSilent) and not repeatable:
                break
        raise failure

    def _in_turn(self) -> list[CoreAddress]:
        self._turn += 1
        start = self._turn % max(1, len(self._cores))
        now = asyncio.get_running_loop().time()
        turned = self._cores[start:] + self._cores[:start] + self._far
        return sorted(turned, key=lambda core: self._avoided_until.get(core.name, 0.0) > now)

    async def _ask(
        self,
        core: CoreAddress,
        method: str,
        target: str,
        timeout_ms: int,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> CoreAnswer:
        url = URL(f"http://{core.host}:{core.http_port}{target}", encoded=True)
        timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        async with self._session.request(
            method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > self._body_bytes_max:
                    raise aiohttp.ClientPayloadError("the answer is longer than allowed")
            return CoreAnswer(response.status, response.headers.copy(), bytes(content))
