"""A tenant's webhook endpoints over HTTP: /v1/webhooks.

A secret is shown in the answer that made it, and never again. A test event goes the way of all
events: journaled, signed, repeated by the schedule, listed among the endpoint's deliveries.
"""

import asyncio
import secrets
from collections.abc import Callable

import msgspec
from aiohttp import web
from msgspec import Struct

from core.api.internal_auth import caller_of
from core.api.wire import answer, cut, expected_version, missing, page_asked, read_body
from core.clock import Clock
from core.contract.ids import UNKEYED_RANDOM_BYTES, mint_unkeyed, shard_of
from core.contract.keys import WEBHOOKS
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.contract.recipients import AddressError, normal_url
from core.contract.sections.core import LimitsSettings
from core.contract.times import rfc3339
from core.contract.webhooks import (
    EndpointIn,
    EndpointOut,
    EndpointPage,
    EndpointTestOut,
    RotateIn,
)
from core.webhooks.events import event_message
from core.webhooks.store import EndpointStore, StoredEndpoint
from core.webhooks.table import Endpoints
from sync.records import Message

STANDS_WITHIN_S = 5.0


class EndpointDeps(Struct, frozen=True):
    """What the handlers need. `accept` journals a message and calls back once it stands."""

    store: EndpointStore
    endpoints: Endpoints
    clock: Clock
    region: str
    shards: int
    limits: LimitsSettings
    accept: Callable[[Message, bool, Callable[[], None]], None]


def routes(deps: EndpointDeps) -> list[web.RouteDef]:
    """The handlers of endpoints."""
    handlers = _Handlers(deps)
    one = "/v1/webhooks/{id}"
    return [
        web.get("/v1/webhooks", handlers.list, allow_head=False),
        web.post("/v1/webhooks", handlers.create),
        web.get(one, handlers.get, allow_head=False),
        web.put(one, handlers.replace),
        web.delete(one, handlers.delete),
        web.post(f"{one}/rotate", handlers.rotate),
        web.post(f"{one}/test", handlers.test),
    ]


class _Handlers:
    def __init__(self, deps: EndpointDeps) -> None:
        self._deps = deps
        self._store = deps.store

    async def list(self, request: web.Request) -> web.Response:
        caller = caller_of(request, WEBHOOKS)
        asked = page_asked(request, self._deps.limits)
        found = await self._store.page(caller.tenant, asked.after, asked.limit + 1)
        page, cursor = cut(found, asked, lambda one: one.endpoint.id)
        return answer(EndpointPage(cursor, [self._shown(one) for one in page]))

    async def create(self, request: web.Request) -> web.Response:
        caller = caller_of(request, WEBHOOKS)
        given = await read_body(request, EndpointIn, self._deps.limits)
        stored = await self._store.create(caller.tenant, given, _url(given.url))
        return await self._stored(stored, 201)

    async def get(self, request: web.Request) -> web.Response:
        stored = await self._find(request)
        return answer(self._shown(stored), version=stored.version)

    async def replace(self, request: web.Request) -> web.Response:
        before = await self._find(request)
        given = await read_body(request, EndpointIn, self._deps.limits)
        expect = expected_version(request, before.version)
        stored = await self._store.replace(
            before.endpoint.tenant, before.endpoint.id, given, _url(given.url), expect
        )
        return await self._stored(stored)

    async def rotate(self, request: web.Request) -> web.Response:
        before = await self._find(request)
        given = RotateIn()
        if await request.read():
            given = await read_body(request, RotateIn, self._deps.limits)
        expect = expected_version(request, before.version)
        endpoint = before.endpoint
        stored = await self._store.rotate(endpoint.tenant, endpoint.id, given.keep_old_s, expect)
        return await self._stored(stored)

    async def delete(self, request: web.Request) -> web.Response:
        found = await self._find(request)
        expect = expected_version(request, found.version)
        await self._store.delete(found.endpoint.tenant, found.endpoint.id, expect)
        await self._deps.endpoints.refresh(found.endpoint.tenant, found.endpoint.id)
        return web.Response(status=204)

    async def test(self, request: web.Request) -> web.Response:
        found = await self._find(request)
        deps, endpoint = self._deps, found.endpoint
        if not endpoint.enabled:
            raise problem("not_enabled", "The endpoint is switched off; switch it on first.")
        now_ms = deps.clock.wall_ms()
        shard = shard_of(endpoint.tenant, endpoint.id, deps.shards)
        rnd = secrets.token_bytes(UNKEYED_RANDOM_BYTES)
        event_id = mint_unkeyed(deps.region, shard, now_ms // 60_000, rnd)
        data = {"type": "webhook.test", "timestamp": rfc3339(now_ms), "data": {"id": event_id}}
        body = msgspec.json.encode(data)
        trace = caller_of(request, WEBHOOKS).trace
        message = event_message(endpoint.tenant, endpoint.id, event_id, shard, body, trace, now_ms)
        stands = asyncio.Event()
        deps.accept(message, False, stands.set)
        try:
            await asyncio.wait_for(stands.wait(), STANDS_WITHIN_S)
        except TimeoutError:
            detail = "Not known to be durable in time; it may be sent."
            raise problem("accept_unknown", detail, message_ids=[event_id]) from None
        return answer(EndpointTestOut(event_id), 202)

    async def _find(self, request: web.Request) -> StoredEndpoint:
        caller = caller_of(request, WEBHOOKS)
        endpoint_id = request.match_info["id"]
        found = await self._store.get(caller.tenant, endpoint_id)
        if found is None:
            raise missing("webhook endpoint", endpoint_id)
        return found

    async def _stored(self, stored: StoredEndpoint | None, status: int = 200) -> web.Response:
        if stored is None:
            raise problem("not_found", "The endpoint was deleted meanwhile.")
        await self._deps.endpoints.refresh(stored.endpoint.tenant, stored.endpoint.id)
        return answer(self._shown(stored), status, stored.version)

    def _shown(self, stored: StoredEndpoint) -> EndpointOut:
        endpoint, now_ms = stored.endpoint, self._deps.clock.wall_ms()
        return EndpointOut(
            endpoint.id,
            endpoint.url,
            list(endpoint.events),
            endpoint.enabled,
            endpoint.description,
            rfc3339(endpoint.created_ms),
            stored.version,
            sum(not one.until_ms or now_ms < one.until_ms for one in endpoint.secrets),
            endpoint.problem,
            stored.secret,
        )


def _url(text: str) -> str:
    try:
        return normal_url(text)
    except AddressError as error:
        raise invalid([FieldProblem("/url", error.detail, error.hint)]) from None
