"""The feed tells every change to its watchers, whoever made it, and survives a failing store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.store.entities import Changes, EntityStore
from sync.store.entities_memory import MemoryEntities
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.feed import EntityFeed
from sync.store.port import StoreError
from tests.support.wait import until


class Seen:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.forgot = 0
        self.errors: list[Exception] = []

    def forget(self) -> None:
        self.forgot += 1


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def feed_of(seen: Seen) -> AsyncIterator[list[EntityFeed]]:
    feeds: list[EntityFeed] = []
    yield feeds
    for feed in feeds:
        await feed.stop()


def make(store: EntityStore, seen: Seen, feeds: list[EntityFeed], batch_max: int) -> EntityFeed:
    feed = EntityFeed(store, seen.errors.append, poll_ms=5, batch_max=batch_max)
    feed.watch("k", seen.names.append, seen.forget)
    feeds.append(feed)
    return feed


async def test_another_process_s_changes_are_told(
    tmp_path: Path, seen: Seen, feed_of: list[EntityFeed]
) -> None:
    here, there = SQLiteEntities(tmp_path / "c.db"), SQLiteEntities(tmp_path / "c.db")
    await there.put("k", "before", b"", None)
    await make(here, seen, feed_of, 2).start()
    for n in range(5):
        await there.put("k", f"n{n}", b"", None)
    await there.put("other", "x", b"", None)
    await there.delete("k", "n0", None)
    await until(lambda: "n0" in seen.names[4:] or seen.names.count("n0") == 1)
    await until(lambda: set(seen.names) == {"n0", "n1", "n2", "n3", "n4"})
    assert seen.forgot == 0
    await there.close()
    for feed in feed_of:
        await feed.stop()
    await here.close()


async def test_an_asked_poll_tells_at_once(seen: Seen, feed_of: list[EntityFeed]) -> None:
    store = MemoryEntities()
    feed = make(store, seen, feed_of, 2)
    for n in range(5):
        await store.put("k", f"n{n}", b"", None)
    await feed.poll()
    assert seen.names == ["n0", "n1", "n2", "n3", "n4"]


async def test_a_store_that_is_another_one_makes_all_forget(
    seen: Seen, feed_of: list[EntityFeed]
) -> None:
    class Swapped(MemoryEntities):
        behind = 0

        async def changes(self, since: int, limit: int) -> Changes:
            seq, names = await super().changes(since, limit)
            return seq - self.behind, names

    store = Swapped()
    feed = make(store, seen, feed_of, 10)
    await store.put("k", "a", b"", None)
    await feed.poll()
    Swapped.behind = 1
    await feed.poll()
    assert (seen.names, seen.forgot) == (["a"], 1)


async def test_a_failing_store_is_asked_again(seen: Seen, feed_of: list[EntityFeed]) -> None:
    class Failing(MemoryEntities):
        fails = 2

        async def changes(self, since: int, limit: int) -> Changes:
            if self.fails:
                self.fails -= 1
                raise StoreError("away")
            return await super().changes(since, limit)

    store = Failing()
    await make(store, seen, feed_of, 10).start()
    await store.put("k", "a", b"", None)
    await until(lambda: seen.names == ["a"])
    assert len(seen.errors) == 2
