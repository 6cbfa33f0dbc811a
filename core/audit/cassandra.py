"""Reading the store of several regions for an audit, beside the regions or without them.

Everything is read at quorum, so one region may be away. Floors come first, then log rows, then
by-id rows and the open set, as `judge` asks.
"""

from collections.abc import Sequence

from core.audit.judge import Found
from core.clock import SystemClock
from sync.store.cassandra.journal import CassandraJournal, open_journal
from sync.store.cassandra.levels import QUORUM
from sync.store.cassandra.session import Request, Session, connect
from sync.store.cassandra.settings import CassandraSettings

ROWS = 64
IDS = 1000
OPEN = "SELECT id, bucket FROM {ks}.open_set"


async def read(store: CassandraSettings, homes: Sequence[str]) -> Found:
    """All that the store has of these homes; StoreError if it cannot be read."""
    session = await connect(store)
    journal = await open_journal(store, SystemClock().wall_us, session)
    try:
        found = Found()
        for home in homes:
            for body in (await journal.floors(home)).values():
                found.floor(home, body)
        await _log_rows(journal, found)
        ids = list(found.stories)
        for at in range(0, len(ids), IDS):
            for message_id, row in (await journal.by_ids(ids[at : at + IDS])).items():
                found.by_id(message_id, row.epoch, row.body)
        for keyspace in store.all_keyspaces():
            await _open_entries(session, keyspace, found)
        return found
    finally:
        await journal.close()


async def _log_rows(journal: CassandraJournal, found: Found) -> None:
    for log, last in (await journal.logs()).items():
        first = 1
        while first <= last:
            rows = await journal.rows(log, first, ROWS)
            for row, body in rows:
                found.log_row(log, row, body)
            # A row of a log that is missing, or expired, is passed over: what is there counts.
            first = rows[-1][0] + 1 if rows else first + 1


async def _open_entries(session: Session, keyspace: str, found: Found) -> None:
    text = OPEN.format(ks=keyspace)
    await session.prepare([text])
    for message_id, bucket in await session.ask(Request([(session.prepared(text), ())], QUORUM)):
        found.open_entry(message_id, bucket)
