"""The messages of a replay, from any place in it: its list of ids, dead letters of a view, or the
deliveries of a webhook endpoint.
"""

from msgspec import Struct

from core.replay.jobs import Job
from core.views.reader import Asked, Page, ViewReader
from core.views.segments import Position, read_cursor, write_cursor


class Item(Struct, frozen=True):
    """A message, and the place behind it. Without an id it is a place only: nothing stood there."""

    id: str
    after: int | str


class Source:
    """See the module's docstring. `ids` is the list of a job by ids."""

    def __init__(self, job: Job, ids: list[str] | None, reader: ViewReader) -> None:
        self._ids = ids
        self._reader = reader
        self._endpoint = job.endpoint
        self._asked = Asked(
            job.tenant,
            frozenset(job.channels),
            frozenset(job.statuses),
            job.since_ms,
            job.until_ms,
        )
        self._ended: int | str | None = None

    async def next(self, place: int | str, limit: int) -> list[Item] | None:
        """Up to `limit` messages from `place` on, None at the end. Raises StoreError."""
        if self._ids is not None:
            at = place if isinstance(place, int) else 0
            found = self._ids[at : at + limit]
            return [Item(each, at + n) for n, each in enumerate(found, 1)] or None
        if place == self._ended:
            return None
        start = read_cursor(place) if isinstance(place, str) and place else None
        page = await self._page(start, limit)
        items = [Item(each.row.id, write_cursor(each.after)) for each in page.rows]
        if page.next is None:
            self._ended = items[-1].after if items else place
            return items or None
        if not items or items[-1].after != write_cursor(page.next):
            items.append(Item("", write_cursor(page.next)))
        return items

    async def _page(self, start: Position | None, limit: int) -> Page:
        if self._endpoint:
            return await self._reader.of_recipient(self._asked, self._endpoint, start, limit)
        return await self._reader.of_tenant(self._asked, start, limit)
