"""Opening the stores of a core process, as its settings say which.

A store that cannot be opened raises StoreError, with what is wrong and how to mend it. The ruling
on forced ownership that holds as the process starts is read here too, because the journal is
opened under it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.clock import SystemClock
from core.contract.log import Log
from core.contract.settings import Settings
from core.engine.force import ruling_at_start
from sync.forced import PLAIN, Ruling
from sync.store.entities import EntityStore
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.port import JournalStore, StoreError
from sync.store.sqlite_journal import SQLiteJournal

JOURNAL = "journal.db"
CONFIG = "config.db"
AGAIN_S = 1.0


@dataclass(frozen=True)
class Stores:
    """What a core works on. `shards` is the number of shards of the own region's home."""

    journal: JournalStore
    entities: EntityStore
    shards: int
    under: Ruling = PLAIN

    async def close(self) -> None:
        """Finish what was submitted, then close."""
        await self.entities.close()
        await self.journal.close()


async def open_stores(
    settings: Settings,
    data: Path,
    clock: SystemClock,
    log: Log,
    on_commit: Callable[[int, float], None],
) -> Stores:
    """The stores that the settings name; one that is elsewhere and away is waited for.

    `on_commit` hears how many writes each commit of an own file had, and its seconds.
    """
    if settings.store.kind == "cassandra":
        return await _cassandra(settings, clock, log)
    return _sqlite(settings, data, clock, on_commit)


async def _cassandra(settings: Settings, clock: SystemClock, log: Log) -> Stores:
    # The driver takes a moment and 20 MB: only who works on Cassandra loads it.
    from core.cassandra_store import cassandra_of, configuration_of  # noqa: PLC0415
    from sync.store.cassandra.errors import hopeless  # noqa: PLC0415
    from sync.store.cassandra.journal import open_journal  # noqa: PLC0415
    from sync.store.cassandra.session import connect  # noqa: PLC0415

    store, told = cassandra_of(settings), ""
    while True:
        try:
            session = await connect(store)
            break
        except StoreError as error:
            if hopeless(error.__cause__):
                raise
            if str(error) != told:
                told = str(error)
                log.warning("the store is waited for", error=told)
        await asyncio.sleep(AGAIN_S)
    try:
        journal = await open_journal(store, clock.wall_us, session)
        entities = await configuration_of(session, store.keyspace, settings.region.name, clock)
        shards = len(await journal.shards_of_home(settings.region.name))
    except BaseException:
        await session.close()
        raise
    under = await ruling_at_start(journal, log)
    return Stores(journal.under(under) if under.number else journal, entities, shards, under)


def _sqlite(
    settings: Settings, data: Path, clock: SystemClock, on_commit: Callable[[int, float], None]
) -> Stores:
    store = settings.store
    data.mkdir(parents=True, exist_ok=True)
    journal = SQLiteJournal(
        data / JOURNAL,
        settings.region.name,
        settings.region.home_shards,
        clock.wall_ms,
        store.commit_interval_ms,
        settings.protocol.ttl_days * 86_400,
        store.busy_timeout_ms,
    )
    journal.on_commit = on_commit
    return Stores(journal, SQLiteEntities(data / CONFIG), journal.shard_count)
