"""The endpoints as they are asked for at each change of a message: in memory, by tenant.

Loaded before anything is sent, and kept current by the feed of changes. An endpoint whose secrets
cannot be opened is there without any, and says so in the log; what is to be told to it waits.
"""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from core.contract.log import Log
from core.tenants.vault import VaultError
from core.webhooks.store import KIND, Endpoint, EndpointStore
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

PAGE = 500
AGAIN_S = 1.0


class Door(Struct, frozen=True):
    """What a call needs. `secrets` newest first."""

    url: str
    secrets: tuple[str, ...]
    enabled: bool


class Endpoints:
    """See the module's docstring."""

    def __init__(
        self, store: EndpointStore, log: Log, spawn: Callable[[Awaitable[None]], None]
    ) -> None:
        self._store = store
        self._log = log
        self._spawn = spawn
        self._by_tenant: dict[str, dict[str, Endpoint]] = {}

    def watch(self, feed: EntityFeed) -> None:
        """Follow what is changed, by whomever."""
        feed.watch(KIND, self.changed, lambda: self._spawn(self.load()))

    def of(self, tenant: str) -> list[Endpoint]:
        """The tenant's endpoints that are switched on."""
        known = self._by_tenant.get(tenant)
        return [each for each in known.values() if each.enabled] if known else []

    def door(self, tenant: str, endpoint_id: str) -> Door | None:
        """Where and how the endpoint is called now; None if it was taken away."""
        found = self._by_tenant.get(tenant, {}).get(endpoint_id)
        if found is None:
            return None
        try:
            secrets = self._store.open(found)
        except VaultError as error:
            self._log.error("an endpoint's secret cannot be opened", error=str(error))
            return Door(found.url, (), False)
        return Door(found.url, secrets, found.enabled)

    async def load(self) -> None:
        """Read all of them; raises StoreError."""
        after, found = "", list[Endpoint]()
        while page := await self._store.every(after, PAGE):
            found += [endpoint for _, endpoint in page]
            after = page[-1][0]
        self._by_tenant = {}
        for endpoint in found:
            self._by_tenant.setdefault(endpoint.tenant, {})[endpoint.id] = endpoint

    def changed(self, entity_id: str) -> None:
        """One was changed."""
        self._spawn(self._reload(entity_id))

    async def _reload(self, entity_id: str) -> None:
        tenant, _, endpoint_id = entity_id.partition("/")
        while True:
            try:
                found = await self._store.at(entity_id)
            except StoreError:
                await asyncio.sleep(AGAIN_S)
                continue
            if found is None:
                self._by_tenant.get(tenant, {}).pop(endpoint_id, None)
            else:
                self._by_tenant.setdefault(tenant, {})[endpoint_id] = found
            return
