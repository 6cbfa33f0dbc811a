"""What was told: only what stands, never back, and nothing follows against evidence.

Owners of different force numbers may not have known of each other: each number is for itself, and
each of two regions that were forced under the same one.
"""

from core.sim.checks.journal import Journal
from core.sim.history import History, Submitted, ViolationError
from core.sim.store.forced import Tables, name_of
from sync.lattice import RANK
from sync.naming import log_name
from sync.records import Cancel, Message, Receipt, State
from sync.store.port import PutRow

NO_SEND: frozenset[State] = frozenset({"canceled", "expired", "suppressed", "skipped"})


class Told:
    """Looks at each word as it is told, and at all of them at the end."""

    def __init__(
        self, journal: Journal, history: History, tables: Tables, alone: bool, forces: bool
    ) -> None:
        self._journal = journal
        self._alone = alone  # there is one region: levels mean the same
        self._history = history
        self._tables = tables
        self._forces = forces  # what stands may be out of an owner's reach
        self._reached_at: dict[tuple[str, str], float] = {}  # message, how far it came
        self._canceled_at: dict[str, float] = {}

    def evidence(self, write: PutRow, now: float) -> None:
        """An accept row stands: what of it speaks against what may follow.

        A cancel of a local lane may stand in one region alone, where an owner elsewhere cannot
        read it; receipts stand at quorum always.
        """
        if self._forces:
            return
        readable = self._alone or log_name(write.log).lane.endswith("_global")
        for record in self._journal.rows[write.log][write.row]:
            if type(record) is Receipt:
                if self._journal.state(record.id) == "delivered":
                    self._reached_at.setdefault((record.id, "delivered"), now)
                if record.status == "seen":
                    self._reached_at.setdefault((record.id, "seen"), now)
            elif type(record) is Cancel and readable:
                self._canceled_at.setdefault(record.id, now)

    def follow(self, message_id: str, until: str, read_from: float | None) -> None:
        """Something is about to follow the message: no evidence against it was there to read.

        Of a message that was never sent the events need not be read.
        """
        at = self._reached_at.get((message_id, until))
        if at is not None and (read_from is None or at < read_from):
            what = f"{message_id} was {until} at {at}, its events were read from {read_from} on"
            raise ViolationError("escalated_on_evidence", what)
        at = self._canceled_at.get(message_id)
        if at is not None and read_from is not None and at < read_from:
            what = f"{message_id} was cancelled at {at}, its events were read from {read_from} on"
            raise ViolationError("followed_after_cancel", what)

    def accepted(self, submitted: Submitted) -> None:
        """A client is told `accepted`: its message stands at the level that it asked for."""
        bodies = [
            self._history.text_of(record)
            for place, record in self._journal.of("accept", submitted.id)
            if type(record) is Message
            and (not submitted.globally or log_name(place.log).lane.endswith("_global"))
        ]
        if submitted.body not in bodies:
            what = f"{submitted.id} {submitted.body!r} was accepted, what stands has {bodies}"
            raise ViolationError("accepted_before_it_stands", what)

    def said(self, message_id: str, state: State, by: str) -> None:
        """A state is told: the logs must say as much by now, and nobody revoked who tells it."""
        lease = self._tables.get(by)
        if lease is None or lease.state == "revoked":
            raise ViolationError("told_without_lease", f"{message_id} as {state} by {by}: {lease}")
        stands = self._journal.furthest(message_id)
        if RANK[stands] < RANK[state]:
            what = f"{message_id} was told as {state}, what stands says {stands}"
            raise ViolationError("told_before_it_stands", what)

    def final(self) -> None:
        """Nobody was told less after more."""
        for message_id, told in self._history.told.items():
            highest: dict[str, int] = {}
            last = max(self._tables.under(by).number for _, _, by in told)
            known = 0
            for at, state, by in told:
                side = name_of(self._tables.under(by))
                if RANK[state] < highest.get(side, 0):
                    what = f"{message_id}: {state} by {by} at {at}: {told}"
                    raise ViolationError("told_went_back", what)
                highest[side] = max(highest.get(side, 0), RANK[state])
                if self._tables.under(by).number == last:
                    known = max(known, RANK[state])
                sends = [
                    each
                    for each in self._history.sends(message_id)
                    if name_of(self._tables.under(each.process)) == side
                ]
                if state in NO_SEND and sends:
                    what = f"{message_id}: {state} at {at}: {sends}"
                    raise ViolationError("told_but_sent", what)
            if RANK[self._journal.state(message_id)] < known:
                what = f"{message_id}: the logs say less than {told}"
                raise ViolationError("told_went_back", what)
