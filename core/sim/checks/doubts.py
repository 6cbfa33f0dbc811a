"""Doubt: nobody ends a message as unknown, or counts a resend, where no call can have been made.

Whoever takes a shard over reads what the former owners wrote, and only then writes its first floor.
An intent of theirs that comes to stand after that was followed by no call: their right was over. So
it is no reason for doubt of this owner. The next one cannot tell any more, and may take it for one;
nor can anybody under a higher force number.
"""

from collections.abc import Collection

from core.sim.checks.journal import Journal
from core.sim.history import ViolationError
from sync.forced import force_of
from sync.naming import attempt_name, log_name
from sync.records import Intent, decode_floor
from sync.store.port import PutFloor, PutRow


class Doubts:
    """Looks at effect rows as they come to stand, at floors as soon as a replica has them, and at
    ends as they are decided."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._intents: dict[tuple[str, str], tuple[Intent, str, float]] = {}
        self._begun_s: dict[tuple[str, int, int], float] = {}

    def floor_applied(self, write: PutFloor, now_s: float) -> None:
        """Some replica has a floor: by then its owner has read."""
        for part in decode_floor(write.body):
            for shard, epoch in part.shards:
                self._begun_s.setdefault((write.home, shard, epoch), now_s)

    def effects(self, write: PutRow, now_s: float) -> None:
        """An effect row stands."""
        owner = log_name(write.log).incarnation
        for index, record in enumerate(self._journal.rows[write.log][write.row]):
            if type(record) is Intent:
                name = attempt_name(write.log, write.row, index)
                self._intents[record.id, name] = (record, owner, now_s)
                if record.resend > 0:
                    self.in_doubt(owner, record.id, record.shard, record.epoch, record.names)

    def in_doubt(
        self, owner: str, message_id: str, shard: int, epoch: int, attempts: Collection[str]
    ) -> None:
        """An owner acts on its doubt of these attempts: one of them may have been called."""
        begun_s = self._begun_s.get((message_id.partition("-")[0], shard, epoch))
        if begun_s is None or not attempts:
            return
        for name in attempts:
            known = self._intents.get((message_id, name))
            if known is None:
                return  # its row stands since a moment ago, or on too few replicas
            intent, by, stood_s = known
            if by == owner or stood_s <= begun_s or force_of(intent.epoch) < force_of(epoch):
                return
        what = f"{message_id} by {owner} in epoch {epoch}, for {sorted(attempts)}"
        raise ViolationError("doubt_of_nothing", what)
