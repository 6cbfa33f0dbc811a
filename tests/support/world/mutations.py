"""Rules of PROTOCOL.md taken away one at a time: what the walk must find (section 14).

Each mutation patches the real machine, or the shell around it, so that it lacks one rule.
`FOUND_BY` names for each the checkers that may find it, `FOUND_FAST` those that a few dozen seeds
find, `FOUND_SLOWLY` those that take hundreds.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sync import doubt
from sync.lease import Holder, Lease, Watch
from sync.log_writer import Command, Durable, LogWriter, WriteRow
from sync.owner import book, follow, intake, owner, sending, takeover
from sync.owner.marks import Holds
from sync.owner.state import Changed, Follow, Msg, Offer, Phase
from sync.records import Outcome, Place
from sync.store.memory_journal import MemoryTables
from sync.store.port import ByIdRow, Registered
from tests.support.world.dispatch import SimDispatcher
from tests.support.world.ownership import SimOwnership
from tests.support.world.receipts import SimReceipts
from tests.support.world.shell import SimShell

Patch = pytest.MonkeyPatch


def floor_early(patch: Patch) -> None:
    """Marks follow what was read, not what is written down elsewhere."""
    patch.setattr(Holds, "lowest", lambda *_: None)


def takeover_without_revoking(patch: Patch) -> None:
    """A silent owner counts as gone although nobody set its lease to revoked."""

    async def revoke(self: SimOwnership, incarnation: str, _: int) -> None:
        self.leases.pop(incarnation, None)
        self._gone.add(incarnation)

    patch.setattr(SimOwnership, "_revoke", revoke)


def _told_at_once(patch: Patch, kind: str) -> None:
    flush, written = LogWriter.flush, LogWriter.written

    def early(self: LogWriter) -> list[Command]:
        commands = flush(self)
        if commands and self.log.startswith(kind) and self._under_way is not None:
            row, _, records, tickets = self._under_way
            places = [Place(self.log, row, index) for index in range(len(records))]
            commands.append(Durable(places, records, tickets))
        return commands

    def late(self: LogWriter, row: int) -> list[Command]:
        commands = written(self, row)
        return commands[1:] if self.log.startswith(kind) else commands

    patch.setattr(LogWriter, "flush", early)
    patch.setattr(LogWriter, "written", late)


def intent_not_awaited(patch: Patch) -> None:
    """The call is made while its intent is on the way."""
    _told_at_once(patch, "effect")


def accepted_before_the_write(patch: Patch) -> None:
    """202 is answered while the row is on the way."""
    _told_at_once(patch, "accept")


def no_lease_check(patch: Patch) -> None:
    """Neither the pump nor the guard looks at the lease."""
    patch.setattr(
        SimDispatcher,
        "guard",
        lambda self, msg, attempt: self._core.owner.may_call(msg, attempt, self._core.wall_ms()),
    )
    patch.setattr(Holder, "left_s", lambda self, _: -1.0 if self.lost else 9.0)


def no_counter(patch: Patch) -> None:
    """Revoked after the lease's length since it was first seen, moving counter or not."""

    def saw(self: Watch, lease: Lease, now: float) -> None:
        first = self._seen.get(lease.incarnation, (0, now))[1]
        self._seen[lease.incarnation] = (lease.counter, first)

    patch.setattr(Watch, "saw", saw)


def copies_not_looked_up(patch: Patch) -> None:
    """Every message that was just read counts as new."""
    patch.setattr(book.Book, "spared", lambda *_: True)


def no_settles_older_doubt(patch: Patch) -> None:
    """A definite no of one call counts for the calls before it."""
    durable = sending.Sending._outcome_durable

    def settle(self: Any, msg: Msg, outcome: Outcome, now_ms: int) -> None:
        if outcome.kind in ("retryable", "throttled", "permanent"):
            msg.unsettled.clear()
        durable(self, msg, outcome, now_ms)

    patch.setattr(sending.Sending, "_outcome_durable", settle)


def resends_not_counted(patch: Patch) -> None:
    """A message that was sent again may be sent again once more."""

    def judge(facts: doubt.Doubt) -> Any:
        blank = tuple((n, msgspec.structs.replace(i, resend=0)) for n, i in facts.unsettled)
        return doubt.judge(msgspec.structs.replace(facts, unsettled=blank))

    patch.setattr(sending, "judge", judge)


def window_from_the_last_intent(patch: Patch) -> None:
    """The provider's window is counted from the last call with a key, not from the first."""
    patch.setattr(sending.Sending, "_stale", lambda *_: False)

    def judge(facts: doubt.Doubt) -> Any:
        later = tuple(
            (n, msgspec.structs.replace(i, first_ms=i.at_ms + 3_000)) for n, i in facts.unsettled
        )
        return doubt.judge(msgspec.structs.replace(facts, unsettled=later))

    patch.setattr(sending, "judge", judge)


def stale_key_repeated(patch: Patch) -> None:
    """The verdict to repeat a key is not looked at again when the call is made."""
    patch.setattr(sending.Sending, "_stale", lambda *_: False)
    patch.setattr(owner.Owner, "again", sending.Sending.offer)


def intent_before_first_floor(patch: Patch) -> None:
    """Shards are worked on before the first floor that names them stands."""
    begin = owner.Owner.begin

    def begin_at_once(self: owner.Owner, loaded: takeover.Loaded, now_ms: int) -> None:
        begin(self, loaded, now_ms)
        self.go(set(self.shards))
        self.ask(now_ms)

    patch.setattr(owner.Owner, "begin", begin_at_once)


def by_id_hides_an_end(patch: Patch) -> None:
    """An earlier by-id row that is repeated may replace a later one."""

    def put(self: MemoryTables, row: ByIdRow) -> None:
        self.by_id.setdefault(row.id, {})[row.epoch] = row

    patch.setattr(MemoryTables, "_put_by_id", put)


def end_told_before_it_stands(patch: Patch) -> None:
    """An end is told when it is decided, not when it is durable."""
    end = sending.Sending.end

    def tell(self: Any, msg: Msg, state: Any, *more: Any) -> None:
        end(self, msg, state, *more)
        was, msg.state = msg.state, state
        self.out.append(Changed(_as_ended(msg)))
        msg.state = was

    patch.setattr(sending.Sending, "end", tell)


def _as_ended(msg: Msg) -> Msg:
    """A message as it is now, to be told of."""
    told = Msg(msg.id, msg.shard)
    told.state, told.phase = msg.state, Phase.ENDED
    return told


def last_owner_only(patch: Patch) -> None:
    """Only the effect logs of the owner who wrote the floor are read."""

    def starts(_: str, floor: Any, registry: list[Registered]) -> dict[str, int]:
        if floor is None:
            return {}
        own = {log for r in registry if r.incarnation == floor.owner for log in r.logs}
        return {log: floor.part.effect.get(log, 0) for log in own if log.startswith("effect")}

    patch.setattr(takeover, "effect_starts", starts)


def effects_not_followed(patch: Patch) -> None:
    """A new owner reads no effect log of those before it."""
    patch.setattr(takeover, "effect_starts", lambda *_: {})


def row_under_a_new_number(patch: Patch) -> None:
    """A row whose outcome is unknown is written again under the next number."""

    def unknown(self: LogWriter, row: int) -> list[Command]:
        if self._under_way is None or self._under_way[0] != row:
            return []
        _, body, records, tickets = self._under_way
        self._under_way = (row + 1, body, records, tickets)
        return [WriteRow(self.log, row + 1, body, True)]

    patch.setattr(LogWriter, "unknown", unknown)


def cancel_during_a_call(patch: Patch) -> None:
    """A cancel ends a message although an attempt of it is not settled."""

    def act(self: Any, now_ms: int) -> None:
        stirred, self._stirred = self._stirred, []
        for msg in stirred:
            if msg.cancel and msg.phase is not Phase.LOOKUP:
                self.end(msg, "canceled", "canceled", "", now_ms)

    patch.setattr(intake.Intake, "_act_on_events", act)


def given_up_cas_not_taken_up(patch: Patch) -> None:
    """Shards that a compare-and-set believed lost gave us are left alone."""
    reconcile = SimOwnership._reconcile

    async def blind(self: SimOwnership) -> None:
        me, mine = self._owner.owner, self._owner.shards
        self.shard_rows = [r for r in self.shard_rows if r.owner != me or r.shard in mine]
        await reconcile(self)

    patch.setattr(SimOwnership, "_reconcile", blind)


def told_without_the_lease(patch: Patch) -> None:
    """Ends are told by an owner whose lease is over."""

    def changed(self: SimShell, command: Changed) -> None:
        core, msg = self._core, command.msg
        core.history.tell(core.loop.now, msg.id, msg.state, core.incarnation)

    patch.setattr(SimShell, "_changed", changed)


def outcome_without_segment(patch: Patch) -> None:
    """By-id rows of what ended do not wait for the provider ids that are being written."""

    async def free(self: SimReceipts) -> None:
        gathered, self._unwritten = self._unwritten, {}
        for account, ids in gathered.items():
            self._core.spawn(self._write_group(account, ids))

    patch.setattr(SimReceipts, "write_down", free)


def acknowledged_before_the_look(patch: Patch) -> None:
    """A receipt that matches nothing yet is acknowledged before the outcomes are looked at."""
    look_back = SimReceipts._look_back

    async def ack_first(self: SimReceipts, account: str) -> None:
        for receipts in self._waiting[account].values():
            for _, receipt in receipts:
                receipt.ack()
                receipt.ack = receipt.nack = lambda: None
        await look_back(self, account)

    patch.setattr(SimReceipts, "_look_back", ack_first)


def escalated_without_reading(patch: Patch) -> None:
    """The next channel's turn comes without a look at the evidence that stands."""

    def follow(self: book.Book, msg: Msg, _: bool) -> None:
        msg.phase = Phase.FOLLOWING
        self.out.append(Follow(msg))

    patch.setattr(book.Book, "_follow", follow)
    patch.setattr(owner.Owner, "again", _again_unread)


def _again_unread(self: owner.Owner, msg: Msg, now_ms: int) -> None:
    if msg.unsettled:
        self.doubt(msg)
    elif msg.phase is Phase.AWAITING:
        self.finish(msg, now_ms)
    else:
        msg.repeat = None
        self.offer(msg, now_ms)


def sent_before_its_time(patch: Patch) -> None:
    """A message that is to be sent later is offered at once."""
    patch.setattr(
        sending.Sending,
        "_schedule",
        lambda self, msg, *_: (setattr(msg, "phase", Phase.OFFERED), self.out.append(Offer(msg))),
    )


def chain_forgotten(patch: Patch) -> None:
    """Nothing follows a message that ended without having been sent."""
    patch.setattr(follow, "_NO_SEND", frozenset())


FOUND_FAST: dict[str, Callable[[Patch], None]] = {
    "floor_early": floor_early,
    "takeover_without_revoking": takeover_without_revoking,
    "intent_not_awaited": intent_not_awaited,
    "accepted_before_the_write": accepted_before_the_write,
    "copies_not_looked_up": copies_not_looked_up,
    "no_settles_older_doubt": no_settles_older_doubt,
    "window_from_the_last_intent": window_from_the_last_intent,
    "by_id_hides_an_end": by_id_hides_an_end,
    "end_told_before_it_stands": end_told_before_it_stands,
    "last_owner_only": last_owner_only,
    "effects_not_followed": effects_not_followed,
    "row_under_a_new_number": row_under_a_new_number,
    "cancel_during_a_call": cancel_during_a_call,
    "given_up_cas_not_taken_up": given_up_cas_not_taken_up,
    "sent_before_its_time": sent_before_its_time,
    "chain_forgotten": chain_forgotten,
}
FOUND_SLOWLY: dict[str, Callable[[Patch], None]] = {
    "no_lease_check": no_lease_check,
    "no_counter": no_counter,
    "resends_not_counted": resends_not_counted,
    "stale_key_repeated": stale_key_repeated,
    "intent_before_first_floor": intent_before_first_floor,
    "told_without_the_lease": told_without_the_lease,
    "outcome_without_segment": outcome_without_segment,
    "acknowledged_before_the_look": acknowledged_before_the_look,
    "escalated_without_reading": escalated_without_reading,
}
FOUND_BY = {
    "floor_early": {"floor_early"},
    "takeover_without_revoking": {"floor_early", "epoch_order", "unmarked_duplicate"},
    "intent_not_awaited": {"told_before_it_stands", "call_without_intent"},
    "accepted_before_the_write": {"told_before_it_stands", "accepted_lost"},
    "copies_not_looked_up": {
        "unmarked_duplicate",
        "too_many_sends",
        "floor_early",
        "by_id_differs",
        "told_but_sent",
    },
    "no_settles_older_doubt": {"unmarked_duplicate", "told_but_sent", "stuck"},
    "window_from_the_last_intent": {"unmarked_duplicate", "too_many_sends"},
    "by_id_hides_an_end": {"floor_early"},
    "end_told_before_it_stands": {"told_before_it_stands"},
    "last_owner_only": {"floor_early"},
    "effects_not_followed": {"floor_early"},
    "row_under_a_new_number": {"floor_early", "stuck", "segment_missing"},
    "cancel_during_a_call": {"told_but_sent", "told_went_back"},
    "given_up_cas_not_taken_up": {"stuck"},
    "no_lease_check": {"epoch_order", "unmarked_duplicate", "told_went_back"},
    "no_counter": {"stuck", "lost", "epoch_order", "unmarked_duplicate", "floor_early"},
    "resends_not_counted": {"unmarked_duplicate", "too_many_sends"},
    "stale_key_repeated": {"unmarked_duplicate", "too_many_sends"},
    "intent_before_first_floor": {"before_first_floor"},
    "told_without_the_lease": {"told_went_back"},
    "outcome_without_segment": {"segment_missing", "receipt_lost"},
    "acknowledged_before_the_look": {"receipt_lost"},
    "sent_before_its_time": {"sent_early"},
    "chain_forgotten": {"chain_broken"},
    "escalated_without_reading": {"escalated_on_evidence"},
}
