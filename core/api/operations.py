"""What operators and balancers ask a core: is it alive, is it ready, how is it, its numbers."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from core.api.wire import answer
from core.obs.metrics import CoreMetrics

OPEN_PATHS = frozenset({"/livez", "/readyz", "/status", "/metrics"})


def routes(
    ready: Callable[[], str], status: Callable[[], dict[str, Any]], metrics: CoreMetrics
) -> list[web.RouteDef]:
    """`ready` answers "" or why not; `status` is plain data without anything secret."""

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = ready()
        return web.Response(status=503 if why else 200, text=f"{why or 'ok'}\n")

    async def show(_: web.Request) -> web.Response:
        return answer(status())

    async def numbers(_: web.Request) -> web.Response:
        body = metrics.text()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})

    return [
        web.get("/livez", livez),
        web.get("/readyz", readyz),
        web.get("/status", show),
        web.get("/metrics", numbers),
    ]
