"""Segments of views, newest first: each kind is a slice of its own, and they are merged by key.

What is rare is found at once among much else. A part names its kinds, so that all of them can be
asked for without walking through it.
"""

import asyncio

from sync.store.cassandra.levels import LOCAL
from sync.store.cassandra.reads import Reads
from sync.store.port import ViewRow


async def read_views(
    reads: Reads,
    part: str,
    kinds: list[str] | None,
    before: tuple[int, str, int] | None,
    limit: int,
) -> list[ViewRow]:
    """See `sync.store.port.JournalStore.views`."""
    wanted = await _kinds_of(reads, part) if kinds is None else kinds
    found = await asyncio.gather(*(_of_kind(reads, part, kind, before, limit) for kind in wanted))
    rows = [row for some in found for row in some]
    rows.sort(key=lambda row: (row.at_ms, row.writer, row.seq, row.kind), reverse=True)
    return rows[:limit]


async def _of_kind(
    reads: Reads, part: str, kind: str, before: tuple[int, str, int] | None, limit: int
) -> list[ViewRow]:
    if before is None:
        rows = await reads.ask("views", (part, kind, limit), LOCAL)
    else:
        rows = await reads.ask("views_before", (part, kind, *before, limit), LOCAL)
    return [ViewRow(part, kind, at_ms, writer, seq, body) for at_ms, writer, seq, body in rows]


async def _kinds_of(reads: Reads, part: str) -> list[str]:
    rows = await reads.ask("view_kinds", (part,), LOCAL)
    return sorted(rows[0][1]) if rows and rows[0][1] else []
