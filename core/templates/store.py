"""Templates of tenants, with all their versions.

Each publishing of another content makes the next version; the same content again makes none, so
that a repeated PUT changes nothing. One version is in force; which one is changed by one write that
happens whole or not at all. Versions never change and stay readable by number: a message's record
names the one that it was rendered with. A version is filed before another one takes its place, so a
crash between the two loses none. `StaleVersion` is raised where the caller's expected revision (the
entity's version, its ETag) is not the current one; `StoreError` where the store fails.
"""

from core.contract.templates import TemplateIn
from core.templates.versions import (
    Moved,
    Pins,
    Published,
    Stamp,
    StoredTemplate,
    content_of,
    filed_body,
    head_body,
    read_filed,
    read_head,
)
from sync.store.entities import Entity, EntityStore, StaleVersion, live

KIND = "template"
OLD_KIND = "template_version"
_TRIES_MAX = 10


class NoSuchVersion(Exception):  # noqa: N818 - a name that its catchers read well
    """The template has no version of this number; `latest` is its highest."""

    def __init__(self, version: int, latest: int) -> None:
        super().__init__(f"there is no version {version}; the latest is {latest}")
        self.latest = latest


class TemplateStore:
    """Templates in the entity store, by tenant and name."""

    def __init__(self, entities: EntityStore) -> None:
        self._entities = entities

    async def get(self, tenant: str, name: str) -> StoredTemplate | None:
        """The version in force."""
        found = await live(self._entities, KIND, template_id(tenant, name))
        return read_head(found) if found else None

    async def version(self, tenant: str, name: str, version: int) -> TemplateIn | None:
        """What the template said in this version, also after it was replaced or deleted."""
        found = await self.published(tenant, name, version)
        return found.template if found else None

    async def published(self, tenant: str, name: str, version: int) -> Published | None:
        """This version whole, also after it was replaced or deleted."""
        current = await self.get(tenant, name)
        if current and current.version == version:
            return content_of(current)
        old = await live(self._entities, OLD_KIND, _old_id(template_id(tenant, name), version))
        return read_filed(old.body) if old else None

    async def versions(
        self, tenant: str, name: str, after: int, limit: int
    ) -> list[tuple[int, Published]]:
        """Published versions with their numbers, oldest first, those after `after`."""
        template = template_id(tenant, name)
        found = await self._entities.list(OLD_KIND, _old_id(template, after), limit)
        versions = [
            (int(entity.id.rpartition("/")[2]), read_filed(entity.body))
            for entity in found
            if entity.id.startswith(f"{template}/")
        ]
        current = await self.get(tenant, name)
        # Only the latest can be in force and not filed yet.
        known = {number for number, _ in versions}
        if current and current.version > after and current.version not in known:
            versions.append((current.version, content_of(current)))
        return versions[:limit]

    async def list(self, tenant: str, after: str, limit: int) -> list[StoredTemplate]:
        """The tenant's templates in order of name, those after `after`."""
        prefix = f"{tenant}/"
        found = await self._entities.list(KIND, prefix + after, limit)
        return [read_head(entity) for entity in found if entity.id.startswith(prefix)]

    async def put(self, tenant: str, template: TemplateIn, expect: int | None) -> int:
        """Publish content that uses no partials, and return its version."""
        return (await self.publish(tenant, template, expect)).version

    async def publish(
        self,
        tenant: str,
        template: TemplateIn,
        expect: int | None,
        pins: Pins | None = None,
        stamp: Stamp | None = None,
    ) -> StoredTemplate:
        """Make this content the version in force; `expect` 0 means that there is none yet."""
        name = template_id(tenant, template.name)
        content = Published(template, pins or {}, stamp or Stamp())
        for _ in range(_TRIES_MAX):
            current = await self._current(name, expect)
            if current and content_of(current).same(content):
                return current
            number = current.latest + 1 if current else 0
            moved = Moved(content.stamp, "publish", number)
            changed = await self._change(name, current, content, number, number, moved)
            if changed:
                return changed
        raise StaleVersion(current.revision if current else 0)

    async def rollback(
        self, tenant: str, name: str, version: int, expect: int | None, stamp: Stamp
    ) -> StoredTemplate | None:
        """Put an older version in force again; None where there is no such template.

        Raises `NoSuchVersion`.
        """
        template = template_id(tenant, name)
        for _ in range(_TRIES_MAX):
            current = await self._current(template, expect)
            if current is None or current.version == version:
                return current
            old = await live(self._entities, OLD_KIND, _old_id(template, version))
            if old is None:
                raise NoSuchVersion(version, current.latest)
            content = read_filed(old.body)
            moved = Moved(stamp, "rollback", version)
            changed = await self._change(template, current, content, version, current.latest, moved)
            if changed:
                return changed
        raise StaleVersion(current.revision if current else 0)

    async def delete(self, tenant: str, name: str, expect: int | None) -> bool:
        """Take it out of use; its versions stay readable. False if there is none."""
        template = template_id(tenant, name)
        for _ in range(_TRIES_MAX):
            current = await self._current(template, expect)
            if current is None:
                return False
            await self._file(template, current)
            try:
                return await self._entities.delete(KIND, template, current.revision) > 0
            except StaleVersion:
                continue
        raise StaleVersion(current.revision if current else 0)

    async def _current(self, name: str, expect: int | None) -> StoredTemplate | None:
        """What is in force, if it is as expected."""
        found = await live(self._entities, KIND, name)
        revision = found.version if found else 0
        if expect is not None and expect != revision:
            raise StaleVersion(revision)
        return read_head(found) if found else None

    async def _change(
        self,
        name: str,
        current: StoredTemplate | None,
        content: Published,
        effective: int,
        latest: int,
        moved: Moved,
    ) -> StoredTemplate | None:
        """Put this content in force; None where somebody else was faster. With an expectation the
        next round refuses then."""
        if current:
            await self._file(name, current)
        moves, revision = (current.moves, current.revision) if current else ([], 0)
        body = head_body(content, effective, latest, moves, moved)
        try:
            changed = await self._entities.put(KIND, name, body, revision)
        except StaleVersion:
            return None
        return read_head(Entity(KIND, name, changed, body))

    async def _file(self, name: str, current: StoredTemplate) -> None:
        """Keep the version that is about to be replaced. Filing it twice is harmless."""
        old = _old_id(name, current.version)
        if await live(self._entities, OLD_KIND, old) is None:
            await self._entities.put(OLD_KIND, old, filed_body(content_of(current)), None)


def template_id(tenant: str, name: str) -> str:
    """The entity's id. Neither part has a slash."""
    return f"{tenant}/{name}"


def _old_id(name: str, version: int) -> str:
    return f"{name}/{version:010}"
