"""What operators change of regions: POST /v1/regions/{name}/drain, /return, /force-own, /join.

Draining and returning are asked of any region, for any: both change one row under compare-and-set.
Ownership is forced, and joined again, in the region itself, because its own store has to have the
word first (PROTOCOL.md 7). A rule that says no is told by its name. 503 `store_unreadable`: the
change may have been made, or be made later; asking again does no harm.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from msgspec import Struct

from core.api.internal_auth import caller_of
from core.api.wire import answer, read_body
from core.contract.keys import ADMIN
from core.contract.problems import problem
from core.contract.region_changes import (
    DrainIn,
    ForcedOut,
    ForceIn,
    JoinIn,
    ServingOut,
    ServingSetOut,
)
from core.contract.sections.core import LimitsSettings
from core.engine.force import Force
from core.engine.serving import Serving
from sync.agreed import Refusal
from sync.forced import Forced
from sync.serving import ServingSet
from sync.store.port import StoreError

T = TypeVar("T")


class RegionDeps(Struct, frozen=True):
    """What the handlers change. `region` is the own one's name."""

    serving: Serving
    force: Force
    region: str
    limits: LimitsSettings


def routes(deps: RegionDeps) -> list[web.RouteDef]:
    """The handlers of changes."""
    changes = _Changes(deps)
    return [
        web.post("/v1/regions/{name}/drain", changes.drain),
        web.post("/v1/regions/{name}/return", changes.begin_return),
        web.post("/v1/regions/{name}/force-own", changes.force),
        web.post("/v1/regions/{name}/join", changes.join),
    ]


class _Changes:
    def __init__(self, deps: RegionDeps) -> None:
        self._deps = deps

    async def drain(self, request: web.Request) -> web.Response:
        caller_of(request, ADMIN)
        given = await read_body(request, DrainIn, self._deps.limits)
        name = request.match_info["name"]
        return await self._serving(lambda: self._deps.serving.drain(name, given.reason))

    async def begin_return(self, request: web.Request) -> web.Response:
        caller_of(request, ADMIN)
        name = request.match_info["name"]
        return await self._serving(lambda: self._deps.serving.begin_return(name))

    async def _serving(self, change: Callable[[], Awaitable[ServingSet | Refusal]]) -> web.Response:
        row = await _told(change)
        rows = sorted(row.regions.items())
        data = [ServingOut(name, one.state, one.share_pct, one.reason) for name, one in rows]
        return answer(ServingSetOut(row.version, data))

    async def force(self, request: web.Request) -> web.Response:
        caller_of(request, ADMIN)
        self._own(request)
        await read_body(request, ForceIn, self._deps.limits)
        return _forced(await _told(self._deps.force.force))

    async def join(self, request: web.Request) -> web.Response:
        caller_of(request, ADMIN)
        self._own(request)
        given = await read_body(request, JoinIn, self._deps.limits)

        async def repaired() -> list[str]:
            return given.repaired

        return _forced(await _told(lambda: self._deps.force.join(repaired)))

    def _own(self, request: web.Request) -> None:
        name = request.match_info["name"]
        if name != self._deps.region:
            what = f"this is region {self._deps.region}"
            raise _refused(Refusal("ask_there", name, what, f"Ask an edge of region {name}."))


async def _told(change: Callable[[], Awaitable[T | Refusal]]) -> T:
    try:
        found = await change()
    except StoreError as error:
        raise problem("store_unreadable", f"{error}. Ask again.") from None
    if isinstance(found, Refusal):
        raise _refused(found)
    return found


def _refused(refusal: Refusal) -> Exception:
    detail = f"{refusal.where}: {refusal.what}. {refusal.hint}"
    code = "not_found" if refusal.rule == "region_known" else "rule_says_no"
    return problem(code, detail, rule=refusal.rule)


def _forced(row: Forced) -> web.Response:
    return answer(ForcedOut(row.number, row.alone, list(row.regions)))
