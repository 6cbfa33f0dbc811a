"""Templates of tenants, with all their versions.

Each `put` of another content makes the next version; the same content again makes none, so that a
repeated PUT changes nothing. Versions that are no longer current stay readable by number: a
message's record names the one that it was rendered with. An old version is filed before the new one
takes its place, so a crash between the two loses none. `StaleVersion` is raised where the caller's
expected version is not the current one; `StoreError` where the store fails.
"""

import msgspec
from msgspec import Struct

from core.contract.resources import TemplateIn
from sync.store.entities import Entity, EntityStore, StaleVersion, live

KIND = "template"
OLD_KIND = "template_version"
_TRIES_MAX = 10

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TemplateIn).decode


class StoredTemplate(Struct, frozen=True):
    """A template as it is stored, in one version."""

    version: int
    template: TemplateIn
    source_bytes: int


class TemplateStore:
    """Templates in the entity store, by tenant and name."""

    def __init__(self, entities: EntityStore) -> None:
        self._entities = entities

    async def get(self, tenant: str, name: str) -> StoredTemplate | None:
        """The current version."""
        found = await live(self._entities, KIND, template_id(tenant, name))
        return _stored(found) if found else None

    async def version(self, tenant: str, name: str, version: int) -> TemplateIn | None:
        """What the template said in this version, also after it was replaced or deleted."""
        current = await self.get(tenant, name)
        if current and current.version == version:
            return current.template
        old = await live(self._entities, OLD_KIND, _old_id(template_id(tenant, name), version))
        return _decode(old.body) if old else None

    async def list(self, tenant: str, after: str, limit: int) -> list[StoredTemplate]:
        """The tenant's templates in order of name, those after `after`."""
        prefix = f"{tenant}/"
        found = await self._entities.list(KIND, prefix + after, limit)
        return [_stored(entity) for entity in found if entity.id.startswith(prefix)]

    async def put(self, tenant: str, template: TemplateIn, expect: int | None) -> int:
        """Store it and return its version; `expect` 0 means that there must be none yet."""
        name = template_id(tenant, template.name)
        body = _encode(template)
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, name)
            current = found.version if found else 0
            if expect is not None and expect != current:
                raise StaleVersion(current)
            if found:
                if found.body == body:
                    return current
                await self._file(found)
            try:
                return await self._entities.put(KIND, name, body, current)
            except StaleVersion:
                # Somebody was faster. With an expectation the next round refuses it.
                continue
        raise StaleVersion(current)

    async def delete(self, tenant: str, name: str, expect: int | None) -> bool:
        """Take it out of use; its versions stay readable. False if there is none."""
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, template_id(tenant, name))
            current = found.version if found else 0
            if expect is not None and expect != current:
                raise StaleVersion(current)
            if not found:
                return False
            await self._file(found)
            try:
                return await self._entities.delete(KIND, found.id, current) > 0
            except StaleVersion:
                continue
        raise StaleVersion(current)

    async def _file(self, current: Entity) -> None:
        """Keep the version that is about to be replaced. Filing it twice is harmless."""
        old = _old_id(current.id, current.version)
        if await live(self._entities, OLD_KIND, old) is None:
            await self._entities.put(OLD_KIND, old, current.body, None)


def template_id(tenant: str, name: str) -> str:
    """The entity's id. Neither part has a slash."""
    return f"{tenant}/{name}"


def _old_id(name: str, version: int) -> str:
    return f"{name}/{version:010}"


def _stored(entity: Entity) -> StoredTemplate:
    return StoredTemplate(entity.version, _decode(entity.body), len(entity.body))
