"""Writes whose answer is awaited, and rows that people change under compare-and-set.

Such a row carries a version and a nonce (`sync.agreed`). A swap is never left open: as long as it
may still be applied the same one is made again, at a fixed pace; then it is either this very change
or can never be applied any more. `StoreError` is raised when the row cannot be read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sync.agreed import settled
from sync.store.port import Answer, JournalStore, Swapped, Write

AGAIN_S = 0.1


class Versioned(Protocol):
    """A row under compare-and-set, and who wrote it last."""

    @property
    def version(self) -> int: ...

    @property
    def nonce(self) -> str: ...


Row = TypeVar("Row", bound=Versioned)


async def submitted(store: JournalStore, write: Write) -> Answer:
    """Hand a write to the store, and wait for its answer."""
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(answer: Answer) -> None:
        if not told.done():
            told.set_result(answer)

    store.submit(write, done)
    return await told


async def swapped(
    submit: Callable[[Write], Awaitable[Answer]],
    write: Write,
    wanted: Row,
    shown_by: Callable[[Swapped], Row | None],
    read: Callable[[], Awaitable[Row | None]],
) -> tuple[bool, Row | None]:
    """Set a row; whether this very change was applied, and the row as it stands."""
    while True:
        answer = await submit(write)
        shown = shown_by(answer) if isinstance(answer, Swapped) else await read()
        there = (shown.version, shown.nonce) if shown is not None else (0, "")
        became = settled((wanted.version, wanted.nonce), there)
        if became != "open":
            return became == "applied", shown
        await asyncio.sleep(AGAIN_S)
