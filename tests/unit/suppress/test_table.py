"""The table that is asked before each intent says what the store says, also while it is loaded."""

import asyncio
from collections.abc import Awaitable, Callable

from core.suppress.rules import REASONS, entry_of
from core.suppress.store import Suppression, SuppressionStore, name_of
from core.suppress.table import Suppressed
from sync.store.entities import StaleVersion
from sync.store.entities_memory import MemoryEntities
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

ADA = "ada@example.com"


class _Spawned:
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def __call__(self, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def all(self) -> None:
        while self.tasks:
            await self.tasks.pop()


async def test_it_follows_what_others_store() -> None:
    entities, spawn = MemoryEntities(), _Spawned()
    store = SuppressionStore(entities)
    feed = EntityFeed(entities, lambda error: None)
    table = Suppressed(store, spawn)
    await store.add("acme", "email", ADA, [entry_of("complaint", 1)])
    await feed.poll()
    table.watch(feed)
    await table.load()
    assert table.why("acme", "email", ADA, "bulk") == "complaint"
    assert table.why("acme", "email", ADA, "otp") is None
    assert table.why("other", "email", ADA, "bulk") is None
    assert table.why("acme", "sms", ADA, "bulk") is None
    await store.add("acme", "sms", "+447700900123", [entry_of("invalid", 2)])
    await store.remove("acme", name_of("email", ADA), None)
    await feed.poll()
    await spawn.all()
    assert table.why("acme", "sms", "+447700900123", "otp") == "invalid"
    assert table.why("acme", "email", ADA, "bulk") is None
    assert len(table) == 1


async def test_what_is_stored_while_it_loads_is_not_forgotten() -> None:
    entities, spawn = MemoryEntities(), _Spawned()
    store = SuppressionStore(entities)
    table = Suppressed(store, spawn)
    every = store.every

    async def slow(after: str, limit: int) -> list[tuple[str, Suppression]]:
        found = await every(after, limit)
        if not after:
            stored = await store.add("acme", "email", ADA, [entry_of("manual", 1)])
            spawn(table.refresh("acme", stored.id))
        return found

    store.every = slow  # type: ignore[method-assign]
    await table.load()
    await spawn.all()
    assert table.why("acme", "email", ADA, "otp") == "manual"


async def test_what_another_process_lost_track_of_is_read_again() -> None:
    entities, spawn = MemoryEntities(), _Spawned()
    store = SuppressionStore(entities)
    table = Suppressed(store, spawn)
    forget: list[Callable[[], None]] = []

    class Feed(EntityFeed):
        def watch(self, kind: str, changed: object, forgets: Callable[[], None]) -> None:
            forget.append(forgets)

    table.watch(Feed(entities, lambda error: None))
    await table.load()
    await store.add("acme", "email", ADA, [entry_of("bounce", 1)])
    every, failures = store.every, [StoreError("away")]

    async def failing(after: str, limit: int) -> list[tuple[str, Suppression]]:
        if failures:
            raise failures.pop()
        return await every(after, limit)

    store.every = failing  # type: ignore[method-assign]
    forget[0]()
    await spawn.all()
    assert table.why("acme", "email", ADA, "bulk") == "bounce"


async def test_adding_at_once_loses_nothing_and_removing_names_what_it_saw() -> None:
    store = SuppressionStore(MemoryEntities())
    await asyncio.gather(
        *(
            store.add("acme", "email", ADA, [entry_of(reason, n, message=f"m{n}")])
            for n, reason in enumerate(REASONS)
        )
    )
    found = await store.get("acme", name_of("email", ADA))
    assert found is not None
    assert [entry.reason for entry in found.suppression.entries] == list(REASONS)
    seen = found.version
    again = await store.add("acme", "email", ADA, [entry_of("unsubscribe", 7, message="m7")])
    assert again.version == seen, "what adds nothing is not written"
    await store.add("acme", "email", ADA, [entry_of("complaint", 0, message="m")])
    try:
        await store.remove("acme", found.id, seen)
    except StaleVersion as stale:
        assert stale.current > seen
    else:
        raise AssertionError("a cause that came meanwhile was taken away")
