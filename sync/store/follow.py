"""Keeping a copy in memory of what a kind of entities says, current by the feed of changes.

`Follower` reads one thing at a time: everything when it is asked to load, and each entity again
that changes. So what was read earlier never replaces what was read later. Until a store that fails
can be read again, what was known stays.
"""

import asyncio
from collections.abc import Awaitable, Callable

from sync.store.feed import EntityFeed
from sync.store.port import StoreError

AGAIN_S = 1.0


class Follower:
    """`read_all` replaces the whole copy, `read_one` what one entity says; StoreError from either
    is met by trying again."""

    def __init__(
        self,
        read_all: Callable[[], Awaitable[None]],
        read_one: Callable[[str], Awaitable[None]],
        spawn: Callable[[Awaitable[None]], None],
    ) -> None:
        self._read_all = read_all
        self._read_one = read_one
        self._spawn = spawn
        self._one_at_a_time = asyncio.Lock()
        self._changed: dict[str, None] = {}
        self._all = False
        self._working = False

    def watch(self, feed: EntityFeed, kind: str) -> None:
        """Follow what is changed from now on, by whomever."""
        feed.watch(kind, self.changed, self.forget)

    async def load(self) -> None:
        """Read everything now; raises StoreError."""
        async with self._one_at_a_time:
            await self._read_all()

    def changed(self, entity_id: str) -> None:
        """This one was changed: read it again, after what is being read now."""
        self._changed[entity_id] = None
        self._work()

    def forget(self) -> None:
        """Anything may have changed: read everything again."""
        self._all = True
        self._work()

    async def read(self, entity_id: str) -> None:
        """Read this one now; raises StoreError."""
        async with self._one_at_a_time:
            await self._read_one(entity_id)

    def _work(self) -> None:
        if not self._working:
            self._working = True
            self._spawn(self._until_current())

    async def _until_current(self) -> None:
        try:
            while self._all or self._changed:
                try:
                    await self._next()
                except StoreError:
                    await asyncio.sleep(AGAIN_S)
        finally:
            self._working = False

    async def _next(self) -> None:
        if self._all:
            self._all = False
            try:
                await self.load()
            except StoreError:
                self._all = True
                raise
            return
        entity_id = next(iter(self._changed))
        del self._changed[entity_id]
        try:
            await self.read(entity_id)
        except StoreError:
            self._changed[entity_id] = None
            raise
