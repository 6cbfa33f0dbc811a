"""Sends callbacks of the HTTP providers, each message's in their order, and repeats what fails.

A callback answered 5xx, 429 or not at all is repeated with growing pauses; one answered otherwise
is done, also with an error, as providers do it. What is still to be sent is in memory only: it is
lost when the sandbox ends.
"""

import asyncio
from collections.abc import Callable, Sequence

import aiohttp
from msgspec import Struct
from yarl import URL

from core.contract.log import Log
from core.sandbox.limits import SandboxLimits

_EARLY_WAIT_S = 2.0
_REPEATED = frozenset({429})


class Callback(Struct, frozen=True):
    """One request to make. It is signed anew at each try, where it is signed."""

    method: str
    url: str
    body: bytes = b""
    headers: Callable[[], dict[str, str]] = dict


class CallbackDesk:
    """See the module's docstring. Bounds are in `limits`."""

    def __init__(self, limits: SandboxLimits, log: Log) -> None:
        self._limits = limits
        self._log = log
        self._running: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def full(self) -> bool:
        """Whether no further message can have callbacks."""
        return len(self._running) >= self._limits.callbacks_max

    async def send(self, callbacks: Sequence[Callback], delay_ms: int, early: bool) -> None:
        """Send them one after another, each `delay_ms` after the one before. Where `early`, it
        returns when they are sent, or soon at least."""
        if not callbacks:
            return
        task = asyncio.ensure_future(self._tell(callbacks, 0 if early else delay_ms))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if early:
            await asyncio.wait([task], timeout=_EARLY_WAIT_S)

    async def close(self) -> None:
        """Send nothing more."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _tell(self, callbacks: Sequence[Callback], delay_ms: int) -> None:
        for callback in callbacks:
            if delay_ms:
                await asyncio.sleep(delay_ms / 1_000)
            await self._until_answered(callback)

    async def _until_answered(self, callback: Callback) -> None:
        pause_ms = self._limits.callback_repeat_ms
        for _ in range(self._limits.callback_tries_max):
            status = await self._ask(callback)
            if 200 <= status < 500 and status not in _REPEATED:
                return
            await asyncio.sleep(pause_ms / 1_000)
            pause_ms = min(pause_ms * 2, self._limits.callback_repeat_max_ms)
        self._log.warning("callback given up", tries=self._limits.callback_tries_max)

    async def _ask(self, callback: Callback) -> int:
        """The status of the answer, 0 for none."""
        try:
            async with self._client().request(
                callback.method,
                URL(callback.url, encoded=True),
                data=callback.body or None,
                headers=callback.headers(),
                allow_redirects=False,
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._log.info("callback failed", error=type(error).__name__)
            return 0

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=limits.callback_connections_max),
                timeout=aiohttp.ClientTimeout(total=limits.callback_timeout_ms / 1_000),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session
