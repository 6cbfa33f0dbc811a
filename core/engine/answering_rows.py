"""Writes rows of this region again at quorum for who misses them elsewhere (PROTOCOL.md 2).

A core of another region asks for the rows of a log from a number on. They are read at LOCAL_QUORUM
and written with the same key, bytes and timestamp, a bounded group at a time; nothing of it is
answered, the rows themselves are the answer. Any core of the writer's region may do it, as often
as it is asked: a row has one writer, so writing it twice is harmless.

One group of a log is under way at a time, and a few logs at once. What is asked beyond the room
there is, what cannot be read and what cannot be written is dropped: whoever misses it asks again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from core.contract.log import Log
from core.engine.submitting import submitted
from sync.keeper.members import Members
from sync.naming import log_name
from sync.store.port import JournalStore, StoreError

LOGS_WAITING_MAX = 256
LOGS_AT_ONCE = 4
ROWS_AT_ONCE = 32
ROW_MAX = 1 << 53  # what every store takes


class AnsweringRows:
    """See the module's docstring."""

    def __init__(
        self,
        store: JournalStore,
        members: Members,
        log: Log,
        spawn: Callable[[Awaitable[Any]], None],
    ) -> None:
        self._store = store
        self._members = members
        self._log = log
        self._spawn = spawn
        self._waiting: dict[str, int] = {}
        self._under_way: set[str] = set()
        self._workers = 0

    def row_asked(self, log: str, first: int) -> None:
        """A core of another region misses the rows of this log from `first` on."""
        if why := self._wrong(log, first):
            self._log.warning("a request for rows is refused", log=log[:200], row=first, why=why)
        elif log not in self._under_way and log not in self._waiting:
            if len(self._waiting) < LOGS_WAITING_MAX:
                self._waiting[log] = first
            if self._workers < LOGS_AT_ONCE:
                self._workers += 1
                self._spawn(self._work())

    def _wrong(self, log: str, first: int) -> str:
        """Why nothing is written for such a request, "" where something may be."""
        try:
            name = log_name(log)
        except ValueError:
            return "it names no log"
        if name.kind != "accept" or not name.lane.endswith("_local"):
            return "rows of this log stand at quorum by themselves"
        if self._members.region_of(name.incarnation) != self._members.region:
            return "the log's writer is none of this region's that is known here"
        return "" if 1 <= first <= ROW_MAX else "no row has such a number"

    async def _work(self) -> None:
        try:
            while self._waiting:
                log = next(iter(self._waiting))
                first = self._waiting.pop(log)
                self._under_way.add(log)
                try:
                    await self._write_again(log, first)
                except StoreError as error:
                    self._log.warning("missed rows cannot be read", log=log, error=str(error))
                finally:
                    self._under_way.discard(log)
        finally:
            self._workers -= 1

    async def _write_again(self, log: str, first: int) -> None:
        rows = await self._store.rows_here(log, first, ROWS_AT_ONCE)
        answers = await asyncio.gather(*(submitted(self._store, row) for row in rows))
        if rows:
            stand = answers.count("ok")
            self._log.info("rows written again", log=log, first=first, rows=len(rows), stand=stand)
