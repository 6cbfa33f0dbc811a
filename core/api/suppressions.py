"""Suppressions over HTTP: /v1/suppressions, of the caller's tenant.

Adding joins a cause to what is there; taking away (DELETE, with If-Match where the caller wants to
be sure of what it saw) lets the contact point be sent to again. Addresses stand in bodies only.
"""

from aiohttp import web
from msgspec import Struct

from core.api.internal_auth import caller_of
from core.api.wire import answer, cut, expected_version, missing, page_asked, read_body
from core.clock import Clock
from core.contract.keys import SUPPRESSIONS
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.recipients import AddressError, normal_address
from core.contract.requests import ChannelName
from core.contract.sections.core import LimitsSettings
from core.contract.suppressions import (
    SuppressionEntry,
    SuppressionIn,
    SuppressionOut,
    SuppressionPage,
    SuppressionSearch,
)
from core.contract.times import rfc3339
from core.suppress.rules import entry_of
from core.suppress.service import Suppressions
from core.suppress.store import StoredSuppression, name_of


class SuppressionDeps(Struct, frozen=True):
    """What the handlers need."""

    suppressions: Suppressions
    clock: Clock
    limits: LimitsSettings


def routes(deps: SuppressionDeps) -> list[web.RouteDef]:
    """The handlers of suppressions."""
    handlers = _Handlers(deps)
    one = "/v1/suppressions/{id}"
    return [
        web.get("/v1/suppressions", handlers.list, allow_head=False),
        web.post("/v1/suppressions", handlers.add),
        web.post("/v1/suppressions/search", handlers.search),
        web.get(one, handlers.get, allow_head=False),
        web.delete(one, handlers.remove),
    ]


class _Handlers:
    def __init__(self, deps: SuppressionDeps) -> None:
        self._deps = deps
        self._store = deps.suppressions.store

    async def list(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SUPPRESSIONS)
        asked = page_asked(request, self._deps.limits)
        found = await self._store.page(caller.tenant, asked.after, asked.limit + 1)
        page, cursor = cut(found, asked, lambda one: one.id)
        return answer(SuppressionPage(cursor, [_shown(one) for one in page]))

    async def add(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SUPPRESSIONS)
        given = await read_body(request, SuppressionIn, self._deps.limits)
        address = _address(given.channel, given.address)
        at_ms = self._deps.clock.wall_ms()
        entry = entry_of(given.reason, at_ms, only=given.classes, detail=given.detail)
        stored = await self._deps.suppressions.add(caller.tenant, given.channel, address, entry)
        return answer(_shown(stored), 201, stored.version)

    async def search(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SUPPRESSIONS)
        given = await read_body(request, SuppressionSearch, self._deps.limits)
        name = name_of(given.channel, _address(given.channel, given.address))
        found = await self._store.get(caller.tenant, name)
        return answer(SuppressionPage(None, [] if found is None else [_shown(found)]))

    async def get(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SUPPRESSIONS)
        found = await self._find(caller.tenant, request.match_info["id"])
        return answer(_shown(found), version=found.version)

    async def remove(self, request: web.Request) -> web.Response:
        caller = caller_of(request, SUPPRESSIONS)
        found = await self._find(caller.tenant, request.match_info["id"])
        expect = expected_version(request, found.version)
        await self._deps.suppressions.remove(caller.tenant, found.id, expect)
        return web.Response(status=204)

    async def _find(self, tenant: str, name: str) -> StoredSuppression:
        found = await self._store.get(tenant, name)
        if found is None:
            raise missing("suppression", name)
        return found


def _address(channel: ChannelName, text: str) -> str:
    try:
        return normal_address(channel, text)
    except AddressError as error:
        raise invalid([FieldProblem("/address", error.detail, error.hint)]) from None


def _shown(stored: StoredSuppression) -> SuppressionOut:
    suppression = stored.suppression
    entries = [
        SuppressionEntry(
            entry.reason, list(entry.classes), rfc3339(entry.at_ms), entry.detail, entry.message
        )
        for entry in suppression.entries
    ]
    return SuppressionOut(
        stored.id, suppression.channel, suppression.address, entries, stored.version
    )
