"""Floors: a new owner that reads from them must find all that is open.

Those of a region that is alone count within it, where much may be missing that stands elsewhere;
whoever owns after it reads from the floors before.
"""

from core.engine.receipts import segment_of
from core.sim.checks.journal import Journal
from core.sim.history import ViolationError
from core.sim.store.forced import Tables
from sync.forced import force_of
from sync.naming import log_name
from sync.records import End, FloorPart, Intent, Message, Outcome, Receipt, Record, decode_floor
from sync.store.port import PutFloor, PutProviderIds, PutRow

UNREAD = 1 << 60


class Floors:
    """Looks at floors, provider-id segments and effect rows as they come to stand."""

    def __init__(self, journal: Journal, tables: Tables) -> None:
        self._journal = journal
        self._tables = tables
        self._segments: set[str] = set()

    def segment(self, write: PutProviderIds) -> None:
        """Provider ids stand."""
        self._segments |= {known.provider_id for known in segment_of(write.body)}

    def effects(self, write: PutRow, home: str) -> None:
        """An effect row stands: the first floor of its epoch came before."""
        for record in self._journal.rows[write.log][write.row]:
            if not isinstance(record, Intent | End):
                continue
            if self._journal.floor_epoch(home, record.shard) < record.epoch:
                what = f"{type(record).__name__} of {record.id} in epoch {record.epoch}"
                raise ViolationError("before_first_floor", what)

    def floor(self, write: PutFloor) -> None:
        """A floor stands."""
        if self._tables.under(write.owner).alone:
            return
        for part in decode_floor(write.body):
            for shard, epoch in part.shards:
                if self._journal.floor_epoch(write.home, shard) <= epoch:
                    self._accept_marks(write.home, shard, part)
                    anybody = force_of(epoch) > 0
                    self._effect_marks(write.home, shard, write.owner, part, anybody)

    def _accept_marks(self, home: str, shard: int, part: FloorPart) -> None:
        for place, record in self._journal.of_shard("accept", home, shard):
            if place.log not in part.closed and place.row > part.accept.get(place.log, 0):
                continue
            if not self._kept(place, record, part):
                known = self._journal.by_id(record.id)
                what = f"accept mark passed {type(record).__name__} {record.id} at {place}: {known}"
                raise ViolationError("floor_early", what)

    def _kept(self, place: object, record: Record, part: FloorPart) -> bool:
        known = self._journal.by_id(record.id)
        if known is None:
            return False
        if type(record) is Message:
            return known.ended or self._journal.entry(record.id, part.due) is not None
        if type(record) is Receipt:
            return place in known.receipts
        return known.ended or known.noted

    def _effect_marks(
        self, home: str, shard: int, owner: str, part: FloorPart, anybody: bool
    ) -> None:
        """With `anybody` the next owner reads logs, too, that the floor does not name."""
        for place, record in self._journal.of_shard("effect", home, shard):
            named_later = anybody or log_name(place.log).incarnation == owner
            unread = -1 if named_later else UNREAD
            if place.log not in part.closed and place.row > part.effect.get(place.log, unread):
                continue
            if self._journal.too_late(place, record):
                continue
            known = self._journal.by_id(record.id)
            entry = self._journal.entry(record.id, part.due)
            listed = known is not None and (known.ended or place in known.effects)
            if not listed and (entry is None or place not in entry.effects):
                what = f"effect mark passed {type(record).__name__} {record.id} at {place}: {known}"
                raise ViolationError("floor_early", what)
            if type(record) is Outcome and record.kind == "accepted":
                missing = {i for i in record.provider_id.split(",") if i not in self._segments}
                if missing:
                    what = f"effect mark passed {record.id} at {place}: {missing} is in no segment"
                    raise ViolationError("segment_missing", what)
