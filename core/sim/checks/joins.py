"""What regions that joined after a force have read, and whom they came after (PROTOCOL.md 7).

A force number is for itself: its owners may not have known what others did. Not so the number by
which regions joined. The pause before it stopped all who owned before, and the repair brought what
they wrote; only a region that owned alone, and was not among those that joined first, may have been
out of reach of both. So the bound, the order of epochs and what was told go on from those numbers
to that one.
"""

from core.sim.store.forced import Tables
from sync.forced import Forced


class Joins:
    """Fed with each row of forced ownership once it stands."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._first: dict[int, frozenset[str]] = {}

    def stands(self, row: Forced) -> None:
        """A row stands."""
        if row.regions and not row.alone:
            self._first.setdefault(row.number, frozenset(row.regions))

    def follows(self, number: int, process: str, region: str) -> bool:
        """Whether the owners of this number came after the process, of that region, and have read
        all that it wrote."""
        first, under = self._first.get(number), self._tables.under(process)
        if first is None or under.number >= number:
            return False
        return region in first or not under.alone
