"""Single rules of the owner that the simulator meets too seldom, each by itself."""

import msgspec

from sync.naming import attempt_name
from sync.owner.owner import Owner
from sync.owner.state import (
    Limits,
    Lookup,
    MakeCall,
    Msg,
    Offer,
    Phase,
    ReadEventsAgain,
    Refused,
    Revive,
    WriteByIds,
    WriteEffect,
    WriteOpen,
)
from sync.owner.takeover import Loaded
from sync.records import (
    ById,
    End,
    Intent,
    Message,
    Outcome,
    Place,
    Receipt,
    Record,
    decode_by_id,
    encode,
)
from sync.store.port import ByIdRow

LOG, EFFECTS, FORMER = "accept.h.normal_local.c1.0", "effect.h.normal.c1.0", "effect.h.normal.c0.0"
MID = "h-k000aaaaaaaaaaaaaaaaaaa"
NOW = 1_000_000


def message(body: bytes = b"A", stamp: int = 1) -> Message:
    return Message(MID, 0, body, stamp, False, False, NOW + 900_000, NOW, body)


def intent(epoch: int = 1, resend: int = 0, dedupe_ms: int = 0) -> Intent:
    accept = Place(LOG, 1, 0)
    return Intent(
        MID, 0, epoch, accept, b"A", "acc", "key", dedupe_ms, NOW, False, NOW + 900_000,
        resend, NOW,
    )  # fmt: skip


class Rig:
    """An owner of shard 0, its commands, and its effect log."""

    def __init__(
        self, effects: list[tuple[Place, Record]] | None = None, live: bool = True
    ) -> None:
        self.owner = Owner("h", "c1", Limits(park_after_ms=1_000, dedupe_margin_ms=100))
        found = {MID: (0, effects)} if effects else {}
        self.owner.begin(Loaded([(0, 2)], {LOG: 0}, {FORMER: 9}, (), NOW // 600_000, found), NOW)
        self.rows = 0
        if live:
            self.owner.go({0})
            self.owner.ask(NOW)

    def out(self) -> list[object]:
        commands, self.owner.out = self.owner.out, []
        return list(commands)

    def read(self, row: int, *records: Record) -> None:
        self.owner.row_available(LOG, row, list(records))
        self.owner.ask(NOW)

    def stands(self, record: Record, now_ms: int = NOW) -> Place:
        self.rows += 1
        place = Place(EFFECTS, self.rows, 0)
        self.owner.effect_durable(place, record, now_ms)  # type: ignore[arg-type]
        self.owner.ask(now_ms)
        return place

    def offered(self) -> Msg:
        """Read, looked up, noted, offered."""
        self.read(1, message())
        (lookup,) = self.out()
        assert isinstance(lookup, Lookup)
        self.owner.looked_up([MID], {}, NOW)
        (note,) = self.out()
        assert isinstance(note, WriteByIds)
        self.owner.noted(note.token[1], NOW)
        (offer,) = self.out()
        assert isinstance(offer, Offer)
        return offer.msg

    def called(self, dedupe_ms: int = 0) -> tuple[Msg, str]:
        """A call under way."""
        msg = self.offered()
        assert self.owner.intend(msg, "acc", "key", dedupe_ms, NOW)
        (write,) = self.out()
        assert isinstance(write, WriteEffect)
        self.stands(write.record)
        (call,) = self.out()
        assert isinstance(call, MakeCall)
        return msg, call.attempt

    def answered(self, msg: Msg, attempt: str, kind: str, now_ms: int = NOW) -> None:
        self.owner.settled(msg, Outcome(MID, 0, attempt, kind, "", "", "", now_ms))
        (write,) = self.out()
        assert isinstance(write, WriteEffect)
        self.stands(write.record, now_ms)


def test_what_former_owners_left_is_looked_up_only_after_the_first_floor() -> None:
    rig = Rig([(Place(FORMER, 3, 0), intent())], live=False)
    rig.owner.ask(NOW)
    assert rig.out() == []
    rig.owner.go({0})
    rig.owner.ask(NOW)
    assert rig.out() == [Lookup([MID])]


def test_the_body_that_an_intent_fixed_replaces_the_copy_that_was_read() -> None:
    rig = Rig()
    rig.read(1, message(b"B"))
    rig.out()
    effect = Place(FORMER, 3, 0)
    known = ById(b"A", "sending", False, Place(LOG, 7, 0), (effect,))
    rig.owner.looked_up([MID], {MID: ByIdRow("", MID, 1, encode(known))}, NOW)
    (revive,) = rig.out()
    assert isinstance(revive, Revive)
    fixing = Intent(
        MID, 0, 1, Place(LOG, 7, 0), b"A", "acc", "", 0, NOW, False, NOW + 9, 0, NOW
    )  # fmt: skip
    rig.owner.revived(MID, revive.row, [(effect, fixing)], NOW)
    (content,) = rig.out()
    assert isinstance(content, Revive)
    assert content.places == [Place(LOG, 7, 0)]
    rig.owner.revived(MID, content.row, [(Place(LOG, 7, 0), message(b"A"))], NOW)
    assert rig.out() == [ReadEventsAgain([MID])]
    msg = rig.owner.msgs[MID]
    assert msg.message == message(b"A")
    assert (msg.accept, msg.conflicts) == (Place(LOG, 7, 0), [Place(LOG, 1, 0)])


def park(rig: Rig) -> Msg:
    msg, attempt = rig.called()
    rig.answered(msg, attempt, "retryable")
    (refused,) = rig.out()
    assert isinstance(refused, Refused)
    rig.owner.later(msg, NOW + 50_000, NOW)
    rig.owner.tick(NOW)
    (entry,) = rig.out()
    assert isinstance(entry, WriteOpen)
    return msg


def test_records_that_were_asked_for_before_a_message_left_do_not_bring_it_back() -> None:
    rig = Rig()
    rig.read(1, message())
    rig.out()
    effect = Place(FORMER, 3, 0)
    known = ById(b"A", "sending", False, Place(LOG, 1, 0), (effect,))
    rig.owner.looked_up([MID], {MID: ByIdRow("", MID, 1, encode(known))}, NOW)
    (revive,) = rig.out()
    assert isinstance(revive, Revive)
    ended = ById(b"A", "sent", True, Place(LOG, 1, 0), (effect,))
    rig.owner.looked_up([MID], {MID: ByIdRow("", MID, 2, encode(ended))}, NOW)
    assert MID not in rig.owner.msgs
    rig.owner.revived(MID, revive.row, [(effect, intent())], NOW)
    assert (rig.owner.find(MID), rig.out()) == (None, [])


def test_a_parked_message_leaves_the_memory_and_lets_its_rows_go() -> None:
    rig = Rig()
    msg = park(rig)
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].accept == {LOG: 0}
    rig.owner.open_durable([msg])
    rig.out()
    rig.owner.parked(msg)
    assert MID not in rig.owner.msgs
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].accept == {LOG: 1}


def test_parked_while_the_open_set_is_read_past_its_time_it_stays_and_holds_the_bucket() -> None:
    rig = Rig()
    msg = park(rig)
    far_ms = 600_000 * 4
    (want,) = rig.owner.due_wants(NOW, far_ms)
    rig.owner.due_rows([])
    rig.owner.due_done(want, (want.until_ms, "\x7f"))
    rig.owner.open_durable([msg])
    rig.out()
    rig.owner.parked(msg)
    assert msg.phase is Phase.WAITING
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].due == msg.due_ms // 600_000


def test_a_late_answer_while_it_is_parked_keeps_it_in_memory() -> None:
    rig = Rig()
    msg = park(rig)
    rig.owner.open_durable([msg])
    rig.stands(Outcome(MID, 0, "c0-n0-1-0", "permanent", "", "", "", NOW))
    rig.out()
    rig.owner.parked(msg)
    assert MID in rig.owner.msgs
    assert rig.owner.floor_parts({EFFECTS: rig.rows})[0].effect[EFFECTS] == 0


def test_a_key_that_the_provider_may_have_forgotten_is_not_repeated() -> None:
    rig = Rig()
    msg, attempt = rig.called(dedupe_ms=5_000)
    rig.answered(msg, attempt, "unknown")
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW + 1_000)
    (offer,) = rig.out()
    assert isinstance(offer, Offer)
    assert msg.repeat is not None
    assert not rig.owner.intend(msg, "acc", "key", 5_000, NOW + 4_900)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW + 4_900)
    assert rig.owner.intend(msg, "acc", "other key", 5_000, NOW + 4_900)
    write = rig.out()[-1]
    assert isinstance(write, WriteEffect)
    assert isinstance(write.record, Intent)
    assert (write.record.resend, write.record.names) == (1, (attempt,))


def test_an_answer_to_an_earlier_call_does_not_settle_the_one_under_way() -> None:
    rig = Rig()
    msg, first = rig.called()
    rig.answered(msg, first, "unknown")
    rig.out()
    rig.owner.events_read([MID], NOW)
    rig.out()
    assert rig.owner.intend(msg, "acc", "", 0, NOW)
    (write,) = rig.out()
    assert isinstance(write, WriteEffect)
    place = rig.stands(write.record)
    second = attempt_name(place.log, place.row, place.index)
    rig.out()
    rig.answered(msg, first, "permanent")
    assert msg.phase is Phase.CALLING
    assert list(msg.unsettled) == [second]
    assert rig.owner.may_call(msg, second, NOW)
    rig.answered(msg, second, "retryable")
    assert [type(command) for command in rig.out()] == [Refused]


def test_a_refusal_that_comes_after_another_answer_changes_nothing() -> None:
    rig = Rig()
    msg, attempt = rig.called()
    rig.answered(msg, attempt, "retryable")
    rig.stands(Outcome(MID, 0, "c0-n0-1-0", "accepted", "p1", "", "", NOW))
    assert msg.phase is Phase.ENDED
    rig.owner.later(msg, NOW, NOW)
    rig.owner.give_up(msg, "failed", "permanent", "", NOW)
    assert (msg.phase, msg.state) == (Phase.ENDED, "sent")


def test_the_last_floor_of_a_shard_that_was_given_up_stays() -> None:
    rig = Rig()
    rig.read(1, message())
    before = rig.owner.floor_parts({EFFECTS: 0})
    rig.owner.lose({0})
    assert rig.owner.floor_parts({EFFECTS: 5}) == before
    rig.owner.begin(Loaded([(0, 4)], {LOG: 1}, {}, (), 1, {}), NOW)
    assert [part.shards for part in rig.owner.floor_parts({EFFECTS: 5})] == [((0, 4),)]


def test_a_second_look_up_does_not_decide_before_the_content_is_here() -> None:
    """A receipt and a copy with another body come together; both look the message up."""
    rig = Rig()
    effect, first = Place(FORMER, 3, 0), Place(LOG, 7, 0)
    fixing = msgspec.structs.replace(intent(), accept=first)
    attempt = attempt_name(effect.log, effect.row, effect.index)
    rig.read(1, Receipt(MID, 0, attempt, "acc", "p1", "failed", "", "", NOW))
    rig.read(1)
    rig.read(2, message(b"B"))
    asked = [command for command in rig.out() if isinstance(command, Lookup)]
    assert [command.ids for command in asked] == [[MID], [MID]]
    known = encode(ById(b"A", "sent", False, first, (effect,)))
    for _ in asked:
        rig.owner.looked_up([MID], {MID: ByIdRow("", MID, 1, known)}, NOW)
    revives = [command for command in rig.out() if isinstance(command, Revive)]
    for revive in revives:
        rig.owner.revived(MID, revive.row, [(effect, fixing)], NOW)
    (content,) = rig.out()
    assert isinstance(content, Revive)
    assert content.places == [first]
    rig.owner.revived(MID, content.row, [(first, message(b"A"))], NOW)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW)
    assert rig.owner.recent[MID].message == message(b"A")


def test_an_end_of_one_who_was_owner_no_more_is_not_believed_over_a_later_intent() -> None:
    """The by-id row of epoch 1 says canceled; the owner of epoch 2 had called by then."""
    called = Place(FORMER, 9, 0)
    end = End(MID, 0, 1, Place(LOG, 1, 0), b"A", "canceled", "canceled", "", NOW)
    at = Place("effect.h.normal.c0.0", 4, 0)
    rig = Rig([(called, intent(epoch=2))])
    rig.read(1, message())
    rig.out()
    known = ById(b"A", "canceled", True, Place(LOG, 1, 0), (at,))
    rig.owner.looked_up([MID], {MID: ByIdRow("", MID, 1, encode(known))}, NOW)
    (revive,) = rig.out()
    assert isinstance(revive, Revive)
    rig.owner.revived(MID, revive.row, [(at, end)], NOW)
    msg = rig.owner.msgs[MID]
    assert (msg.state, list(msg.unsettled.values())) == ("sending", [intent(epoch=2)])


def test_events_are_read_also_while_the_content_is_out_of_reach() -> None:
    rig = Rig([(Place(FORMER, 3, 0), intent())])
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    (content,) = rig.out()
    assert isinstance(content, Revive)
    rig.owner.revived(MID, content.row, [], NOW)
    assert rig.out() == [ReadEventsAgain([MID])]


def test_a_copy_with_another_body_is_a_conflict_also_where_only_effects_are_known() -> None:
    rig = Rig([(Place(FORMER, 3, 0), intent())])
    rig.out()
    rig.read(1)
    rig.read(2, message(b"B"))
    msg = rig.owner.msgs[MID]
    assert (msg.message, msg.conflicts) == (None, [Place(LOG, 2, 0)])
    row = decode_by_id(rig.owner.by_id_row(msg).body)
    assert (row.body_hash, row.conflicts) == (b"A", (Place(LOG, 2, 0),))
