"""The endpoints of tenants, with their signing secrets sealed.

A secret is shown once. While one rotates out, two are in force. An endpoint that answers 410 Gone
is switched off with that as its `problem`, until somebody edits it. `StaleVersion` and `StoreError`
go to the caller; a secret that cannot be sealed is ProblemError `sealed`.
"""

import base64
from collections.abc import Callable

import msgspec
from msgspec import Struct

from core.clock import Clock
from core.contract.problems import problem
from core.contract.webhooks import EndpointIn, EventType
from core.tenants.vault import Vault, VaultError
from sync.store.entities import Entity, EntityStore, StaleVersion, live

KIND = "webhook"
SECRET_BYTES = 32
_TRIES_MAX = 10


class Secret(Struct, frozen=True):
    """A signing secret as it is kept. `until_ms` 0: for good."""

    sealed: str
    until_ms: int = 0


class Endpoint(Struct, frozen=True):
    """An endpoint as it is stored."""

    tenant: str
    id: str
    url: str
    events: tuple[EventType, ...]
    enabled: bool
    description: str
    created_ms: int
    secrets: tuple[Secret, ...]
    problem: str = ""


class StoredEndpoint(Struct, frozen=True):
    """With its version; `secret` is in clear just after it was made."""

    version: int
    endpoint: Endpoint
    secret: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Endpoint).decode


class EndpointStore:
    """The endpoints of all tenants in one entity store."""

    def __init__(
        self,
        entities: EntityStore,
        vault: Vault,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        endpoints_max: int,
    ) -> None:
        self._entities = entities
        self._vault = vault
        self._clock = clock
        self._random_bytes = random_bytes
        self._endpoints_max = endpoints_max

    async def get(self, tenant: str, endpoint_id: str) -> StoredEndpoint | None:
        """The one of that id."""
        found = await live(self._entities, KIND, f"{tenant}/{endpoint_id}")
        return _stored(found) if found else None

    async def page(self, tenant: str, after: str, limit: int) -> list[StoredEndpoint]:
        """The tenant's in order of id, those after `after`."""
        prefix = f"{tenant}/"
        found = await self._entities.list(KIND, prefix + after, limit)
        return [_stored(entity) for entity in found if entity.id.startswith(prefix)]

    async def every(self, after: str, limit: int) -> list[tuple[str, Endpoint]]:
        """Of all tenants, with their entity ids, in order."""
        found = await self._entities.list(KIND, after, limit)
        return [(entity.id, _decode(entity.body)) for entity in found]

    async def at(self, entity_id: str) -> Endpoint | None:
        """What stands under an entity id."""
        found = await live(self._entities, KIND, entity_id)
        return _decode(found.body) if found else None

    async def create(self, tenant: str, given: EndpointIn, url: str) -> StoredEndpoint:
        """A new one, with a new secret; ProblemError where the tenant has as many as it may."""
        if len(await self.page(tenant, "", self._endpoints_max)) >= self._endpoints_max:
            detail = f"There are {self._endpoints_max} endpoints; delete one first."
            raise problem("too_many", detail)
        endpoint_id = "ep_" + base64.b32encode(self._random_bytes(10)).decode().lower()
        secret, sealed = self._new_secret(tenant, endpoint_id)
        endpoint = Endpoint(
            tenant,
            endpoint_id,
            url,
            tuple(given.events),
            given.enabled,
            given.description,
            self._clock.wall_ms(),
            (Secret(sealed),),
        )
        version = await self._entities.put(KIND, f"{tenant}/{endpoint_id}", _encode(endpoint), 0)
        return StoredEndpoint(version, endpoint, secret)

    async def replace(
        self, tenant: str, endpoint_id: str, given: EndpointIn, url: str, expect: int | None
    ) -> StoredEndpoint | None:
        """Other settings, the same secrets; what was its problem is over."""

        def edited(before: Endpoint) -> Endpoint:
            return msgspec.structs.replace(
                before,
                url=url,
                events=tuple(given.events),
                enabled=given.enabled,
                description=given.description,
                problem="",
            )

        return await self._edit(tenant, endpoint_id, edited, expect)

    async def rotate(
        self, tenant: str, endpoint_id: str, keep_old_s: int, expect: int | None
    ) -> StoredEndpoint | None:
        """A new secret; the newest of the old ones signs too for a while."""
        secret, sealed = self._new_secret(tenant, endpoint_id)
        until_ms = self._clock.wall_ms() + keep_old_s * 1000

        def edited(before: Endpoint) -> Endpoint:
            old = (Secret(before.secrets[0].sealed, until_ms),) if keep_old_s else ()
            return msgspec.structs.replace(before, secrets=(Secret(sealed), *old))

        stored = await self._edit(tenant, endpoint_id, edited, expect)
        return stored and msgspec.structs.replace(stored, secret=secret)

    async def switch_off(self, tenant: str, endpoint_id: str, url: str, why: str) -> bool:
        """Nothing more is sent there until it is edited. False where it has another URL by now, or
        is off already."""

        def edited(before: Endpoint) -> Endpoint | None:
            if before.url != url or not before.enabled:
                return None
            return msgspec.structs.replace(before, enabled=False, problem=why)

        return await self._edit(tenant, endpoint_id, edited, None) is not None

    async def delete(self, tenant: str, endpoint_id: str, expect: int | None) -> bool:
        """Take it away with its secrets. False if there is none."""
        return await self._entities.delete(KIND, f"{tenant}/{endpoint_id}", expect) > 0

    def open(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Its secrets in force, newest first; raises VaultError."""
        now_ms = self._clock.wall_ms()
        owner = f"{endpoint.tenant}/{endpoint.id}"
        return tuple(
            self._vault.unseal(owner, "secret", secret.sealed)
            for secret in endpoint.secrets
            if not secret.until_ms or now_ms < secret.until_ms
        )

    async def _edit(
        self,
        tenant: str,
        endpoint_id: str,
        edited: Callable[[Endpoint], Endpoint | None],
        expect: int | None,
    ) -> StoredEndpoint | None:
        """None where there is none, or nothing to be changed."""
        name = f"{tenant}/{endpoint_id}"
        current = 0
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, name)
            if found is None:
                return None
            current = found.version
            if expect is not None and expect != current:
                break
            wanted = edited(_decode(found.body))
            if wanted is None:
                return None
            try:
                version = await self._entities.put(KIND, name, _encode(wanted), current)
            except StaleVersion:
                continue
            return StoredEndpoint(version, wanted)
        raise StaleVersion(current)

    def _new_secret(self, tenant: str, endpoint_id: str) -> tuple[str, str]:
        text = "whsec_" + base64.b64encode(self._random_bytes(SECRET_BYTES)).decode()
        try:
            return text, self._vault.seal(f"{tenant}/{endpoint_id}", "secret", text)
        except VaultError as error:
            raise problem("sealed", str(error)) from None


def _stored(entity: Entity) -> StoredEndpoint:
    return StoredEndpoint(entity.version, _decode(entity.body))
