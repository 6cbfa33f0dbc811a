"""A copy in memory: what was read earlier never replaces what was read later."""

import asyncio
from collections.abc import Awaitable

import pytest

from sync.store import follow
from sync.store.follow import Follower
from sync.store.port import StoreError


class Copy:
    """A store of numbers that is read slowly, and the copy of it."""

    def __init__(self) -> None:
        self.store = {"a": 0, "b": 0}
        self.known: dict[str, int] = {}
        self.failures = 0
        self.reading = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.follower = Follower(self._all, self._one, self._spawn)

    async def settled(self) -> None:
        while self.tasks:
            await self.tasks.pop()

    def _spawn(self, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def _all(self) -> None:
        found = dict(self.store)
        await self._slowly()
        self.known = found

    async def _one(self, name: str) -> None:
        found = self.store[name]
        await self._slowly()
        self.known[name] = found

    async def _slowly(self) -> None:
        self.reading += 1
        assert self.reading == 1
        await asyncio.sleep(0)
        self.reading -= 1
        if self.failures:
            self.failures -= 1
            raise StoreError("away")


async def test_what_changes_during_a_read_is_read_after_it() -> None:
    copy = Copy()
    loading = asyncio.create_task(copy.follower.load())
    await asyncio.sleep(0)
    for number in range(1, 5):
        copy.store["a"] = number
        copy.follower.changed("a")
        await asyncio.sleep(0)
    await loading
    await copy.settled()
    assert copy.known == {"a": 4, "b": 0}


async def test_a_store_that_fails_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "AGAIN_S", 0.001)
    copy = Copy()
    copy.failures = 1
    with pytest.raises(StoreError):
        await copy.follower.load()
    assert copy.known == {}
    copy.failures = 2
    copy.follower.forget()
    copy.follower.changed("b")
    copy.store["b"] = 7
    await copy.settled()
    assert copy.known == {"a": 0, "b": 7}
