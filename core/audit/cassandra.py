"""Reading the store of several regions for an audit, beside the regions or without them.

Everything is read at quorum, so one region may be away. Floors come first, then log rows, then
by-id rows and the open set, as `judge` asks.
"""

from collections.abc import Sequence

from core.audit.judge import Found
from core.clock import SystemClock
from sync.store.cassandra.journal import open_journal
from sync.store.cassandra.settings import CassandraSettings

IDS = 1000


async def read(store: CassandraSettings, homes: Sequence[str]) -> Found:
    """All that the store has of these homes; StoreError if it cannot be read."""
    journal = await open_journal(store, SystemClock().wall_us)
    try:
        found = Found()
        for home in homes:
            for body in (await journal.floors(home)).values():
                found.floor(home, body)
        for log, last in (await journal.logs()).items():
            async for number, body in journal.scan_rows(log, last):
                found.log_row(log, number, body)
        ids = list(found.stories)
        for at in range(0, len(ids), IDS):
            for message_id, row in (await journal.by_ids(ids[at : at + IDS])).items():
                found.by_id(message_id, row.epoch, row.body)
        async for message_id, bucket in journal.scan_open():
            found.open_entry(message_id, bucket)
        return found
    finally:
        await journal.close()
