"""What is true now of messages that a view points to, looked up for a page in one go.

The owner's memory speaks where this core owns the message and its lease is valid, else the by-id
row. A row is left out where the views have, or are about to have, a later row of its message; so
each message stands once in a list, at the place of what is true of it now.
"""

from collections.abc import Callable
from typing import cast

import msgspec

from core.engine.payload import viewed_as
from core.views.segments import Row, settled_as
from core.views.writer import status_of
from sync.lattice import RANK
from sync.owner.state import Msg
from sync.records import State, decode_by_id
from sync.store.port import JournalStore


class Truth:
    """See the module's docstring."""

    def __init__(
        self,
        find: Callable[[str], Msg | None],
        store: JournalStore,
        lease_left_s: Callable[[], float],
    ) -> None:
        self._find = find
        self._store = store
        self._lease_left_s = lease_left_s

    async def of(self, rows: list[Row]) -> list[Row | None]:
        """Each row as it is true now, None for one that a later row replaces. StoreError."""
        owned = self._lease_left_s() > 0
        here: dict[str, Msg] = {}
        for row in rows:
            msg = self._find(row.id) if owned else None
            if msg is not None and msg.message is not None:
                here[row.id] = msg
        away = [row.id for row in rows if row.id not in here]
        found = await self._store.by_ids(away) if away else {}
        return [
            _from_memory(row, here[row.id])
            if row.id in here
            else _from_store(row, found[row.id].body)
            if row.id in found
            else row
            for row in rows
        ]


def _from_memory(row: Row, msg: Msg) -> Row | None:
    viewed = viewed_as(msg)
    if viewed and viewed != settled_as(row.status):
        return None
    status = status_of(msg)
    if _rank(status) < _rank(row.status):
        return row
    return msgspec.structs.replace(
        row,
        status=status,
        reason=msg.reason,
        possible_duplicate=row.possible_duplicate or msg.possible_duplicate,
    )


def _from_store(row: Row, body: bytes) -> Row | None:
    """A by-id row written while the message was open says less than the row itself."""
    known = decode_by_id(body)
    return None if known.ended and _rank(known.state) > _rank(row.status) else row


def _rank(status: str) -> int:
    return RANK[cast("State", status)]
