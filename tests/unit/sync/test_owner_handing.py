"""A shard changes hands while its owner lives: what the giver stops, what the other waits for."""

from msgspec.structs import replace

from sync.naming import attempt_name
from sync.owner.state import (
    Changed,
    Follow,
    Lookup,
    MakeCall,
    Msg,
    Offer,
    Phase,
    ReadEventsAgain,
    Revive,
    WriteByIds,
    WriteEffect,
)
from sync.owner.takeover import Loaded
from sync.records import ById, End, Intent, OpenEntry, Outcome, Place, Receipt, encode
from sync.store.port import ByIdRow
from tests.unit.sync.test_owner import FORMER, LOG, MID, NOW, Rig, intent, message

CALLS_END_MS = NOW + 1_750


def write_of(rig: Rig) -> WriteEffect:
    (write,) = rig.out()
    assert isinstance(write, WriteEffect)
    return write


def inherited(rig: Rig) -> Msg:
    """A message that the giver called for; its content is read, its events are asked for."""
    rig.owner.inherit({0}, CALLS_END_MS)
    rig.read(1, message())
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    rig.owner.ask(NOW)
    rig.out()
    rig.owner.events_read([MID], NOW)
    return rig.owner.msgs[MID]


def test_nothing_is_intended_for_a_shard_that_is_given_away() -> None:
    rig = Rig()
    msg = rig.offered()
    rig.owner.stop_sending(0)
    assert not rig.owner.intend(msg, "acc", "key", 0, NOW)
    assert rig.out() == []


def test_a_call_whose_first_byte_has_not_left_is_not_made() -> None:
    rig = Rig()
    msg, attempt = rig.called()
    assert rig.owner.may_call(msg, attempt, NOW)
    rig.owner.stop_sending(0)
    assert not rig.owner.may_call(msg, attempt, NOW)
    assert rig.owner.under_way(0)


def test_nothing_ends_while_its_shard_is_given_away() -> None:
    rig = Rig()
    msg = rig.offered()
    rig.owner.stop_sending(0)
    rig.owner.sweep(NOW + 1_000_000)
    assert rig.out() == []
    assert msg.phase is not Phase.ENDING


def test_an_end_that_came_while_the_shard_was_given_away_is_written_when_it_is_kept() -> None:
    rig = Rig()
    rig.read(1, message())
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    (note,) = rig.out()
    assert isinstance(note, WriteByIds)
    rig.owner.stop_sending(0)
    rig.owner.noted(note.token[1], NOW + 1_000_000)
    assert rig.out() == []
    rig.owner.resume(0, NOW + 1_000_000)
    assert write_of(rig).record.state == "expired"  # type: ignore[union-attr]


def test_what_waits_goes_on_under_the_new_epoch_of_a_shard_that_was_kept() -> None:
    rig = Rig()
    msg = rig.offered()
    rig.owner.stop_sending(0)
    rig.owner.rename(0, 4)
    assert not rig.owner.intend(msg, "acc", "key", 0, NOW)
    rig.owner.resume(0, NOW)
    assert rig.out() == [Offer(msg)]
    assert rig.owner.intend(msg, "acc", "key", 0, NOW)
    assert write_of(rig).record.epoch == 4  # type: ignore[union-attr]


def test_a_call_that_the_giver_may_still_hear_of_is_not_in_doubt_yet() -> None:
    rig = Rig([(Place(FORMER, 9, 0), intent())])
    rig.out()
    msg = inherited(rig)
    assert rig.out() == []
    assert msg.phase is Phase.WAITING
    rig.owner.tick(CALLS_END_MS)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], CALLS_END_MS)
    (offer,) = rig.out()
    assert offer == Offer(msg)


def test_the_givers_outcome_settles_what_was_inherited() -> None:
    rig = Rig([(Place(FORMER, 9, 0), intent())])
    rig.out()
    msg = inherited(rig)
    attempt = attempt_name(FORMER, 9, 0)
    rig.owner.former_row(FORMER, 10, [Outcome(MID, 0, attempt, "accepted", "p1", "", "", NOW)])
    rig.owner.ask(NOW)
    assert msg.phase is Phase.ENDED
    assert msg.state == "sent"


def test_an_intent_that_stands_too_late_leaves_nothing_in_doubt() -> None:
    rig = Rig()
    msg = rig.offered()
    rig.owner.former_row(FORMER, 10, [intent()])
    rig.owner.ask(NOW)
    assert not msg.unsettled
    assert rig.owner.intend(msg, "acc", "key", 0, NOW)
    assert write_of(rig).record.resend == 0  # type: ignore[union-attr]


def reopened(unsettled: tuple[tuple[Place, Intent], ...]) -> Msg:
    """A message whose entry and by-id row name a former owner's intent, back from the open set."""
    rig, effect, accept = Rig(), Place(FORMER, 10, 0), Place(LOG, 1, 0)
    entry = OpenEntry(message(), accept, NOW, 1, 2, (effect,), unsettled)
    rig.owner.due_rows([(NOW // 600_000, entry)])
    rig.owner.ask(NOW)
    rig.out()
    known = ByIdRow("", MID, 2, encode(ById(b"A", "sending", False, accept, (effect,))))
    rig.owner.looked_up([MID], {MID: known}, NOW)
    for command in rig.out():
        if isinstance(command, Revive):
            rig.owner.revived(MID, command.row, [(effect, intent())], NOW)
    return rig.owner.msgs[MID]


def test_nor_does_it_when_its_message_comes_back_from_the_open_set() -> None:
    assert not reopened(()).unsettled
    assert reopened(((Place(FORMER, 10, 0), intent()),)).unsettled


def test_no_call_follows_from_an_intent_that_was_written_before_the_shard_was_lost() -> None:
    rig = Rig()
    msg = rig.offered()
    assert rig.owner.intend(msg, "acc", "key", 0, NOW)
    write = write_of(rig)
    rig.owner.lose({0})
    rig.owner.begin(Loaded([(0, 5)], {LOG: 0}, {FORMER: 9}, (), NOW // 600_000, {}), NOW)
    rig.owner.go({0})
    rig.read(1, message())
    rig.out()
    rig.stands(write.record)
    assert not any(isinstance(command, MakeCall) for command in rig.out())
    assert not rig.owner.msgs[MID].unsettled


def test_a_note_that_stands_after_its_shard_was_lost_offers_nothing() -> None:
    rig = Rig()
    rig.read(1, message())
    (lookup,) = rig.out()
    assert isinstance(lookup, Lookup)
    rig.owner.looked_up([MID], {}, NOW)
    (note,) = rig.out()
    assert isinstance(note, WriteByIds)
    rig.owner.lose({0})
    rig.owner.noted(note.token[1], NOW)
    assert rig.out() == []


def test_an_answer_from_before_a_loss_counts_for_nothing_after_it() -> None:
    """Another owner may have sent the message since that row was looked up."""
    rig = Rig()
    rig.read(1, message())
    (before,) = rig.out()
    assert isinstance(before, Lookup)
    losses = rig.owner.losses
    assert rig.owner.kept_since(before.ids, losses) == [MID]
    rig.owner.lose({0})
    rig.owner.begin(Loaded([(0, 4)], {LOG: 0}, {FORMER: 9}, (), NOW // 600_000, {}), NOW)
    rig.owner.go({0})
    rig.read(1, message())
    (after,) = rig.out()
    assert isinstance(after, Lookup)
    rig.owner.looked_up(rig.owner.kept_since(before.ids, losses), {}, NOW)
    assert rig.out() == []
    rig.owner.looked_up(rig.owner.kept_since(after.ids, rig.owner.losses), {}, NOW)
    assert isinstance(rig.out()[0], WriteByIds)


def test_what_comes_while_a_shard_is_given_away_is_told_only_if_it_is_kept() -> None:
    """The next owner may already have read more, and told it."""
    rig = Rig()
    msg, attempt = rig.called()
    rig.owner.stop_sending(0)
    rig.answered(msg, attempt, "accepted")
    held = [each for each in rig.out() if isinstance(each, Changed)]
    assert [each.held for each in held] == [True]
    rig.owner.rename(0, 4)
    rig.owner.resume(0, NOW)
    (told,) = [each for each in rig.out() if isinstance(each, Changed)]
    assert (told.msg.state, told.held) == ("sent", False)


def test_what_another_owner_sent_is_not_followed_while_the_shard_is_given_away() -> None:
    """The one who has it by now sent the message; of its evidence only a part was read."""
    rig = Rig()
    rig.read(1, replace(message(), until="seen", escalate_at_ms=NOW + 100))
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    (note,) = rig.out()
    assert isinstance(note, WriteByIds)
    rig.owner.noted(note.token[1], NOW)
    rig.out()
    rig.owner.stop_sending(0)
    receipt = Receipt(MID, 0, "c2-0-1-0", "acc", "p1", "delivered", "", "", NOW)
    rig.owner.row_available(LOG, 2, [receipt])
    rig.owner.ask(NOW + 200)
    assert not any(isinstance(each, Follow | ReadEventsAgain) for each in rig.out())
    rig.owner.rename(0, 4)
    rig.owner.resume(0, NOW + 200)
    assert ReadEventsAgain([MID]) in rig.out()
    rig.owner.events_read([MID], NOW + 200)
    assert any(isinstance(each, Follow) for each in rig.out())


def test_a_former_owners_end_that_stood_too_late_does_not_settle_a_doubt() -> None:
    rig = Rig()
    msg, attempt = rig.called()
    expired = End(MID, 0, 1, Place(LOG, 1, 0), b"A", "expired", "expired", "", NOW)
    rig.owner.former_row(FORMER, 10, [expired])
    rig.owner.ask(NOW)
    rig.answered(msg, attempt, "unknown")
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW)
    assert msg.phase is not Phase.ENDED
    assert msg.state == "sending"
