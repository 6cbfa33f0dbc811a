"""Drafts of templates: at most one for each, which nothing is sent with.

A draft is an entity of its own, so that saving it disturbs nobody who renders. Its version is its
ETag and only rises, also when it is dropped and begun again. `StaleVersion` is raised where the
caller's expected version is not the current one; `StoreError` where the store fails.
"""

import msgspec
from msgspec import Struct

from core.contract.templates import TemplateIn
from core.templates.store import template_id
from core.templates.versions import Stamp
from sync.store.entities import Entity, EntityStore, live

KIND = "template_draft"


class _Body(Struct, frozen=True, omit_defaults=True):
    template: TemplateIn
    stamp: Stamp = Stamp()
    base: int = 0


class StoredDraft(Struct, frozen=True):
    """A draft as it is stored. `base` is the published version that was in force when it was
    saved, 0 for none."""

    version: int
    template: TemplateIn
    stamp: Stamp
    base: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Body).decode


class DraftStore:
    """Drafts in the entity store, by tenant and name."""

    def __init__(self, entities: EntityStore) -> None:
        self._entities = entities

    async def get(self, tenant: str, name: str) -> StoredDraft | None:
        found = await live(self._entities, KIND, template_id(tenant, name))
        return _stored(found) if found else None

    async def list(self, tenant: str, after: str, limit: int) -> list[StoredDraft]:
        """The tenant's drafts in order of name, those after `after`."""
        prefix = f"{tenant}/"
        found = await self._entities.list(KIND, prefix + after, limit)
        return [_stored(entity) for entity in found if entity.id.startswith(prefix)]

    async def save(
        self, tenant: str, template: TemplateIn, stamp: Stamp, base: int, expect: int | None
    ) -> StoredDraft:
        """Store it in place of the one that is there; `expect` 0 means that there is none yet."""
        name = template_id(tenant, template.name)
        body = _encode(_Body(template, stamp, base))
        version = await self._entities.put(KIND, name, body, expect)
        return StoredDraft(version, template, stamp, base)

    async def drop(self, tenant: str, name: str, expect: int | None) -> bool:
        """Forget it; False if there is none."""
        return await self._entities.delete(KIND, template_id(tenant, name), expect) > 0


def _stored(entity: Entity) -> StoredDraft:
    body = _decode(entity.body)
    return StoredDraft(entity.version, body.template, body.stamp, body.base)
