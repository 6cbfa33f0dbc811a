"""The core's configuration API on a real socket, with everything behind it but the engine."""

import asyncio
import io
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from msgspec import Struct

from core.accounts.service import Accounts
from core.api import keys, policies, providers, suppressions, templates, unsubscribe, webhooks
from core.api.internal_auth import guard
from core.api.suppressions import SuppressionDeps
from core.api.webhooks import EndpointDeps
from core.api.wire import ConfigDeps
from core.clock import SystemClock
from core.contract.log import Log
from core.contract.sections.core import LimitsSettings, TemplatesSettings
from core.policies.store import PolicyStore
from core.suppress.links import LINK_PURPOSE, Links
from core.suppress.service import Suppressions
from core.suppress.store import SuppressionStore
from core.suppress.table import Suppressed
from core.templates.render import Renderer
from core.templates.store import TemplateStore
from core.tenants.keys import KeyService
from core.tenants.vault import Vault
from core.webhooks.store import EndpointStore
from core.webhooks.table import Endpoints
from sync.records import Message
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.feed import EntityFeed

SECRET = "internal-secret"


class Answer(Struct):
    """`headers` are found whatever their case."""

    status: int
    headers: Any
    text: str

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.text)


class Door:
    """Calls the API as an edge does."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, deps: ConfigDeps, log: Any
    ) -> None:
        self.url = url
        self.session = session
        self.deps = deps
        self.states: dict[str, str] = {}
        self.suppressions: Suppressions
        self.endpoints: Endpoints
        self.journaled: list[Message] = []
        self.prices: dict[tuple[str, str], list[tuple[str, float]]] = {}
        self.logged: list[str] = []
        self._log_stream = log
        self.seen: list[str] = []

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        tenant: str = "acme",
        scopes: str = "admin",
        **headers: str,
    ) -> Answer:
        sent = {
            "X-GouTong-Internal": SECRET,
            "X-GouTong-Tenant": tenant,
            "X-GouTong-Scopes": scopes,
            "X-GouTong-Key-Id": "key000000001",
            "X-GouTong-Trace": "trace-1",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.session.request(
            method, self.url + path, data=data, headers={k: v for k, v in sent.items() if v}
        ) as answer:
            found = Answer(answer.status, answer.headers, await answer.text())
        self.seen.append(f"{found.headers} {found.text}")
        return found

    def log_text(self) -> str:
        return str(self._log_stream.getvalue(), "utf-8")


class _Telling:
    """Suppressions and endpoints without an engine: what is to be journaled stands at once."""

    def __init__(
        self, entities: SQLiteEntities, feed: EntityFeed, deps: ConfigDeps, log: Log
    ) -> None:
        self.journaled: list[Message] = []
        self._deps = deps
        self._log = log
        self._tasks: set[asyncio.Future[None]] = set()
        vault, clock = Vault(bytes(32)), SystemClock()
        suppressed = SuppressionStore(entities)
        table = Suppressed(suppressed, self._spawn)
        table.watch(feed)
        links = Links("https://notify.example.com", vault.derived(LINK_PURPOSE))
        self.suppressions = Suppressions(suppressed, table, links, clock, log, self._spawn)
        self._store = EndpointStore(entities, vault, clock, secrets.token_bytes, 3)
        self.endpoints = Endpoints(self._store, log, self._spawn)
        self.endpoints.watch(feed)

    def routes(self) -> list[web.RouteDef]:
        limits, clock = self._deps.limits, SystemClock()
        endpoints = EndpointDeps(
            self._store, self.endpoints, clock, "local", 64, limits, self._accept
        )
        return [
            *suppressions.routes(SuppressionDeps(self.suppressions, clock, limits)),
            *unsubscribe.routes(self.suppressions, self._log),
            *webhooks.routes(endpoints),
        ]

    def _accept(self, message: Message, globally: bool, then: Callable[[], None]) -> None:
        assert not globally
        self.journaled.append(message)
        then()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    entities = SQLiteEntities(tmp_path / "config.db")
    store = TemplateStore(entities)
    renderer = Renderer(store, TemplatesSettings())
    errors: list[Exception] = []
    feed = EntityFeed(entities, errors.append, poll_ms=10_000)
    feed.watch("template", renderer.changed, renderer.forget_all)
    states: dict[str, str] = {}
    deps = ConfigDeps(
        entities,
        feed,
        KeyService(entities, SystemClock(), secrets.token_bytes),
        store,
        renderer,
        Accounts(entities, Vault(bytes(32))),
        lambda account_id: states.get(account_id, ""),
        LimitsSettings(body_bytes_max=100_000, list_rows_max=10),
    )
    stream = io.BytesIO()
    log = Log(stream, "debug")
    app = web.Application(
        middlewares=[guard(SECRET, log, frozenset({"/livez"}))], client_max_size=200_000
    )
    for part in (keys, providers):
        app.add_routes(part.routes(deps))
    prices: dict[tuple[str, str], list[tuple[str, float]]] = {}
    app.add_routes(templates.routes(deps, lambda *wanted: prices.get(wanted, [])))
    app.add_routes(policies.routes(deps, PolicyStore(entities, deps.accounts)))
    telling = _Telling(entities, feed, deps, log)
    app.add_routes(telling.routes())

    async def livez(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError("c4nary in an exception")

    app.add_routes([web.get("/livez", livez), web.get("/broken", broken)])
    await feed.start()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        made = Door(f"http://127.0.0.1:{port}", session, deps, stream)
        made.states = states
        made.suppressions, made.endpoints = telling.suppressions, telling.endpoints
        made.journaled = telling.journaled
        made.prices = prices
        yield made
    await runner.cleanup()
    await feed.stop()
    await entities.close()
    log.close()
    assert errors == []
