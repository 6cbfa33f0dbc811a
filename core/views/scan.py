"""Going through one view, segment by segment, newest first, within bounds.

Nothing is judged here: rows come as they were written, each with the place behind it.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from core.views.segments import Position, Row, below, decode_rows
from sync.store.port import JournalStore, StoreError, ViewRow

FIRST_SEGMENTS = 4
SEGMENTS_AT_ONCE_MAX = 64


class ReadBounds(Struct, frozen=True):
    """What one page reads at most; `rows_max` are rows that are looked up."""

    parts_max: int
    segments_max: int
    rows_max: int


class Listed(Struct, frozen=True):
    """A row: when its status was seen to be so, and the place behind it."""

    row: Row
    at_ms: int
    after: Position


class Scan:
    """See the module's docstring. `place` is where to go on, None at the end of the view.

    `part` names the partition of a period of `span_ms`. With `hashed` only rows of that recipient
    are shown. `more` is False at the end, and when the bounds are reached.
    """

    def __init__(
        self,
        store: JournalStore,
        bounds: ReadBounds,
        part: Callable[[int], str],
        span_ms: int,
        kinds: list[str],
        hashed: bytes,
        since_ms: int,
        place: Position,
    ) -> None:
        self._store = store
        self._bounds = bounds
        self._part = part
        self._span_ms = span_ms
        self._kinds = kinds
        self._hashed = hashed
        self._since_ms = since_ms
        self.place: Position | None = place
        self.more = True
        self._period = -1
        self._parts = 0
        self._segments = 0
        self._at_once = FIRST_SEGMENTS

    async def step(self) -> list[Listed]:
        """The rows of the next few segments, newest first; `place` moves on behind them."""
        place = self.place
        assert place is not None
        # A place that names no segment has nothing of its own millisecond before it.
        period = (place.at_ms - (not place.writer)) // self._span_ms
        if place.at_ms < self._since_ms or period < self._since_ms // self._span_ms:
            return self._end()
        if period != self._period:
            if self._parts == self._bounds.parts_max:
                self.more = False
                return []
            self._period, self._at_once = period, FIRST_SEGMENTS
            self._parts += 1
        before = (place.at_ms, place.writer, place.seq + 1)
        found = await self._store.views(self._part(period), self._kinds, before, self._at_once)
        rows: list[Listed] = []
        for segment in found:
            if segment.at_ms < self._since_ms:
                self._end()
                return rows
            rows += self._rows(segment, place)
            self.place = Position(segment.at_ms, segment.writer, segment.seq - 1, 0)
        if len(found) < self._at_once:
            self.place = below(period * self._span_ms)
        self._at_once = min(2 * self._at_once, SEGMENTS_AT_ONCE_MAX)
        self._segments += len(found)
        self.more = self._segments < self._bounds.segments_max
        return rows

    def _end(self) -> list[Listed]:
        self.place, self.more = None, False
        return []

    def _rows(self, segment: ViewRow, place: Position) -> list[Listed]:
        if self._hashed and self._hashed not in segment.body:
            return []
        try:
            rows = decode_rows(segment.body)
        except msgspec.DecodeError as error:
            raise StoreError(f"a segment of the view {segment.part} is damaged") from error
        at_ms, writer, seq = segment.at_ms, segment.writer, segment.seq
        passed = place.passed if place[:3] == (at_ms, writer, seq) else 0
        return [
            Listed(row, at_ms, Position(at_ms, writer, seq, index))
            for index, row in enumerate(rows[passed:], passed + 1)
            if not self._hashed or row.recipient == self._hashed
        ]
