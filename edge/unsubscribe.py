"""Passes unsubscribe links on to a core: /u/{token}, open to everybody who holds a link.

What a token stands for is sealed, and the core opens it; so nothing of the caller is passed on but
that it called. Links of one mailing are followed by many at once: a bounded number is with cores at
a time, more get 503 and may come again. A body is read, within bounds, and means nothing.
"""

from aiohttp import web
from msgspec import Struct

from core.contract.internal import TRACE_HEADER
from core.contract.problems import problem
from edge.answers import Answer
from edge.bodies import Bodies
from edge.cores import CoreHttp
from edge.proxy import asked, relayed
from edge.routes import Route

BODY_BYTES_MAX = 4096


class LinkDoorLimits(Struct, frozen=True):
    """How long a call may take, and how many may be under way at once."""

    timeout_ms: int
    calls_max: int


class UnsubscribeDoor:
    """Forwards /u/{token}."""

    def __init__(self, bodies: Bodies, cores: CoreHttp, limits: LinkDoorLimits) -> None:
        self._bodies = bodies
        self._cores = cores
        self._limits = limits
        self._calls = 0

    async def forward(self, request: web.BaseRequest, route: Route, trace: str) -> Answer:
        """The core's answer, or ProblemError."""
        with self._bodies.hold(self._bodies.expected(request)):
            await self._bodies.read(request)
        if self._calls >= self._limits.calls_max:
            detail = "Many follow such links at this moment. Try again."
            raise problem("overloaded", detail, headers={"Retry-After": "2"})
        self._calls += 1
        try:
            path = request.raw_path.partition("?")[0]
            headers = {TRACE_HEADER: trace}
            answer = await asked(
                self._cores, route.method, path, self._limits.timeout_ms, headers, b""
            )
        finally:
            self._calls -= 1
        return relayed(answer, trace)
