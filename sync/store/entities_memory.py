"""Entities in memory: for tests and for parts that run without a data folder."""

from sync.store.entities import LIST_MAX, Changes, Entity, check_body, check_expected, check_name
from sync.store.port import StoreError


class MemoryEntities:
    """An `EntityStore` that forgets everything with the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Entity] = {}
        # Insertion order is the feed's order: a name that changes is taken out and put last.
        self._feed: dict[tuple[str, str], int] = {}
        self._head = 0
        self._closed = False

    async def get(self, kind: str, name: str) -> Entity | None:
        self._check_open()
        return self._rows.get((kind, name))

    async def list(self, kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        self._check_open()
        found = [
            row
            for row in self._rows.values()
            if row.kind == kind and row.id > after and not row.deleted
        ]
        return sorted(found, key=lambda row: row.id)[: min(limit, LIST_MAX)]

    async def put(self, kind: str, name: str, body: bytes, expect: int | None) -> int:
        check_name(kind, name)
        check_body(body)
        return self._write(kind, name, body, expect, deleted=False)

    async def delete(self, kind: str, name: str, expect: int | None) -> int:
        found = self._rows.get((kind, name))
        if expect is None and (found is None or found.deleted):
            self._check_open()
            return 0
        return self._write(kind, name, b"", expect, deleted=True)

    def _write(self, kind: str, name: str, body: bytes, expect: int | None, deleted: bool) -> int:
        self._check_open()
        found = self._rows.get((kind, name))
        version = found.version if found else 0
        gone = found is None or found.deleted
        check_expected(expect, version, gone)
        if deleted and gone:
            return 0
        self._rows[kind, name] = Entity(kind, name, version + 1, body, deleted)
        self._head += 1
        self._feed.pop((kind, name), None)
        self._feed[kind, name] = self._head
        return version + 1

    async def changes(self, since: int, limit: int) -> Changes:
        self._check_open()
        found = [(name, seq) for name, seq in self._feed.items() if seq > since][:limit]
        return (found[-1][1] if found else self._head), [name for name, _ in found]

    async def head(self) -> int:
        self._check_open()
        return self._head

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the entity store is closed")
