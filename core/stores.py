"""Opening the stores of a core process, as its settings say which.

A store that cannot be opened raises StoreError, with what is wrong and how to mend it. The ruling
on forced ownership that holds as the process starts is read here too, because the journal is
opened under it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.clock import SystemClock
from core.contract.log import Log
from core.contract.settings import Settings
from sync.forced import PLAIN, Ruling
from sync.store.entities import EntityStore
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.port import JournalStore
from sync.store.sqlite_journal import SQLiteJournal

JOURNAL = "journal.db"
CONFIG = "config.db"


@dataclass(frozen=True)
class Stores:
    """What a core works on. `shards` is the number of shards of the own region's home."""

    journal: JournalStore
    entities: EntityStore
    shards: int
    under: Ruling = PLAIN

    async def close(self) -> None:
        """Finish what was submitted, then close."""
        await self.journal.close()
        await self.entities.close()


async def open_stores(
    settings: Settings,
    data: Path,
    clock: SystemClock,
    log: Log,
    on_commit: Callable[[int, float], None],
) -> Stores:
    """The stores that the settings name. `on_commit` hears how many writes each commit of an own
    file had, and its seconds."""
    return _sqlite(settings, data, clock, on_commit)


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
