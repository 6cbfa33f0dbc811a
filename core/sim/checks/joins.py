"""What regions that joined after a force have read, and whom they came after (PROTOCOL.md 7).

A force number is for itself: its owners may not have known what others did; and so is each of two
regions that were forced under one, until it can read that the other was. Not so the number by
which regions joined. The pause before it stopped all who owned before, and the repair brought what
they wrote; only a region that owned alone, and was not among those that joined first, may have been
out of reach of both. So the bound, the order of epochs and what was told go on from those numbers
to that one.
"""

from core.sim.history import FirstByte, ViolationError
from core.sim.plan import EPSILON_S, LEASE_S, WRITE_TIMEOUT_S
from core.sim.store.forced import Tables, name_of
from core.sim.store.replicas import Replicas
from core.sim.store.rows import FORCED, Rows
from sync.forced import Forced


class Joins:
    """Fed with each row of forced ownership once it stands."""

    def __init__(self, tables: Tables, rows: Rows, replicas: Replicas) -> None:
        self._tables = tables
        self._rows = rows
        self._replicas = replicas
        self._first: dict[int, frozenset[str]] = {}
        self._joined_s: dict[int, float] = {}
        self._rivals: dict[tuple[int, str], float] = {}

    def stands(self, row: Forced, now_s: float) -> None:
        """A row stands."""
        if row.regions and not row.alone:
            self._first.setdefault(row.number, frozenset(row.regions))
            self._joined_s.setdefault(row.number, now_s)

    def side(self, process: str) -> str:
        """With whom a process owns: its force number, and its region where that is alone."""
        return name_of(self._tables.under(process))

    def alone(self, process: str) -> bool:
        """Whether its region owns alone."""
        return self._tables.under(process).alone

    def follows(self, number: int, process: str, region: str) -> bool:
        """Whether the owners of this number came after the process, of that region, and have read
        all that it wrote."""
        first, under = self._first.get(number), self._tables.under(process)
        if first is None or under.number >= number:
            return False
        return region in first or not under.alone

    def look(self, now_s: float) -> None:
        """Which regions that are alone can read by now that another one is, under their number."""
        there = self._rows.partitions.get(FORCED, {}).values()
        alone = [version for version in there if version.value.alone]
        for own in alone:
            number, (region,) = own.value.number, own.value.regions
            bits, needs = self._replicas.bits[region], self._replicas.at(region).needs(region, True)
            for other in alone:
                rivals = other is not own and other.value.number == number
                if rivals and (other.mask & bits).bit_count() >= needs:
                    self._rivals.setdefault((number, region), now_s)

    def may_tell(self, message_id: str, by: str, now_s: float) -> None:
        """No right of before lasts when regions join."""
        for number, joined_s in self._joined_s.items():
            if now_s > joined_s and self.follows(number, by, by[:2]):
                what = f"{message_id}: told by {by} at {now_s}, regions joined at {joined_s}"
                raise ViolationError("acted_after_the_join", what)

    def may_call(self, call: FirstByte) -> None:
        """No right of an owner outlasts what it can read by more than a lease. A first byte may be
        on its way for as long as a write may take."""
        self.may_tell(call.id, call.process, call.at - WRITE_TIMEOUT_S)
        under = self._tables.under(call.process)
        heard_s = self._rivals.get((under.number, call.region)) if under.alone else None
        if heard_s is not None and call.at > heard_s + LEASE_S + EPSILON_S:
            what = f"{call.id}: {call.region} under force {under.number} at {call.at}"
            raise ViolationError("two_alone", f"{what}, it could read at {heard_s} of another")
