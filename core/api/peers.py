"""Asking another core about a message: the one that owns its shard, which alone knows what is
under way; or, where this region may not journal the message's home, any core of those that may.

A request is passed on once, with the caller as the edge found it out. What can be asked twice goes
on to the next core when one does not answer, and is answered here from the store where this region
has what is known. A core that did not answer is not asked again for a moment: a region that hangs
must not make each question wait for it.
"""

import asyncio

import aiohttp
from aiohttp import web
from yarl import URL

from core.contract.internal import (
    INTERNAL_SECRET_HEADER,
    KEY_ID_HEADER,
    SCOPES_HEADER,
    TENANT_HEADER,
    TRACE_HEADER,
)
from core.contract.log import Log
from core.contract.problems import problem
from core.engine.whereabouts import Whereabouts

PASSED_HEADER = "X-GouTong-Passed"
READ_S = 1.5
CHANGE_S = 5.0
CONNECT_S = 0.5
AVOIDED_S = 2.0
CONNECTIONS_MAX = 32
_GIVEN = (
    TENANT_HEADER,
    SCOPES_HEADER,
    KEY_ID_HEADER,
    TRACE_HEADER,
    "Idempotency-Key",
    "Content-Type",
)
_RETURNED = ("Content-Type", "Retry-After", "Idempotent-Replayed")


class Peers:
    """The other cores."""

    def __init__(self, where: Whereabouts, secret: str, log: Log) -> None:
        self._where = where
        self._secret = secret
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._avoided_until: dict[str, float] = {}

    async def start(self) -> None:
        """Be ready to ask; connections are made when they are needed."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def stop(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def ask_owner(self, request: web.Request, message_id: str) -> web.Response | None:
        """Another core's answer, or None when this core is to answer itself. ProblemError
        `home_elsewhere` where it cannot, and nobody who can was reached."""
        if PASSED_HEADER in request.headers or not self._where.knows_home(message_id):
            return None
        seconds = READ_S if request.method == "GET" else CHANGE_S
        for url in self._asked(self._where.urls(message_id)):
            try:
                return await self._pass_on(request, url, seconds)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._no_answer(url, error)
        if not self._where.here(message_id):
            raise _elsewhere()
        return None

    async def ask_elsewhere(self, request: web.Request, message_id: str) -> web.Response | None:
        """As `ask_owner`, for what may be done once only, and by any core of a region that has the
        message; None when this is one."""
        where = self._where
        if PASSED_HEADER in request.headers or not where.knows_home(message_id):
            return None
        if where.here(message_id):
            return None
        for url in self._asked(where.urls(message_id)):
            try:
                return await self._pass_on(request, url, CHANGE_S)
            except aiohttp.ClientConnectorError as error:
                self._no_answer(url, error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._no_answer(url, error)
                detail = "A core of another region took the request and did not answer in time."
                raise problem("core_timeout", detail) from None
        raise _elsewhere()

    def _asked(self, urls: list[str]) -> list[str]:
        now = asyncio.get_running_loop().time()
        self._avoided_until = {u: at for u, at in self._avoided_until.items() if at > now}
        return [url for url in urls if url not in self._avoided_until]

    def _no_answer(self, url: str, error: Exception) -> None:
        self._avoided_until[url] = asyncio.get_running_loop().time() + AVOIDED_S
        self._log.warning("another core did not answer", url=url, error=type(error).__name__)

    async def _pass_on(self, request: web.Request, url: str, seconds: float) -> web.Response:
        assert self._session is not None  # it was started
        headers = {INTERNAL_SECRET_HEADER: self._secret, PASSED_HEADER: "1"}
        headers |= {name: request.headers[name] for name in _GIVEN if name in request.headers}
        timeout = aiohttp.ClientTimeout(total=seconds, connect=CONNECT_S)
        async with self._session.request(
            request.method,
            URL(f"{url}{request.rel_url.raw_path_qs}", encoded=True),
            headers=headers,
            data=await request.read(),
            timeout=timeout,
        ) as given:
            body = await given.read()
            answer = web.Response(status=given.status, body=body)
            for name in _RETURNED:
                if name in given.headers:
                    answer.headers[name] = given.headers[name]
            return answer


def _elsewhere() -> Exception:
    detail = "Another region has this message, and none of its cores answers. Try again."
    return problem("home_elsewhere", detail, headers={"Retry-After": "1"})
