"""What the HTTP wire tests share: a client, and calls whose results are written down."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any

from core.providers.http import (
    AddressRules,
    HttpLimits,
    HttpPool,
    HttpRequest,
    HttpResult,
    Names,
    field_lines,
    target_of,
)
from core.providers.http.names import LookUp
from tests.support.wait import until


class Client:
    """A pool and the results of its calls by name, each of which may come once only."""

    def __init__(self, pool: HttpPool) -> None:
        self.pool = pool
        self.results: dict[str, HttpResult] = {}
        self.lates: dict[str, HttpResult] = {}
        self.guarded: list[str] = []

    def send(
        self,
        name: str,
        url: str,
        guard: Callable[[], bool] = lambda: True,
        body: bytes = b"{}",
    ) -> None:
        """Begin a call."""

        def asked() -> bool:
            self.guarded.append(name)
            return guard()

        def done(result: HttpResult) -> None:
            assert name not in self.results, f"a second result for {name}: {result}"
            self.results[name] = result

        def late(result: HttpResult) -> None:
            assert name not in self.lates
            self.lates[name] = result

        fields = field_lines({"x-name": name})
        self.pool.send(HttpRequest(target_of(url), fields, body), asked, done, late)

    async def result(self, name: str) -> HttpResult:
        """The result of a call, waited for."""
        await until(lambda: name in self.results)
        return self.results[name]

    async def call(self, name: str, url: str, **more: Any) -> HttpResult:
        """One call and its result."""
        self.send(name, url, **more)
        return await self.result(name)


def at_home(host: str = "127.0.0.1") -> LookUp:
    """Every name is this machine."""

    async def look_up(_: str) -> Sequence[str]:
        return [host]

    return look_up


@asynccontextmanager
async def client(
    *,
    look_up: LookUp | None = None,
    rules: AddressRules | None = None,
    tls: SSLContext | None = None,
    grace_ms: int = 100,
    **limits: int,
) -> AsyncIterator[Client]:
    """A client, stopped at the end, when every call must have had its result."""
    bounds = HttpLimits(**limits)
    names = Names(rules or AddressRules(everything=True), bounds, look_up or at_home())
    made = Client(HttpPool(bounds, names, tls))
    try:
        yield made
    finally:
        await made.pool.stop(grace_ms)
        assert made.pool.under_way == 0
