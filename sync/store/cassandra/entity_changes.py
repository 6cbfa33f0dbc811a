"""Which entities changed, on Cassandra: each process writes down its own, and reads all others'.

A process that is about to change an entity writes a row (writer, number -> name, version), then the
number of its newest row, then the entity. Its numbers have no gaps. Everybody reads the newest
numbers, one small partition, and the rows that are new. So no change is missed, whatever the order
in which rows come to a region, and whether or not the writer lived until its change was done.

A row says what *will* be: it is told once the own region shows that version. Until then it is
looked for again, ever more seldom; after `_LOOKED_FOR_S` nothing came of it. A number that stays
away is read at quorum, and when it is not there either, everything may have changed. Who starts
reads the latest rows of each writer too, for what they announce may not be there yet.

The numbers that callers see are this process's own: they begin at `first`, and those of another
process are below or above all of them.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from sync.store.cassandra.levels import LOCAL, QUORUM
from sync.store.cassandra.session import Request, Session
from sync.store.entities import Changes
from sync.store.port import StoreError

TOLD_MAX = 100_000
_ROWS_MAX = 500
_GROUP_MAX = 20  # announcements of one write
_GAP_S = 5.0
_LOOKED_FOR_S = 3600.0
_LOOK_FIRST_S = 0.05
_LOOK_LONGEST_S = 30.0
_ANNOUNCE = "INSERT INTO {ks}.entity_feed (writer, seq, kind, id, version) VALUES (?, ?, ?, ?, ?)"
# The number is its own timestamp: the highest stays, in whatever order they come.
_HEAD = "INSERT INTO {ks}.entity_heads (one, writer, seq) VALUES (1, ?, ?) USING TIMESTAMP ?"
_HEADS = "SELECT writer, seq FROM {ks}.entity_heads WHERE one = 1"
_ROWS = (
    "SELECT seq, kind, id, version FROM {ks}.entity_feed "
    "WHERE writer = ? AND seq > ? AND seq <= ? LIMIT ?"
)
_VERSION = "SELECT version FROM {ks}.entities WHERE kind = ? AND id = ?"


class _Announced:
    """A version that somebody was about to write."""

    __slots__ = ("id", "kind", "look_s", "over", "since_s", "version", "wait_s")

    def __init__(self, kind: str, name: str, version: int, now_s: float) -> None:
        self.kind = kind
        self.id = name
        self.version = version
        self.since_s = self.look_s = now_s
        self.wait_s = _LOOK_FIRST_S
        self.over = False


class _Waiting:
    """An announcement that is to be written, with others in one row's write."""

    __slots__ = ("done", "row")

    def __init__(self, kind: str, name: str, version: int) -> None:
        self.row = (kind, name, version)
        self.done = False


class EntityChanges:
    """See the module's docstring."""

    def __init__(
        self,
        session: Session,
        keyspace: str,
        writer: str,
        clock_s: Callable[[], float],
        first: int,
    ) -> None:
        self.head = first
        self._floor = first
        self._session = session
        self._keyspace = keyspace
        self._clock_s = clock_s
        self._name = writer
        self._writer = f"{writer}/0"
        self._own = {self._writer}
        self._seq = 0
        self._waiting: list[_Waiting] = []
        self._announcing = asyncio.Lock()
        self._polling = asyncio.Lock()
        self._read: dict[str, int] = {}
        self._gaps: dict[str, float] = {}
        self._announced: list[_Announced] = []
        # Insertion order is the order of changes: a name that changes again is put last.
        self._told: dict[tuple[str, str], int] = {}

    async def open(self) -> None:
        """Begin with what comes after this; what is under way is found as it comes."""
        texts = (_ANNOUNCE, _HEAD, _HEADS, _ROWS, _VERSION)
        await self._session.prepare([each.format(ks=self._keyspace) for each in texts])
        for writer, newest in await self._ask(_HEADS, (), LOCAL):
            begin = max(newest - _ROWS_MAX, 0)
            try:
                rows = await self._ask(_ROWS, (writer, begin, newest, _ROWS_MAX), QUORUM)
            except StoreError:  # the region is cut off; what is missing is looked for later
                rows = await self._ask(_ROWS, (writer, begin, newest, _ROWS_MAX), LOCAL)
            self._read[writer] = rows[0][0] - 1 if rows else newest
            self._take(writer, newest, rows, LOCAL)
        shown = await asyncio.gather(*(self._is_shown(each) for each in self._announced))
        # Who reads after this sees these.
        pairs = zip(self._announced, shown, strict=True)
        self._announced = [each for each, here in pairs if not here]

    async def since(self, since: int, limit: int) -> Changes:
        """See `sync.store.entities.EntityStore.changes`."""
        async with self._polling:
            await self._poll()
        if since > self.head:
            return self.head, []
        if 0 < since < self._floor:
            return 0, []
        found: list[tuple[str, str]] = []
        reached = self.head
        if since < self.head:
            for name, seq in self._told.items():
                if seq > since:
                    if len(found) == limit:
                        break
                    found.append(name)
                    reached = seq
        return reached, found

    def tell(self, kind: str, name: str) -> None:
        """A change that the own region shows."""
        self.head += 1
        self._told.pop((kind, name), None)
        self._told[kind, name] = self.head
        if len(self._told) > TOLD_MAX:
            oldest = next(iter(self._told))
            self._floor = self._told.pop(oldest)

    def expect(self, kind: str, name: str, version: int) -> None:
        """A version that may come, or is not shown yet."""
        self._announced.append(_Announced(kind, name, version, self._clock_s()))

    async def announce(self, kind: str, name: str, version: int) -> None:
        """Let everybody know that this version is about to be written.

        What comes while another announcement is being written goes out together, in order.
        """
        mine = _Waiting(kind, name, version)
        self._waiting.append(mine)
        try:
            async with self._announcing:
                while not mine.done:
                    await self._announce_some()
        finally:
            if not mine.done:
                self._waiting.remove(mine)

    async def _announce_some(self) -> None:
        some = self._waiting[:_GROUP_MAX]
        numbered = list(enumerate(some, self._seq + 1))
        last = numbered[-1][0]
        prepared = self._statement(_ANNOUNCE)
        parts: list[tuple[Any, Sequence[Any]]] = [
            (prepared, (self._writer, seq, *each.row)) for seq, each in numbered
        ]
        try:
            await asyncio.gather(
                *(self._session.ask(Request(parts, level)) for level in (LOCAL, QUORUM))
            )
            await self.at_both_levels(_HEAD, (self._writer, last, last))
        except BaseException:
            # They may stand there or not. Others with their numbers could be passed over, so this
            # writer writes no more.
            self._writer = f"{self._name}/{len(self._own)}"
            self._own.add(self._writer)
            self._seq = 0
            raise
        self._seq = last
        for each in some:
            each.done = True
        # Somebody may have gone away meanwhile.
        self._waiting = [each for each in self._waiting if not each.done]

    async def at_both_levels(self, text: str, values: Sequence[Any]) -> None:
        """A plain write that a majority of all has, and one of the own region."""
        await asyncio.gather(self._ask(text, values, LOCAL), self._ask(text, values, QUORUM))

    async def _poll(self) -> None:
        for writer, newest in await self._ask(_HEADS, (), LOCAL):
            if writer not in self._own and newest > self._read.get(writer, 0):
                await self._read_rows(writer, newest)
        now_s = self._clock_s()
        due = [each for each in self._announced if each.look_s <= now_s]
        if due:
            shown = await asyncio.gather(*(self._is_shown(each) for each in due))
            for each, here in zip(due, shown, strict=True):
                self._looked(each, here, now_s)
            self._announced = [each for each in self._announced if not each.over]

    async def _read_rows(self, writer: str, newest: int) -> None:
        """The rows of a writer up to its newest, as far as none is missing."""
        now_s = self._clock_s()
        missed_s = now_s - self._gaps.get(writer, now_s)
        level = QUORUM if missed_s > _GAP_S else LOCAL
        read = self._read.get(writer, 0)
        rows = await self._ask(_ROWS, (writer, read, newest, _ROWS_MAX), level)
        self._take(writer, newest, rows, level)

    def _take(self, writer: str, newest: int, rows: list[Any], level: int) -> None:
        """Have these rows of a writer; at quorum, those that are missing will never come."""
        read, now_s = self._read.get(writer, 0), self._clock_s()
        for seq, kind, name, version in rows:
            if seq != read + 1 and level == LOCAL:
                break
            if seq != read + 1:
                self._forget()
            self._announced.append(_Announced(kind, name, version, now_s))
            read = seq
        if not rows and level == QUORUM:
            self._forget()
            read = newest
        if read == newest or len(rows) == _ROWS_MAX:
            self._gaps.pop(writer, None)
        else:
            self._gaps.setdefault(writer, now_s)
        self._read[writer] = read

    async def _is_shown(self, each: _Announced) -> bool:
        rows = await self._ask(_VERSION, (each.kind, each.id), LOCAL)
        return bool(rows) and rows[0][0] >= each.version

    def _looked(self, each: _Announced, here: bool, now_s: float) -> None:
        if here:
            self.tell(each.kind, each.id)
        each.over = here or now_s - each.since_s > _LOOKED_FOR_S
        each.look_s = now_s + each.wait_s
        each.wait_s = min(each.wait_s * 2, _LOOK_LONGEST_S)

    def _forget(self) -> None:
        """Anything may have changed: numbers given so far are not known any more."""
        self.head += 1
        self._floor = self.head

    async def _ask(self, text: str, values: Sequence[Any], level: int) -> list[Any]:
        return list(await self._session.ask(Request([(self._statement(text), values)], level)))

    def _statement(self, text: str) -> Any:
        return self._session.prepared(text.format(ks=self._keyspace))
