"""The tables of leases and shard rows that each force number has for itself (`sync.forced`)."""

from typing import TYPE_CHECKING

from sync.forced import PLAIN, Ruling
from sync.lease import Lease
from sync.store.memory_journal import MemoryTables
from sync.store.port import ShardRow
from sync.store.shard_rows import first_rows

if TYPE_CHECKING:
    from core.sim.store.store import SimStore


class Tables:
    """The registers of each force number. Leases of a region that is alone are apart from all
    others; those of all other numbers stand in one table."""

    def __init__(self, store: "SimStore", homes: list[str], shards: int) -> None:
        self._store = store
        self._homes = homes
        self._shards = shards
        self._of: dict[tuple[int, bool], MemoryTables] = {}
        self._shard_rows: dict[int, dict[str, list[ShardRow]]] = {}
        self._under: dict[str, Ruling] = {}

    def of(self, ruling: Ruling) -> MemoryTables:
        """Where processes under this ruling have their leases and shard rows."""
        if ruling.number == 0:
            return self._store.truth
        key = (ruling.number, ruling.alone)
        made = self._of.get(key)
        if made is None:
            made = self._of[key] = MemoryTables(self._homes, self._shards)
            rows = first_rows(self._shards, ruling.number)
            of_number = {home: list(rows) for home in self._homes}
            made.shard_rows = self._shard_rows.setdefault(ruling.number, of_number)
            if not ruling.alone:
                made.lease_rows = self._store.truth.lease_rows
        return made

    def began(self, process: str, ruling: Ruling) -> None:
        """A process lives under this ruling."""
        self._under[process] = ruling

    def under(self, process: str) -> Ruling:
        """The ruling of a process's life."""
        return self._under.get(process, PLAIN)

    def get(self, incarnation: str) -> Lease | None:
        """An incarnation's lease, wherever it stands."""
        return self.of(self.under(incarnation)).lease_rows.get(incarnation)
