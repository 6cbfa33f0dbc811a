"""The tables of leases and shard rows that each force number has for itself (`sync.forced`)."""

from typing import TYPE_CHECKING

from sync.forced import PLAIN, Ruling
from sync.lease import Lease
from sync.store.memory_journal import MemoryTables
from sync.store.shard_rows import first_rows

if TYPE_CHECKING:
    from core.sim.store.store import SimStore


def name_of(ruling: Ruling) -> str:
    """Name the tables of a ruling: of its number, and of the region where one is alone."""
    return " ".join([str(ruling.number), *(sorted(ruling.regions or ()) if ruling.alone else ())])


def number_of(name: str) -> int:
    """The force number in such a name, 0 for none."""
    return int(name.partition(" ")[0] or 0)


class Tables:
    """The registers of each force number. A region that is alone has leases and shard rows of its
    own, apart from those of another that was forced under the same number; the leases of all other
    numbers stand in one table."""

    def __init__(self, store: "SimStore", homes: list[str], shards: int) -> None:
        self._store = store
        self._homes = homes
        self._shards = shards
        self._of: dict[str, MemoryTables] = {}
        self._under: dict[str, Ruling] = {}

    def of(self, ruling: Ruling) -> MemoryTables:
        """Where processes under this ruling have their leases and shard rows."""
        if ruling.number == 0:
            return self._store.truth
        key = name_of(ruling)
        made = self._of.get(key)
        if made is None:
            made = self._of[key] = MemoryTables(self._homes, self._shards)
            rows = first_rows(self._shards, ruling.number)
            made.shard_rows = {home: list(rows) for home in self._homes}
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
