"""Who is not sent to, and who is told what became of messages, put together: suppressions, the
unsubscribe link, tenants' webhook endpoints and their events.

Made once from the settings by the composition root; nothing here decides anything.
"""

import secrets
from collections.abc import Iterable

from aiohttp import web

from core.api import suppressions as suppressions_api
from core.api import unsubscribe as unsubscribe_api
from core.api import webhooks as webhooks_api
from core.api.suppressions import SuppressionDeps
from core.api.webhooks import EndpointDeps
from core.clock import Clock
from core.contract.log import Log
from core.contract.settings import Settings
from core.engine.engine import Engine
from core.engine.payload import Payload, content_of
from core.process import Process
from core.suppress.links import LINK_PURPOSE, Links
from core.suppress.service import Suppressions
from core.suppress.store import SuppressionStore
from core.suppress.table import Suppressed
from core.tenants.vault import Vault
from core.webhooks.events import EVENT_KIND, events_of
from core.webhooks.store import EndpointStore
from core.webhooks.table import Endpoints
from sync.owner.state import Msg
from sync.records import Message
from sync.store.entities import EntityStore, StaleVersion
from sync.store.feed import EntityFeed
from sync.store.port import StoreError


class Telling:
    """See the module's docstring."""

    def __init__(
        self,
        engine: Engine,
        entities: EntityStore,
        feed: EntityFeed,
        vault: Vault,
        settings: Settings,
        clock: Clock,
        process: Process,
        log: Log,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._process = process
        self._accept = engine.behind.accept
        self._shards = settings.region.home_shards
        store = SuppressionStore(entities)
        table = Suppressed(store, process.spawn)
        table.watch(feed)
        links = Links(settings.edge.public_url, vault.derived(LINK_PURPOSE))
        self.suppressions = Suppressions(store, table, links, clock, log, process.spawn)
        self.endpoint_store = EndpointStore(
            entities, vault, clock, secrets.token_bytes, settings.limits.webhooks_max
        )
        self.endpoints = Endpoints(self.endpoint_store, log, process.spawn)
        self.endpoints.watch(feed)
        for work in engine.homes.values():
            work.behind.events_of = self._events_of
        hooks = engine.dispatcher.hooks
        hooks.suppressed = self.suppressions.why
        hooks.unsubscribe_url = self.suppressions.link
        hooks.endpoint = self.endpoints.door
        hooks.invalid_target = self._invalid_target

    def routes(self) -> list[web.RouteDef]:
        """The handlers of suppressions, of the unsubscribe link and of endpoints."""
        suppressed = SuppressionDeps(self.suppressions, self._clock, self._settings.limits)
        endpoints = EndpointDeps(
            self.endpoint_store,
            self.endpoints,
            self._clock,
            self._settings.region.name,
            self._shards,
            self._settings.limits,
            self._accept,
        )
        return [
            *suppressions_api.routes(suppressed),
            *unsubscribe_api.routes(self.suppressions, self._log),
            *webhooks_api.routes(endpoints),
        ]

    async def load(self) -> None:
        """Read everything that is asked before a message is sent; raises StoreError."""
        await self.suppressions.table.load()
        await self.endpoints.load()

    def heard(self, msg: Msg) -> None:
        """More is known of a message: a complaint counts whoever may tell of it."""
        if msg.receipts and msg.message is not None:
            self.suppressions.heard(msg, content_of(msg))

    def _events_of(self, msg: Msg) -> Iterable[Message]:
        if not self.endpoints.any:
            return ()
        payload = content_of(msg)
        listening = self.endpoints.of(payload.tenant)
        if not listening:
            return ()
        # Whoever owns it: the same events have the same ids.
        return events_of(msg, payload, listening, msg.home, self._clock.wall_ms())

    def _invalid_target(self, message_id: str, payload: Payload, to: str, detail: str) -> None:
        if payload.kind == EVENT_KIND:
            self._process.spawn(self._switch_off(payload.tenant, payload.to, to, detail))
        else:
            self.suppressions.invalid(message_id, payload, detail)

    async def _switch_off(self, tenant: str, endpoint_id: str, url: str, why: str) -> None:
        """A store that fails leaves it on: the next event is answered in the same way."""
        try:
            done = await self.endpoint_store.switch_off(tenant, endpoint_id, url, why)
        except (StoreError, StaleVersion) as error:
            self._log.error("an endpoint is not switched off", error=str(error))
            return
        if done:
            await self.endpoints.refresh(tenant, endpoint_id)
            self._log.warning("endpoint switched off", tenant=tenant, endpoint=endpoint_id, why=why)
