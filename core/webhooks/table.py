"""The endpoints as they are asked for at each change of a message: in memory, by tenant.

Loaded before anything is sent, and kept current by the feed of changes. An endpoint that is not
known here may have been made a moment ago by another process: it is looked for, and what is to be
told to it waits meanwhile. So does what is to be told to an endpoint whose secrets cannot be
opened; the log says so.
"""

from collections.abc import Awaitable, Callable

from core.contract.log import Log
from core.engine.hooks import Endpoint as Door
from core.tenants.vault import VaultError
from core.webhooks.store import KIND, Endpoint, EndpointStore
from sync.store.feed import EntityFeed
from sync.store.follow import Follower
from sync.store.port import StoreError

PAGE = 500
GONE_MAX = 10_000


class Endpoints:
    """See the module's docstring."""

    def __init__(
        self, store: EndpointStore, log: Log, spawn: Callable[[Awaitable[None]], None]
    ) -> None:
        self._store = store
        self._log = log
        self._known: dict[str, Endpoint] = {}
        self._listening: dict[str, tuple[Endpoint, ...]] = {}
        self._gone: dict[str, None] = {}
        self._follower = Follower(self._read_all, self._read_one, spawn)

    def watch(self, feed: EntityFeed) -> None:
        """Follow what is changed, by whomever."""
        self._follower.watch(feed, KIND)

    async def load(self) -> None:
        """Read all of them; raises StoreError."""
        await self._follower.load()

    async def refresh(self, tenant: str, endpoint_id: str) -> None:
        """This process wrote it: see that it is known here."""
        entity_id = f"{tenant}/{endpoint_id}"
        try:
            await self._follower.read(entity_id)
        except StoreError:
            self._follower.changed(entity_id)

    @property
    def any(self) -> bool:
        """Whether any tenant is to be told of anything."""
        return bool(self._listening)

    def of(self, tenant: str) -> tuple[Endpoint, ...]:
        """The tenant's endpoints that are switched on."""
        return self._listening.get(tenant, ())

    def door(self, tenant: str, endpoint_id: str) -> Door | None:
        """Where and how the endpoint is called now; None if it was taken away."""
        entity_id = f"{tenant}/{endpoint_id}"
        found = self._known.get(entity_id)
        if found is None:
            if entity_id in self._gone:
                return None
            self._follower.changed(entity_id)
            return Door("", (), problem="the endpoint is being looked for")
        try:
            secrets = self._store.open(found)
        except VaultError as error:
            self._log.error("an endpoint's secret cannot be opened", error=str(error))
            return Door(found.url, (), problem=f"its secret cannot be opened: {error}")
        return Door(found.url, secrets, found.enabled)

    async def _read_all(self) -> None:
        after, found = "", dict[str, Endpoint]()
        while page := await self._store.every(after, PAGE):
            found.update(page)
            after = page[-1][0]
        self._known, self._listening, self._gone = found, {}, {}
        for tenant in {endpoint.tenant for endpoint in found.values()}:
            self._gather(tenant)

    async def _read_one(self, entity_id: str) -> None:
        found = await self._store.at(entity_id)
        if found is None:
            self._known.pop(entity_id, None)
            if len(self._gone) >= GONE_MAX:
                self._gone.clear()
            self._gone[entity_id] = None
        else:
            self._known[entity_id] = found
            self._gone.pop(entity_id, None)
        self._gather(entity_id.partition("/")[0])

    def _gather(self, tenant: str) -> None:
        start = f"{tenant}/"
        mine = (one for name, one in self._known.items() if name.startswith(start) and one.enabled)
        listening = tuple(sorted(mine, key=lambda one: one.id))
        if listening:
            self._listening[tenant] = listening
        else:
            self._listening.pop(tenant, None)
