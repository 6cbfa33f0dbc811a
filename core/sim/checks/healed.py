"""After healing: every region answers the same by itself, and no row that stood is gone.

Looks at the replicas, not at what was told of them. What was written in the last seconds may still
be on its way. A row of a local lane may be gone where its region had one replica that was lost.
"""

from collections.abc import Iterator
from typing import Any

from core.sim.checks.journal import Journal
from core.sim.history import ViolationError
from core.sim.store.rows import Version
from core.sim.store.store import SimStore
from sync.naming import log_name

ON_ITS_WAY_S = 2.0


class Healed:
    """Looks once, when everything had its time."""

    def __init__(self, store: SimStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def final(self) -> None:
        """All regions answer the same, and have all that ever stood."""
        self._same_everywhere()
        spared = self._store.replicas.each == 1
        for log, row in self.vanished():
            if not (spared and log_name(log).lane.endswith("_local")):
                raise ViolationError("row_vanished", f"{log} {row} stood, no replica has it")

    def vanished(self) -> Iterator[tuple[str, int]]:
        """Log rows that stood and that no replica has any more."""
        for log, rows in self._journal.rows.items():
            there = self._store.rows.partitions.get(("log", log), {})
            for row in rows:
                if row not in there or not _having(there[row]) & self._store.replicas.newest.all:
                    yield log, row

    def _same_everywhere(self) -> None:
        newest = self._store.replicas.newest
        regions = {region: bits for region, bits in newest.bits.items() if bits}
        before_s = self._store.now - ON_ITS_WAY_S
        for partition, rows in self._store.rows.partitions.items():
            for key, version in rows.items():
                settled = _settled(version, before_s)
                if settled is None or version.mask & newest.all == newest.all:
                    continue
                answers = {r: _answer(settled, bits) for r, bits in regions.items()}
                there = _having(settled) & newest.all
                if any(each is not settled for each in answers.values()) and there:
                    has = {region: each is not None for region, each in answers.items()}
                    raise ViolationError("regions_differ", f"{partition} {key}: {has}")


def _having(version: Version | None) -> int:
    """The replicas that have this version or an older one."""
    found = 0
    while version is not None:
        found |= version.mask
        version = version.older
    return found


def _settled(version: Version | None, before_s: float) -> Version | None:
    """The newest version that is not on its way any more, and that some replica has."""
    while version is not None and (version.born_s > before_s or not version.mask):
        version = version.older
    return version


def _answer(version: Version | None, replicas: int) -> Any:
    """The version that a majority of these replicas is sure to show."""
    while version is not None and 2 * (version.mask & replicas).bit_count() <= (
        replicas.bit_count()
    ):
        version = version.older
    return version
