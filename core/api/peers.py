"""Asking the core that owns a message's shard: it alone knows what is under way.

A request is passed on once, with the caller as the edge found it out; when the owner does not
answer, this core answers from the store.
"""

from collections.abc import Callable

import aiohttp
from aiohttp import web

from core.contract.internal import (
    INTERNAL_SECRET_HEADER,
    KEY_ID_HEADER,
    SCOPES_HEADER,
    TENANT_HEADER,
    TRACE_HEADER,
)
from core.contract.log import Log

PASSED_HEADER = "X-GouTong-Passed"
TIMEOUT_S = 5.0
CONNECTIONS_MAX = 32
_CALLER = (TENANT_HEADER, SCOPES_HEADER, KEY_ID_HEADER, TRACE_HEADER)


class Peers:
    """The other cores. `url_of_owner` says where the owner of a message answers, "" for here."""

    def __init__(self, url_of_owner: Callable[[str], str], secret: str, log: Log) -> None:
        self._url_of_owner = url_of_owner
        self._secret = secret
        self._log = log
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Be ready to ask; connections are made when they are needed."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, connect=1.0),
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
        )

    async def stop(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def ask_owner(self, request: web.Request, message_id: str) -> web.Response | None:
        """The owner's answer, or None when this core is to answer itself."""
        url = self._url_of_owner(message_id)
        if not url or self._session is None or PASSED_HEADER in request.headers:
            return None
        headers = {INTERNAL_SECRET_HEADER: self._secret, PASSED_HEADER: "1"}
        headers |= {name: request.headers[name] for name in _CALLER if name in request.headers}
        try:
            async with self._session.request(
                request.method, url + request.path, headers=headers
            ) as given:
                body = await given.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._log.warning("the owner did not answer", url=url, error=type(error).__name__)
            return None
        return web.Response(
            status=given.status, body=body, headers={"Content-Type": given.content_type}
        )
