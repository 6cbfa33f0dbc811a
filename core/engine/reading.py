"""Reading the journal for the owner: by places, ahead of a verdict, at a takeover."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from core.contract.log import Log
from sync.owner.takeover import Ask, ReadFloors, ReadRegistry, ReadRows
from sync.records import Place, Record, decode_row
from sync.store.port import JournalStore, StoreError

T = TypeVar("T")
AGAIN_S = 0.05
ROWS_AT_ONCE = 64
NEEDLES_MAX = 8


class Reading:
    """Reads of one store. What cannot be read now is read again: nothing may be decided without."""

    def __init__(self, store: JournalStore, log: Log) -> None:
        self._store = store
        self._log = log

    async def forever(self, read: Callable[[], Awaitable[T]]) -> T:
        """The answer, however long the store needs to give it."""
        while True:
            try:
                return await read()
            except StoreError as error:
                self._log.error("the store cannot be read", error=str(error))
                await asyncio.sleep(AGAIN_S)

    async def records_at(self, places: list[Place]) -> list[tuple[Place, Record]]:
        """The records at these places; places whose rows are gone are left out."""
        found: list[tuple[Place, Record]] = []
        rows: dict[tuple[str, int], list[Record]] = {}
        for place in places:
            key = (place.log, place.row)
            if key not in rows:
                read = await self._store.rows(place.log, place.row, 1)
                rows[key] = decode_row(read[0][1]) if read else []
            if place.index < len(rows[key]):
                found.append((place, rows[key][place.index]))
        return found

    async def scan(
        self, log: str, first: int, wanted: set[str], seen: Callable[[Record, Place], None]
    ) -> None:
        """Show the records of these messages from row `first` to the log's end.

        A backlog may stand there: each row is a turn of its own, and one that names none of a few
        messages is not decoded.
        """
        needles = [each.encode() for each in wanted] if len(wanted) <= NEEDLES_MAX else [b""]
        while rows := await self._rows(log, first):
            for row, body in rows:
                if any(needle in body for needle in needles):
                    for index, record in enumerate(decode_row(body)):
                        if record.id in wanted:
                            seen(record, Place(log, row, index))
                await asyncio.sleep(0)
            first = rows[-1][0] + 1

    async def _rows(self, log: str, first: int) -> list[tuple[int, bytes]]:
        return await self.forever(lambda: self._store.rows(log, first, ROWS_AT_ONCE))

    async def run_load(self, machine: Generator[Ask, Any, T], home: str) -> T:
        """Drive a takeover's machine with the store's answers; raises StoreError."""
        answer: Any = None
        while True:
            try:
                ask = machine.send(answer)
            except StopIteration as done:
                found: T = done.value
                return found
            if isinstance(ask, ReadFloors):
                answer = await self._store.floors(home)
            elif isinstance(ask, ReadRegistry):
                answer = await self._store.registry()
            elif isinstance(ask, ReadRows):
                answer = await self._store.rows(ask.log, ask.first, ask.limit)
