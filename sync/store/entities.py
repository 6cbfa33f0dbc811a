"""The configuration's store: small versioned entities and a feed of what changed.

An entity is a name (`kind`, `id`), a version and bytes; what the bytes mean is its owner's affair.
Promises, kept by every implementation and checked by one contract test:

* `put` and `delete` are durable when they return, and atomic. With `expect` they happen only if
  the live version is as expected (0: there is none) and raise `StaleVersion` otherwise.
* Versions of one name only rise, also over a deletion: a deleted entity leaves a tombstone
  (`deleted`, empty body, a version of its own), which `get` shows and `list` passes over.
* `changes(since)` names everything that changed after `since`, oldest first, each name once, at
  its latest change. So the feed is as long as there are names, has no gaps and needs no cleaning.
* What fails otherwise raises `StoreError` (`StoreFull` when there is no space) and changed
  nothing. A cancelled caller's write may still happen.
"""

from typing import Protocol

from msgspec import Struct

from sync.store.port import StoreError

NAME_CHARS_MAX = 400
BODY_BYTES_MAX = 4 << 20
LIST_MAX = 1000


Changes = tuple[int, list[tuple[str, str]]]


class StoreFull(StoreError):  # noqa: N818 - a name of the port
    """There is no space left for the write; nothing was changed."""


class StaleVersion(Exception):  # noqa: N818 - a name of the port
    """The entity is not at the expected version; `current` is its live version, 0 for none."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the entity is at version {current}")
        self.current = current


class Entity(Struct, frozen=True):
    """One entity as it stands. A tombstone has `deleted` and an empty body."""

    kind: str
    id: str
    version: int
    body: bytes
    deleted: bool = False


class EntityStore(Protocol):
    """See the module's docstring. `id` orders lists, by Unicode code point."""

    async def get(self, kind: str, name: str) -> Entity | None: ...

    async def list(self, kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        """Live entities of the kind whose id is greater than `after`, in order."""

    async def put(self, kind: str, name: str, body: bytes, expect: int | None) -> int:
        """Write the entity and return its new version."""

    async def delete(self, kind: str, name: str, expect: int | None) -> int:
        """Leave a tombstone and return its version; 0 if there was nothing to delete."""

    async def changes(self, since: int, limit: int) -> Changes:
        """Up to `limit` names changed after `since`, and the sequence number that they reach.

        The number is below `since` only where the store is not the one that gave `since`; whoever
        keeps copies drops them all then.
        """

    async def head(self) -> int:
        """The sequence number of the latest change; 0 for none."""

    async def close(self) -> None:
        """Finish what is under way, then refuse everything."""


async def live(store: EntityStore, kind: str, name: str) -> Entity | None:
    """The entity, or None where there is none or only a tombstone."""
    found = await store.get(kind, name)
    return None if found is None or found.deleted else found


def check_name(kind: str, name: str) -> None:
    """Refuse names that no implementation has to be able to keep."""
    if not kind or not name or len(kind) > NAME_CHARS_MAX or len(name) > NAME_CHARS_MAX:
        raise ValueError(f"kind and id need 1 to {NAME_CHARS_MAX} characters")


def check_body(body: bytes) -> None:
    """Refuse bodies over the limit."""
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"an entity's body has at most {BODY_BYTES_MAX} bytes, not {len(body)}")


def check_expected(expect: int | None, found_version: int, found_deleted: bool) -> None:
    """Raise `StaleVersion` unless the live version is the expected one."""
    current = 0 if found_deleted else found_version
    if expect is not None and expect != current:
        raise StaleVersion(current)
