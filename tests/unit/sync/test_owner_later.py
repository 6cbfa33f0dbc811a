"""What is to be done later: not kept for nothing, not forgotten, not late, not all in one turn."""

import gc

import msgspec

from sync.owner.owner import Owner
from sync.owner.state import (
    Changed,
    Follow,
    Limits,
    Msg,
    Offer,
    Phase,
    ReadEventsAgain,
    WriteByIds,
    WriteEffect,
    WriteOpen,
)
from sync.owner.takeover import Loaded
from sync.records import (
    ById,
    Message,
    OpenEntry,
    Outcome,
    Place,
    Receipt,
    Record,
    decode_by_id,
    decode_open,
)
from tests.unit.sync.test_owner import EFFECTS, LOG, MID, NOW, Rig, message, park

BUCKET_MS = Limits().bucket_ms


class ChainRig(Rig):
    """Its message is the first of a chain: another channel follows unless it is delivered."""

    def __init__(self, escalate_ms: int = NOW + 800_000, until: str = "delivered") -> None:
        super().__init__()
        self.first = msgspec.structs.replace(message(), until=until, escalate_at_ms=escalate_ms)

    def read(self, row: int, *records: Record) -> None:
        first = (self.first, *records[1:]) if type(records[0]) is Message else records
        super().read(row, *first)

    def awaiting(self) -> Msg:
        """A provider took it; evidence is waited for."""
        msg, attempt = self.called()
        self.answered(msg, attempt, "accepted")
        self.out()
        assert msg.phase is Phase.AWAITING
        return msg

    def leaves(self, msg: Msg, now_ms: int = NOW) -> WriteOpen:
        """It goes to the open set: the entry is being written."""
        self.owner.sweep(now_ms + 20_000)
        self.owner.seal()
        self.owner.flush()
        self.owner.tick(now_ms)
        (entry,) = self.out()
        assert isinstance(entry, WriteOpen)
        assert entry.token == [msg]
        return entry

    def receipt(self, row: int, attempt: str, status: str) -> None:
        self.read(row, Receipt(MID, 0, attempt, "acc", "p1", status, "", "", NOW))


def messages_in_memory() -> list[Msg]:
    """Whoever holds the list keeps those of earlier tests, so that their number stays."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Msg)]


def test_what_waits_for_evidence_elsewhere_is_not_kept_in_memory() -> None:
    before = messages_in_memory()
    rig = ChainRig()
    msg = rig.awaiting()
    rig.leaves(msg)
    rig.owner.open_durable([msg])
    rig.out()
    rig.owner.parked(msg)
    del msg
    assert len(messages_in_memory()) == len(before)


def test_a_wait_for_evidence_that_ends_soon_ends_on_time() -> None:
    rig = ChainRig(NOW + 900)
    msg = rig.awaiting()
    rig.owner.tick(NOW + 899)
    assert rig.out() == []
    rig.owner.tick(NOW + 900)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW + 900)
    assert rig.out() == [Follow(msg)]


def test_a_wait_for_evidence_that_could_not_be_parked_ends_all_the_same() -> None:
    rig = ChainRig(NOW + 30_000)
    rig.awaiting()
    rig.owner.sweep(NOW + 29_999)
    assert rig.out() == []
    rig.owner.sweep(NOW + 30_000)
    assert rig.out() == [ReadEventsAgain([MID])]


def test_it_is_not_parked_twice_at_once() -> None:
    rig = ChainRig()
    msg = rig.awaiting()
    rig.leaves(msg)
    attempt = msg.effects[-1][1].attempt  # type: ignore[union-attr]
    rig.stands(Outcome(MID, 0, attempt, "accepted", "p1,p2", "", "", NOW))
    rig.out()
    assert msg.phase is Phase.AWAITING
    rig.owner.sweep(NOW + 40_000)
    rig.owner.seal()
    rig.owner.flush()
    rig.owner.tick(NOW)
    assert rig.out() == []
    rig.owner.open_durable([msg])
    rig.out()
    rig.owner.parked(msg)
    assert rig.owner.msgs[MID] is msg
    rig.leaves(msg, NOW + 40_000)


def test_a_receipt_while_it_is_parked_does_not_keep_it_in_memory_for_good() -> None:
    rig = ChainRig()
    msg = rig.awaiting()
    rig.leaves(msg)
    rig.owner.open_durable([msg])
    rig.receipt(2, msg.effects[-1][1].attempt, "accepted")  # type: ignore[union-attr]
    rig.out()
    rig.owner.parked(msg)
    assert rig.owner.msgs[MID] is msg
    rig.leaves(msg, NOW + 40_000)


def test_many_that_are_due_at_once_are_taken_in_parts() -> None:
    owner = Owner("h", "c1", Limits())
    owner.begin(Loaded([(0, 2)], {LOG: 0}, {}, (), NOW // BUCKET_MS, {}), NOW)
    owner.go({0})
    total = Limits().due_at_once_max + Limits().due_at_once_max // 2
    many = [
        msgspec.structs.replace(message(), id=f"h-u0000000{n:012d}", not_before_ms=NOW + 100)
        for n in range(total)
    ]
    owner.row_available(LOG, 1, list(many))
    owner.ask(NOW)
    owner.looked_up([each.id for each in many], {}, NOW)
    owner.out = []
    owner.tick(NOW + 99)
    assert owner.out == []
    owner.tick(NOW + 100)
    assert [type(command) for command in owner.out] == [Offer] * Limits().due_at_once_max
    owner.tick(NOW + 125)
    assert [type(command) for command in owner.out] == [Offer] * total


def test_a_clock_that_jumps_offers_nothing_early_or_twice() -> None:
    owner = Owner("h", "c1", Limits())
    owner.begin(Loaded([(0, 2)], {LOG: 0}, {}, (), NOW // BUCKET_MS, {}), NOW)
    owner.go({0})
    soon, later = (
        msgspec.structs.replace(message(), id=f"h-u0000000{n:012d}", not_before_ms=NOW + ahead_ms)
        for n, ahead_ms in enumerate((100, 5_000))
    )
    owner.row_available(LOG, 1, [soon, later])
    owner.ask(NOW)
    owner.looked_up([soon.id, later.id], {}, NOW)
    owner.out = []
    for now_ms in (NOW + 100, NOW - 3_600_000, NOW + 200, NOW + 4_999):
        owner.tick(now_ms)
    assert [type(command) for command in owner.out] == [Offer]
    owner.tick(NOW + 5_000)
    owner.tick(NOW - 3_600_000)
    owner.tick(NOW + 6_000)
    assert [type(command) for command in owner.out] == [Offer, Offer]


def test_a_full_memory_does_not_hold_up_what_is_due() -> None:
    owner = Owner("h", "c1", Limits(open_messages_max=10))
    owner.begin(Loaded([(0, 2)], {LOG: 0}, {}, (), NOW // BUCKET_MS, {}), NOW)
    owner.go({0})
    many = [msgspec.structs.replace(message(), id=f"h-u0000000{n:012d}") for n in range(10)]
    owner.row_available(LOG, 1, list(many))
    assert owner.room == 0
    assert owner.wants({LOG: 2}) == []
    assert owner.due_room > 0
    assert [want.shards for want in owner.due_wants(NOW, 5_000)] == [[0]]


def test_a_shard_that_gets_a_new_epoch_while_its_open_set_is_read_is_read_on() -> None:
    owner = Owner("h", "c1", Limits())
    owner.begin(Loaded([(0, 2)], {LOG: 0}, {}, (), NOW // BUCKET_MS, {}), NOW)
    owner.go({0})
    (want,) = owner.due_wants(NOW, 5_000)
    owner.rename(0, 3)
    owner.due_done(want, (want.until_ms, "\x7f"))
    (after,) = owner.due_wants(NOW + 10_000, 5_000)
    assert (after.shards, after.after) == ([0], (want.until_ms, "\x7f"))


def test_an_entry_of_what_ended_holds_its_bucket_until_the_row_that_says_so_stands() -> None:
    rig = Rig()
    msg, attempt = rig.called()
    rig.answered(msg, attempt, "accepted")
    rig.owner.seal()
    rig.owner.flush()
    (written,) = [command for command in rig.out() if isinstance(command, WriteByIds)]
    bucket = NOW // BUCKET_MS
    (want,) = rig.owner.due_wants(NOW, 4 * BUCKET_MS)
    rig.owner.due_rows([(bucket, OpenEntry(message(), Place(LOG, 1, 0), NOW, 0, 1))])
    rig.owner.due_done(want, (want.until_ms, "\x7f"))
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].due == bucket
    rig.owner.by_ids_durable(written.token)
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].due > bucket


def test_a_read_of_a_shard_that_was_lost_and_taken_again_says_nothing_of_it() -> None:
    owner = Owner("h", "c1", Limits())
    loaded = Loaded([(0, 2)], {LOG: 0}, {}, (), NOW // BUCKET_MS, {})
    owner.begin(loaded, NOW)
    owner.go({0})
    (former,) = owner.due_wants(NOW, 5_000)
    owner.lose({0})
    owner.begin(msgspec.structs.replace(loaded, shards=[(0, 4)]), NOW)
    owner.go({0})
    (want,) = owner.due_wants(NOW, 5_000)
    owner.due_done(former, (former.until_ms, "\x7f"))
    assert owner.due_wants(NOW, 5_000) == []
    owner.due_done(want, want.after)
    assert [again.after for again in owner.due_wants(NOW, 5_000)] == [want.after]


def test_a_clock_that_went_back_makes_nothing_late() -> None:
    rig = Rig()
    (want,) = rig.owner.due_wants(NOW + 3_600_000, 5_000)
    rig.owner.due_done(want, (want.until_ms, "\x7f"))
    msg = rig.offered()
    rig.owner.set_aside(msg, NOW)
    rig.owner.tick(NOW)
    assert rig.out() == []
    due_ms = msg.due_ms
    assert due_ms <= NOW + 2 * rig.owner.limits.set_aside_ms
    rig.owner.tick(due_ms)
    assert rig.out() == [Offer(msg)]


def test_what_is_due_a_little_below_what_was_read_is_put_behind_it() -> None:
    rig = Rig()
    (want,) = rig.owner.due_wants(NOW + 48_000, 5_000)
    rig.owner.due_done(want, (want.until_ms, "\x7f"))
    park_due_ms = decode_open(parked_entry(rig).rows[0].body).due_ms
    assert park_due_ms == NOW + 53_001


def parked_entry(rig: Rig) -> WriteOpen:
    """A retry in fifty seconds is parked."""
    found: list[WriteOpen] = []
    tick = rig.owner.tick

    def ticked(now_ms: int) -> None:
        tick(now_ms)
        found.extend(c for c in rig.owner.out if isinstance(c, WriteOpen))

    rig.owner.tick = ticked  # type: ignore[method-assign]
    park(rig)
    return found[0]


def test_a_message_of_an_earlier_ownership_is_not_sent_beside_its_new_self() -> None:
    rig = Rig()
    old = rig.offered()
    rig.owner.lose({0})
    rig.owner.begin(Loaded([(0, 4)], {LOG: 0}, {}, (), NOW // BUCKET_MS, {}), NOW)
    rig.owner.go({0})
    new = rig.offered()
    assert rig.owner.intend(new, "acc", "key", 0, NOW)
    rig.out()
    assert not rig.owner.intend(old, "acc", "key", 0, NOW)
    rig.owner.turn_away(old, "suppressed", "suppressed", "bounce", NOW)
    assert rig.out() == []


def test_who_complains_has_seen_it() -> None:
    rig = ChainRig(until="seen")
    msg = rig.awaiting()
    rig.receipt(2, msg.effects[-1][1].attempt, "complained")  # type: ignore[union-attr]
    assert msg.phase is Phase.ENDED


def test_a_message_lets_go_only_when_what_follows_it_stands() -> None:
    """Else a crash between the two would break its chain, and nobody would know."""
    rig = ChainRig()
    msg, attempt = rig.called()
    rig.answered(msg, attempt, "permanent")
    rig.out()
    rig.owner.give_up(msg, "failed", "permanent", "no such number", NOW)
    (end,) = rig.out()
    assert isinstance(end, WriteEffect)
    rig.stands(end.record)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW)
    assert rig.out() == [Follow(msg)]
    rig.owner.seal()
    rig.owner.flush()
    assert rig.out() == [], "no by-id row says that it has ended"
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].accept == {LOG: 0}
    rig.owner.followed(msg, NOW)
    assert rig.out() == [Changed(msg)]
    rig.owner.seal()
    rig.owner.flush()
    (written,) = rig.out()
    assert isinstance(written, WriteByIds)


def test_a_copy_that_comes_while_a_message_is_parked_is_named_before_it_leaves() -> None:
    rig = ChainRig()
    msg = rig.awaiting()
    rig.leaves(msg)
    rig.owner.open_durable([msg])
    rig.owner.row_available(LOG, 2, [message(b"B")])
    rig.out()
    rig.owner.parked(msg)
    assert rig.owner.msgs[MID] is msg
    rig.leaves(msg, NOW + 40_000)
    rig.owner.open_durable([msg])
    (rows,) = rig.out()
    assert isinstance(rows, WriteByIds)
    assert decode_by_id(rows.rows[0].body).conflicts == (Place(LOG, 2, 0),)


def test_what_ended_while_it_is_parked_stays_in_memory_until_its_entry_stands() -> None:
    """Its row is written once more then, and must not forget what came meanwhile."""
    rig = ChainRig()
    rig.owner.limits = Limits(recent_messages_max=0)
    msg = rig.awaiting()
    rig.leaves(msg)
    attempt = msg.effects[-1][1].attempt  # type: ignore[union-attr]
    rig.stands(Outcome(MID, 0, attempt, "accepted", "p1,p2", "", "", NOW))
    rig.receipt(2, attempt, "delivered")
    rig.out()
    assert ended_row(rig).receipts == (Place(LOG, 2, 0),)
    rig.receipt(3, attempt, "accepted")
    rig.owner.open_durable([msg])
    rig.out()
    rig.owner.parked(msg)
    assert ended_row(rig).receipts == (Place(LOG, 2, 0), Place(LOG, 3, 0))
    assert rig.owner.find(MID) is None


def ended_row(rig: Rig) -> ById:
    """The by-id row that is written next; it comes to stand."""
    rig.owner.seal()
    rig.owner.flush()
    (written,) = rig.out()
    assert isinstance(written, WriteByIds)
    rig.owner.by_ids_durable(written.token)
    return decode_by_id(written.rows[0].body)


def test_a_row_that_stands_late_does_not_let_go_of_a_copy_that_it_does_not_name() -> None:
    rig = Rig()
    msg, attempt = rig.called()
    rig.answered(msg, attempt, "accepted")
    rig.out()
    rig.owner.seal()
    rig.owner.flush()
    (late,) = rig.out()
    assert isinstance(late, WriteByIds)
    rig.read(2, message(b"B"))
    rig.out()
    assert ended_row(rig).conflicts == (Place(LOG, 2, 0),)
    rig.read(3, message(b"C"))
    rig.owner.by_ids_durable(late.token)
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].accept == {LOG: 2}
