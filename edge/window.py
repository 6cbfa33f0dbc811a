"""Between reading a batch and writing its outcomes: what is under way, in order, and bounded.

One task puts in and waits where there is no room; another takes the oldest out. So a caller that
does not read its outcomes is not read from either.
"""

import asyncio
from collections import deque

from msgspec import Struct

from core.contract.frames import AcceptReply


class Item(Struct, gc=False):
    """One item of a batch: the core's answer to come, or what was answered here."""

    index: int
    bytes_held: int
    answer: asyncio.Future[AcceptReply] | tuple[int, bytes]

    @property
    def known(self) -> bool:
        """Whether its outcome need not be waited for."""
        return isinstance(self.answer, tuple) or self.answer.done()


class Window:
    """At most `items_max` items of `bytes_max` bytes together, but always one."""

    def __init__(self, items_max: int, bytes_max: int) -> None:
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._items: deque[Item] = deque()
        self._ended = False
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    async def room(self, size: int) -> None:
        """Wait until an item of this size may be put in."""
        while self._items and (
            len(self._items) >= self._items_max or self._bytes + size > self._bytes_max
        ):
            self._went.clear()
            await self._went.wait()

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._bytes += item.bytes_held
        self._came.set()

    def end(self) -> None:
        """Nothing more is put in."""
        self._ended = True
        self._came.set()

    async def oldest(self) -> Item | None:
        """The oldest item, which stays; None when there is none and none is to come."""
        while not self._items and not self._ended:
            self._came.clear()
            await self._came.wait()
        return self._items[0] if self._items else None

    def oldest_known(self) -> Item | None:
        """The oldest item if its outcome is there already."""
        return self._items[0] if self._items and self._items[0].known else None

    def drop_oldest(self) -> None:
        """Its outcome was taken."""
        self._bytes -= self._items.popleft().bytes_held
        self._went.set()

    def abandon(self) -> None:
        """Nobody waits for what is under way; what a core accepts stays accepted."""
        for item in self._items:
            if isinstance(item.answer, asyncio.Future):
                item.answer.cancel()
        self._items.clear()
