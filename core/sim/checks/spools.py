"""What edges spooled: kept until it is somewhere else, handed over in the order of urgency."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from core.sim.checks.journal import Journal
from core.sim.edgedisk import Disk, Stored
from core.sim.history import History, ViolationError
from sync.naming import log_name
from sync.records import Message
from sync.spool import Entry, KeepRefusal

CLOCKS_MS = 1_000


class Spools:
    """Is told what edges do. `counts` says how often; `disks` are the edges' disks by region."""

    def __init__(self, journal: Journal, history: History) -> None:
        self.counts: Counter[str] = Counter()
        self.disks: Mapping[str, Disk] = {}
        self._journal = journal
        self._history = history
        self._found: list[ViolationError] = []
        self._spooled: list[tuple[str, Entry]] = []
        self._seen: dict[str, set[Entry]] = {}
        self._fresh: dict[str, dict[str, Entry]] = {}

    def began(self, region: str, entries: Iterable[Entry]) -> None:
        """An edge started, with these on its disk."""
        self._fresh[region] = {entry.id: entry for entry in entries}
        self._seen[region] = set(self._fresh[region].values())

    def spooled(self, region: str, entry: Entry) -> None:
        """An edge answers for an entry, perhaps once more.

        Fresh is what the process has just written. What it found on its disk may have been tried,
        and put off, before somebody asks again and hears of it for the first time: the process
        that wrote it died before its answer.
        """
        if (region, entry) not in self._spooled:
            self.counts["spooled"] += 1
            self._spooled.append((region, entry))
        if entry not in self._seen[region]:
            self._seen[region].add(entry)
            self._fresh[region][entry.id] = entry

    def handed(self, region: str, batch: Sequence[Entry], now_ms: int) -> None:
        """An edge hands a batch over: the most urgent and oldest of what it has not tried yet."""
        self.counts["spool handed over"] += len(batch)
        self.counts["spool handed over expired"] += sum(e.expires_ms < now_ms for e in batch)
        places = [_place(entry) for entry in batch]
        fresh = self._fresh[region]
        for entry in batch:
            fresh.pop(entry.id, None)
        left = min(map(_place, fresh.values()), default=places[-1])
        if places != sorted(places) or left < places[-1]:
            what = f"{region} hands over {batch}, has {fresh}"
            self._found.append(ViolationError("spool_order", what))

    def refused(self, region: str, stored: Stored, refusal: KeepRefusal) -> None:
        """A core refused an entry for good."""
        self.counts["spool refused"] += 1
        submitted = stored.asked.submitted
        taken = submitted is not None and region in submitted.taken_from
        if taken and not refusal.maybe_accepted:
            what = f"{refusal.id} was taken before: {refusal}"
            self._found.append(ViolationError("spool_refusal_wrong", what))

    def look(self) -> None:
        """At what was found meanwhile: it is not raised in an edge, whose failure it is not."""
        if self._found:
            raise self._found[0]

    def final(self) -> None:
        """Faults are over, all spools are empty."""
        for region, entry in self._spooled:
            refusal = self.disks[region].refusals.get(entry.id)
            if not self._stands(entry) and (refusal is None or not refusal.reason):
                what = f"{region} answered for {entry}, it stands nowhere at this durability"
                raise ViolationError("spool_lost", what)
            self._expired(entry.id)

    def _stands(self, entry: Entry) -> bool:
        return any(
            type(record) is Message
            and record.body_hash == entry.body_hash
            and (entry.durability == "local" or log_name(place.log).lane.endswith("_global"))
            for place, record in self._journal.of("accept", entry.id)
        )

    def _expired(self, message_id: str) -> None:
        """What was expired when cores took it in was not sent."""
        records = [r for _, r in self._journal.of("accept", message_id) if type(r) is Message]
        late = all(r.accepted_ms > r.expires_ms + CLOCKS_MS for r in records)
        if records and late and self._history.sends(message_id):
            raise ViolationError("spool_expired_sent", f"{message_id}: {records}")


def _place(entry: Entry) -> tuple[bool, int, str]:
    return entry.urgency == "normal", entry.spooled_at_ms, entry.id
