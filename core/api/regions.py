"""GET /v1/regions: how the regions are, as the core that answers knows it."""

from aiohttp import web

from core.api.internal_auth import caller_of
from core.api.wire import answer
from core.clock import Clock
from core.contract.keys import READ
from core.engine.engine import Engine
from core.engine.regions import regions_out, seen_by


def routes(engine: Engine, clock: Clock) -> list[web.RouteDef]:
    """The route of regions."""

    async def show(request: web.Request) -> web.Response:
        caller_of(request, READ)
        return answer(regions_out(seen_by(engine, clock.wall_ms(), clock.boot())))

    return [web.get("/v1/regions", show)]
