"""Reading views page by page, newest first.

A page reads a bounded number of partitions, segments and rows, whatever is asked: it may come out
short, or empty, and still have a place to go on from. It has none once everything down to `since`
was read. Each row comes with the place behind it, so that whoever works through a view can stop
after any of them. Raises StoreError when the store cannot be read.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from core.views.scan import Listed, ReadBounds, Scan
from core.views.segments import (
    DAY_MS,
    HOUR_MS,
    Position,
    Row,
    below,
    bucket_of,
    kind_of,
    list_part,
    recipient_hash,
    recipient_part,
    settled_as,
)
from sync.store.port import JournalStore

LOOK_UPS_MAX = 256
AHEAD_MS = 60_000  # the clocks of other cores may be so far ahead


class KnowsTruth(Protocol):
    """What is true now; see `core.views.truth`."""

    async def of(self, rows: list[Row]) -> list[Row | None]: ...


class Asked(Struct, frozen=True):
    """What is asked of a tenant's views. `until_ms` 0 means up to now."""

    tenant: str
    channels: frozenset[str]
    statuses: frozenset[str]
    since_ms: int
    until_ms: int = 0


class Page(Struct, frozen=True):
    """A part of a view; `next` is where to go on, None at its end."""

    rows: list[Listed]
    next: Position | None


class ViewReader:
    """See the module's docstring."""

    def __init__(
        self,
        store: JournalStore,
        truth: KnowsTruth,
        bounds: ReadBounds,
        wall_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._truth = truth
        self._bounds = bounds
        self._wall_ms = wall_ms

    async def of_tenant(self, asked: Asked, start: Position | None, limit: int) -> Page:
        """A tenant's messages of these channels that are in one of these statuses now."""
        settled = sorted({settled_as(status) for status in asked.statuses})
        kinds = [kind_of(channel, each) for channel in sorted(asked.channels) for each in settled]

        def part(hour: int) -> str:
            return list_part(asked.tenant, hour)

        return await self._page(self._scan(asked, start, part, HOUR_MS, kinds, b""), asked, limit)

    async def of_recipient(
        self, asked: Asked, address: str, start: Position | None, limit: int
    ) -> Page:
        """A tenant's messages to one normalised address (of events: to an endpoint's id)."""
        hashed = recipient_hash(asked.tenant, address)

        def part(day: int) -> str:
            return recipient_part(asked.tenant, bucket_of(hashed), day)

        return await self._page(self._scan(asked, start, part, DAY_MS, [""], hashed), asked, limit)

    def _scan(
        self,
        asked: Asked,
        start: Position | None,
        part: Callable[[int], str],
        span_ms: int,
        kinds: list[str],
        hashed: bytes,
    ) -> Scan:
        newest = below(asked.until_ms or self._wall_ms() + AHEAD_MS)
        place = newest if start is None else min(start, newest)
        since_ms = asked.since_ms
        return Scan(self._store, self._bounds, part, span_ms, kinds, hashed, since_ms, place)

    async def _page(self, scan: Scan, asked: Asked, limit: int) -> Page:
        kept: dict[str, Listed] = {}
        looked_up, at_once = 0, min(2 * limit, LOOK_UPS_MAX)
        while scan.more:
            found = await scan.step()
            for at in range(0, len(found), at_once):
                some = found[at : at + at_once]
                for listed, row in zip(some, await self._true_of(some), strict=True):
                    if row is None or row.id in kept:
                        continue
                    if row.status in asked.statuses and row.channel in asked.channels:
                        kept[row.id] = msgspec.structs.replace(listed, row=row)
                    if len(kept) == limit:
                        return Page(list(kept.values()), listed.after)
                looked_up += len(some)
                if looked_up >= self._bounds.rows_max:
                    return Page(list(kept.values()), some[-1].after)
        return Page(list(kept.values()), scan.place)

    async def _true_of(self, some: list[Listed]) -> list[Row | None]:
        return await self._truth.of([listed.row for listed in some])
