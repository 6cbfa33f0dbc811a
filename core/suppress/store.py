"""Suppressed contact points in the entity store, one entity each.

Adding is joining: whoever adds at the same moment loses nothing. Taking away names the version that
was seen, so that what came meanwhile stays. `StaleVersion` and `StoreError` go to the caller.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec
from msgspec import Struct

from core.contract.requests import ChannelName
from core.suppress.rules import Entry, joined
from sync.store.entities import Entity, EntityStore, StaleVersion, live

KIND = "suppression"
_TRIES_MAX = 10
_HASH_BYTES = 12


class Suppression(Struct, frozen=True):
    """A contact point of a tenant, and why it is not sent to."""

    tenant: str
    channel: ChannelName
    address: str
    entries: tuple[Entry, ...]


class StoredSuppression(Struct, frozen=True):
    """One with its id within the tenant, and its version."""

    id: str
    version: int
    suppression: Suppression


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Suppression).decode


def name_of(channel: str, address: str) -> str:
    """The id of a contact point within its tenant; it tells nobody the address.

    Mailboxes that differ by their case alone are one: next to no server tells them apart, and who
    asked for nothing more is not to be reached by another spelling.
    """
    address = address.lower() if channel == "email" else address
    return f"{channel}.{blake2b(address.encode(), digest_size=_HASH_BYTES).hexdigest()}"


class SuppressionStore:
    """The suppressions of all tenants in one entity store."""

    def __init__(self, entities: EntityStore) -> None:
        self._entities = entities

    async def get(self, tenant: str, name: str) -> StoredSuppression | None:
        """The one of that id."""
        found = await live(self._entities, KIND, f"{tenant}/{name}")
        return _stored(found) if found else None

    async def page(self, tenant: str, after: str, limit: int) -> list[StoredSuppression]:
        """The tenant's in order of id, those after `after`."""
        prefix = f"{tenant}/"
        found = await self._entities.list(KIND, prefix + after, limit)
        return [_stored(entity) for entity in found if entity.id.startswith(prefix)]

    async def every(self, after: str, limit: int) -> list[tuple[str, Suppression]]:
        """Of all tenants, with their entity ids, in order."""
        found = await self._entities.list(KIND, after, limit)
        return [(entity.id, _decode(entity.body)) for entity in found]

    async def at(self, entity_id: str) -> Suppression | None:
        """What stands under an entity id, as the feed of changes names it."""
        found = await live(self._entities, KIND, entity_id)
        return _decode(found.body) if found else None

    async def add(
        self, tenant: str, channel: ChannelName, address: str, entries: Iterable[Entry]
    ) -> StoredSuppression:
        """Join these causes to what is there; nothing is written where they add nothing."""
        name = name_of(channel, address)
        added = tuple(entries)
        current = 0
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, f"{tenant}/{name}")
            current = found.version if found else 0
            before = _decode(found.body).entries if found else ()
            wanted = Suppression(tenant, channel, address, joined((*before, *added)))
            if wanted.entries == before:
                return StoredSuppression(name, current, wanted)
            try:
                version = await self._entities.put(
                    KIND, f"{tenant}/{name}", _encode(wanted), current
                )
            except StaleVersion:
                continue
            return StoredSuppression(name, version, wanted)
        raise StaleVersion(current)

    async def remove(self, tenant: str, name: str, expect: int | None) -> bool:
        """Send to it again. False if it is not suppressed."""
        return await self._entities.delete(KIND, f"{tenant}/{name}", expect) > 0


def _stored(entity: Entity) -> StoredSuppression:
    name = entity.id.partition("/")[2]
    return StoredSuppression(name, entity.version, _decode(entity.body))
