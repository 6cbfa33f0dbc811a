"""The owner's book: messages in memory, what holds which row, and what is written down.

By-id rows are written in groups at `flush`: for what ended, and for what is parked in the open
set. A row that says `ended` lets the accept rows go, and the effect rows once the accept marks
have passed. Memory is bounded: ended messages are kept for a while only, open ones are limited by
whoever feeds the owner (`room`).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from heapq import heappush

from sync.lattice import RANK, gather
from sync.naming import IdFacts, by_id_partition, id_facts
from sync.owner.follow import FollowUp, follow_up
from sync.owner.marks import Marks
from sync.owner.state import (
    Changed,
    Command,
    Follow,
    Limits,
    Msg,
    Phase,
    ReadEventsAgain,
    WriteByIds,
)
from sync.records import ById, End, FloorPart, Place, encode
from sync.store.port import ByIdRow

RECENT_LOOKED_AT = 64


class ShardState:
    """One shard that is ours. `since_ms` is the wall time since which we know all its new ids.

    While it is `giving`, nothing of it is sent, ended, followed or told; what might have been told
    is `untold`. Calls of a core that gave it to us may be under way until `inherited_until_ms`.
    """

    __slots__ = ("epoch", "giving", "inherited_until_ms", "since_ms", "untold")

    def __init__(self, epoch: int, since_ms: int) -> None:
        self.epoch = epoch
        self.since_ms = since_ms
        self.giving = False
        self.untold: dict[str, Msg] = {}
        self.inherited_until_ms = 0


class Book:
    """State and bookkeeping; the events are in the classes that build on it."""

    def __init__(self, home: str, owner: str, limits: Limits) -> None:
        # Of the open set everything up to `due_read` (due_ms, id) was taken up, and reads up to
        # `due_asked` were issued: what is written below that may be missed by them.
        self.home = home
        self.owner = owner
        self.limits = limits
        self.shards: dict[int, ShardState] = {}
        self.msgs: dict[str, Msg] = {}
        self.recent: OrderedDict[str, Msg] = OrderedDict()
        self.open_count = 0
        self.out: list[Command] = []
        self.losses = 0
        self._lost_at: dict[int, int] = {}  # the last of the losses that took the shard
        self.due_read: dict[int, tuple[int, str]] = {}
        self.due_asked: dict[int, int] = {}
        self.marks = Marks()
        # The homes that the maps kept give a message; None where they all give it the same one.
        self.homes_of: Callable[[Msg], Iterable[str]] | None = None
        self._without_content: set[str] = set()
        self._dirty: dict[str, Msg] = {}
        self._sealed: dict[str, Msg] = {}
        self._timers: list[tuple[int, int, Msg]] = []
        self._timer_seq = 0
        self._minutes: OrderedDict[int, set[str]] = OrderedDict()
        self._remembered = 0
        self._remember_from = 0
        self._stamp = 0

    # Memory

    @property
    def room(self) -> int:
        """How many more messages may be taken into memory."""
        return self.limits.open_messages_max - self.open_count

    def find(self, message_id: str) -> Msg | None:
        """A message in memory, open or ended a while ago."""
        return self.msgs.get(message_id) or self.recent.get(message_id)

    def add(self, message_id: str, shard: int) -> Msg:
        """Take a new message into memory."""
        msg = self.msgs[message_id] = Msg(message_id, shard, self.home)
        self.open_count += 1
        return msg

    def drop(self, msg: Msg) -> None:
        """Out of memory, without an end: parked, or the shard is no longer ours."""
        if self.msgs.pop(msg.id, None) is not None:
            self.open_count -= 1
        self.recent.pop(msg.id, None)
        self._without_content.discard(msg.id)
        self._dirty.pop(msg.id, None)
        self._sealed.pop(msg.id, None)
        msg.held.clear()
        msg.held_effects.clear()
        msg.bucket = msg.parking = -1  # an entry that is still being written lets nothing go

    def remember(self, message_id: str, facts: IdFacts | None) -> None:
        """Keep an id made without a key, so that a copy of it is noticed."""
        if facts is None or facts.minute is None or facts.minute < self._remember_from:
            return
        ids = self._minutes.get(facts.minute)
        if ids is None:
            ids = self._minutes[facts.minute] = set()
        if message_id in ids:
            return
        ids.add(message_id)
        self._remembered += 1
        while self._remembered > self.limits.remembered_ids_max and self._minutes:
            oldest = min(self._minutes)
            self._remembered -= len(self._minutes.pop(oldest))
            self._remember_from = oldest + 1

    def spared(self, message_id: str, facts: IdFacts | None, shard: int) -> bool:
        """Whether a message just read needs no look-up (PROTOCOL.md 5)."""
        if facts is None or facts.minute is None or facts.minute < self._remember_from:
            return False
        since = self.shards[shard].since_ms + 2 * self.limits.clock_bound_ms
        if facts.minute * 60_000 < since:
            return False
        return message_id not in self._minutes.get(facts.minute, ())

    def kept_since(self, ids: list[str], losses: int) -> list[str]:
        """Those of the ids whose shard was not lost since `losses` was read.

        An answer to what was asked before a loss must not count for a message of the same id in a
        shard that was taken again: what another owner did meanwhile is not in it.
        """
        if losses == self.losses:
            return ids
        facts = [(one, id_facts(one)) for one in ids]
        return [one for one, of in facts if of and self._lost_at.get(of.shard, 0) <= losses]

    def wait_until(self, msg: Msg, due_ms: int) -> None:
        """Offered again at `due_ms`; `Owner.tick` looks at it then."""
        msg.phase = Phase.WAITING
        msg.due_ms = due_ms
        self._timer_seq += 1
        heappush(self._timers, (due_ms, self._timer_seq, msg))

    # What holds a row

    def hold_accept(self, msg: Msg, place: Place) -> None:
        """The accept row is needed until the message has ended."""
        self.marks.accept.hold(place.log, msg.shard, place.row)
        msg.held.append(place)

    def hold_effect(self, msg: Msg, place: Place) -> None:
        """The effect row is needed until the message has ended and its accept row may go."""
        self.marks.effect.hold(place.log, msg.shard, place.row)
        msg.held_effects.append(place)

    def let_go(self, msg: Msg) -> None:
        """Everything that is needed is written down elsewhere: rows may be forgotten."""
        for place in msg.held:
            self.marks.accept.release(place.log, msg.shard, place.row)
        for place in msg.held_effects:
            self.marks.effect_done(msg.shard, msg.accept, place)
        msg.held.clear()
        msg.held_effects.clear()
        if msg.bucket >= 0:
            self.marks.due.release("due", msg.shard, msg.bucket)
            msg.bucket = -1

    # State

    def rejoin(self, msg: Msg) -> None:
        """Recompute the state from the records."""
        records = msg.records
        if msg.late:
            records = [(p, r) for p, r in records if p not in msg.late or type(r) is not End]
        _, state, reason = gather(records)
        if RANK[state] > RANK[msg.state]:
            msg.state, msg.reason = state, reason

    def finish(self, msg: Msg, now_ms: int, judged: bool = False) -> None:
        """The message has its end; a by-id row that says so follows with the next flush.

        Not yet where something follows from it: the next message of its chain is written first,
        or evidence is waited for. `judged` says that its events were just read once more, which
        comes before anything that follows a call. Nor while its content may still turn up: views,
        events and what follows are made from it.
        """
        if msg.phase is Phase.ENDED:
            return
        if self._awaits_content(msg, now_ms):
            msg.phase = Phase.STUCK
            return
        follows = self.what_follows(msg, now_ms)
        if follows == "now":
            self._follow(msg, judged)
        elif follows == "wait":
            self._await_evidence(msg, now_ms)
        else:
            self._finish(msg, now_ms)

    def _awaits_content(self, msg: Msg, now_ms: int) -> bool:
        waiting = self._without_content
        if msg.message is not None or msg.accept is None:
            waiting.discard(msg.id)
            return False
        msg.sought_ms = msg.sought_ms or now_ms
        over = now_ms - msg.sought_ms >= self.limits.content_wait_ms
        if over or (msg.id not in waiting and len(waiting) >= self.limits.content_waits_max):
            waiting.discard(msg.id)
            return False
        waiting.add(msg.id)
        return True

    def what_follows(self, msg: Msg, now_ms: int) -> FollowUp:
        """What follows from an end, or from having been sent; "no" once it stands."""
        if msg.message is None or not msg.message.until or msg.followed:
            return "no"
        return follow_up(msg.message, msg.reached, msg.cancel, now_ms)

    def _follow(self, msg: Msg, judged: bool) -> None:
        """What was sent, by whomever, is followed only after its events were read once more.

        Nothing is while its shard is given away: the next owner may have sent it meanwhile. If the
        shard is kept it is judged anew.
        """
        shard = self.shards.get(msg.shard)
        if shard is not None and shard.giving:
            msg.phase = Phase.DOUBT
        elif judged or not (msg.effects or msg.receipts):
            msg.phase = Phase.FOLLOWING
            self.out.append(Follow(msg))
        elif msg.phase not in (Phase.FOLLOWING, Phase.DOUBT):
            msg.phase = Phase.DOUBT
            self.out.append(ReadEventsAgain([msg.id]))

    def _await_evidence(self, msg: Msg, now_ms: int) -> None:
        """A timer would keep it in memory until then: only where that is soon is there one."""
        assert msg.message is not None
        if msg.phase is not Phase.AWAITING:
            msg.due_ms = msg.message.escalate_at_ms
            if msg.due_ms - now_ms < self.limits.park_after_ms:
                self.wait_until(msg, msg.due_ms)
            msg.phase = Phase.AWAITING
            msg.offered_ms = now_ms
        self.tell(msg)

    def _finish(self, msg: Msg, now_ms: int) -> None:
        msg.phase = Phase.ENDED
        msg.ended_ms = now_ms
        if self.msgs.pop(msg.id, None) is not None:
            self.open_count -= 1
        self.recent[msg.id] = msg
        self.touch(msg)
        self.tell(msg)

    def tell(self, msg: Msg) -> None:
        """It may be told of, unless its shard is given away: the next owner may have said more."""
        shard = self.shards.get(msg.shard)
        held = shard is not None and shard.giving
        if shard is not None and held:
            shard.untold[msg.id] = msg
        self.out.append(Changed(msg, held))

    def unwritten(self, message_id: str) -> bool:
        """Whether its by-id row is still to be written (again)."""
        return message_id in self._dirty or message_id in self._sealed

    def touch(self, msg: Msg) -> None:
        """Its by-id row is to be written (again)."""
        self._dirty[msg.id] = msg

    def by_id_row(self, msg: Msg) -> ByIdRow:
        """The by-id row of a message as it is now."""
        message = msg.message
        row = ById(
            message.body_hash if message else msg.body_hash,
            msg.state,
            msg.phase is Phase.ENDED,
            msg.accept,
            tuple([p for p, _ in msg.effects]),
            tuple([p for p, _ in msg.receipts]),
            msg.cancel,
            tuple(msg.conflicts),
            msg.gave_way,
        )
        return self.stamped(msg.id, msg.shard, row)

    def stamped(self, message_id: str, shard: int, row: ById) -> ByIdRow:
        """The row to write now: an earlier one that is still being repeated never replaces it."""
        self._stamp += 1
        epoch = self.shards[shard].epoch if shard in self.shards else 0
        return ByIdRow(by_id_partition(message_id), message_id, epoch, encode(row), self._stamp)

    def seal(self) -> None:
        """What ended by now is written with the next flush, once its provider ids stand."""
        self._sealed.update(self._dirty)
        self._dirty = {}

    def flush(self) -> None:
        """Write the by-id rows of what ended before the last `seal`."""
        while self._sealed:
            rows: list[ByIdRow] = []
            token: list[tuple[Msg, int, int]] = []
            while self._sealed and len(rows) < self.limits.by_id_rows_max:
                _, msg = self._sealed.popitem()
                if msg.shard not in self.shards or msg.phase is not Phase.ENDED:
                    continue
                if msg.id in self._dirty:
                    continue  # more came since: its provider ids may not stand yet
                rows.append(self.by_id_row(msg))
                token.append((msg, len(msg.held), msg.named))
            if rows:
                self.out.append(WriteByIds(rows, token))

    def by_ids_durable(self, token: list[tuple[Msg, int, int]]) -> None:
        """The by-id rows stand. What changed meanwhile waits for the next flush."""
        for msg, held, named in token:
            if msg.shard not in self.shards:
                continue
            msg.by_id = 2
            if (len(msg.held), msg.named) == (held, named):
                self.let_go(msg)
        limit, looked = self.limits.recent_messages_max, 0
        while len(self.recent) > limit:
            oldest = next(iter(self.recent.values()))
            # What is still being parked is written once more when its entry stands: as it is then.
            busy = oldest.held or oldest.held_effects or oldest.parking >= 0
            if not (busy or self.unwritten(oldest.id)):
                self.recent.popitem(last=False)
            elif looked >= RECENT_LOOKED_AT:
                break
            else:
                looked += 1
                self.recent.move_to_end(oldest.id)

    # Floors

    def floor(
        self,
        read: dict[int, tuple[dict[str, int], tuple[str, ...]]],
        effect_read: dict[str, int],
    ) -> list[FloorPart]:
        """The marks of each shard in `read` (shard to (accept log to row read, closed logs))."""
        most = max(1, self.limits.passed_at_once_max // max(1, len(self.shards)))
        return [
            self.marks.part(
                shard,
                self.shards[shard].epoch,
                accept_read,
                effect_read,
                closed,
                self.due_read[shard][0] // self.limits.bucket_ms,
                most,
            )
            for shard, (accept_read, closed) in read.items()
            if shard in self.shards
        ]
