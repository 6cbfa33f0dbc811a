"""Copies of a message with the same body and other times: which of them its owner goes by."""

import msgspec
import pytest

from sync.owner.state import Offer, Phase, ReadEventsAgain, Revive, WriteEffect
from sync.records import ById, End, Intent, Message, OpenEntry, Place, Receipt, Record, encode
from sync.store.port import ByIdRow
from tests.unit.sync.test_owner import FORMER, LOG, MID, NOW, Rig, intent, message

NAMED, OTHER = Place("accept.h.normal_local.c9.0", 7, 0), Place(LOG, 1, 0)
EFFECT = Place(FORMER, 3, 0)
NAMED_EXPIRES_MS, OTHER_EXPIRES_MS = NOW + 300_000, NOW + 900_000


def copy(expires_ms: int) -> Message:
    return msgspec.structs.replace(message(), expires_ms=expires_ms)


def fixing() -> Intent:
    """An intent whose outcome is not known, and that names the copy at NAMED."""
    return msgspec.structs.replace(intent(), accept=NAMED, expires_ms=NAMED_EXPIRES_MS)


def end_of(place: Place, epoch: int) -> End:
    return End(MID, 0, epoch, place, b"A", "skipped", "escalated", "", NOW)


def looked_up(rig: Rig, known: ById, epoch: int = 1) -> None:
    rig.owner.looked_up([MID], {MID: ByIdRow("", MID, epoch, encode(known))}, NOW)


def parked_row() -> ById:
    """The by-id row of a message that waits in the open set with the copy at NAMED."""
    return ById(b"A", "queued", False, NAMED)


def asked(rig: Rig) -> Revive:
    (revive,) = rig.out()
    assert isinstance(revive, Revive)
    return revive


def answer(rig: Rig, revive: Revive, *records: tuple[Place, Record]) -> None:
    rig.owner.revived(MID, revive.row, list(records), NOW)
    rig.owner.ask(NOW)


def read_the_other(rig: Rig) -> None:
    rig.read(1, copy(OTHER_EXPIRES_MS))
    rig.out()


def goes_by(rig: Rig) -> tuple[Place | None, int]:
    msg = rig.owner.find(MID)
    assert msg is not None
    assert msg.message is not None
    return msg.accept, msg.message.expires_ms


def test_what_waits_in_the_open_set_keeps_its_times() -> None:
    rig = Rig()
    read_the_other(rig)
    looked_up(rig, parked_row())
    revive = asked(rig)
    assert revive.places == [NAMED]
    answer(rig, revive, (NAMED, copy(NAMED_EXPIRES_MS)))
    assert [type(command) for command in rig.out()] == [Offer]
    assert goes_by(rig) == (NAMED, NAMED_EXPIRES_MS)


def test_a_copy_at_hand_stands_in_for_a_row_that_is_out_of_reach() -> None:
    rig = Rig()
    read_the_other(rig)
    looked_up(rig, parked_row())
    answer(rig, asked(rig))
    again = asked(rig)
    assert again.places == [NAMED]
    answer(rig, again)
    (offer,) = rig.out()
    assert isinstance(offer, Offer)
    assert rig.owner.intend(offer.msg, "acc", "key", 0, NOW)
    (write,) = rig.out()
    assert isinstance(write, WriteEffect)
    assert isinstance(write.record, Intent)
    assert (write.record.accept, write.record.expires_ms) == (OTHER, OTHER_EXPIRES_MS)


def test_an_end_of_a_higher_epoch_than_the_by_id_row_says_which_copy_counts() -> None:
    """The row was written when the message was parked; a later owner ended another copy."""
    rig = Rig([(EFFECT, end_of(OTHER, 1))])
    rig.out()
    looked_up(rig, parked_row())
    revive = asked(rig)
    assert revive.places == [OTHER]
    answer(rig, revive, (OTHER, copy(OTHER_EXPIRES_MS)))
    assert rig.out() == [ReadEventsAgain([MID])]
    assert goes_by(rig) == (OTHER, OTHER_EXPIRES_MS)


def test_the_copy_that_an_intent_named_counts_for_its_times_too() -> None:
    rig = Rig()
    read_the_other(rig)
    looked_up(rig, ById(b"A", "sending", False, NAMED, (EFFECT,)))
    answer(rig, asked(rig), (EFFECT, fixing()))
    content = asked(rig)
    assert content.places == [NAMED]
    answer(rig, content, (NAMED, copy(NAMED_EXPIRES_MS)))
    assert rig.out() == [ReadEventsAgain([MID])]
    assert goes_by(rig) == (NAMED, NAMED_EXPIRES_MS)


def test_an_entry_of_another_copy_than_an_intent_named_waits_for_that_copy() -> None:
    rig = Rig()
    entry = OpenEntry(copy(OTHER_EXPIRES_MS), OTHER, NOW + 5, 0, 1)
    rig.owner.due_rows([(NOW // 600_000, entry)])
    rig.owner.ask(NOW)
    rig.out()
    looked_up(rig, ById(b"A", "sending", False, NAMED, (EFFECT,)))
    answer(rig, asked(rig), (EFFECT, fixing()))
    answer(rig, asked(rig), (NAMED, copy(NAMED_EXPIRES_MS)))
    assert goes_by(rig) == (NAMED, NAMED_EXPIRES_MS)


@pytest.mark.parametrize("from_the_open_set", [False, True])
def test_a_copy_that_turns_up_later_stands_in_once_the_row_was_sought_again(
    from_the_open_set: bool,
) -> None:
    rig = Rig([(EFFECT, fixing())])
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    answer(rig, asked(rig))
    rig.owner.events_read([MID], NOW)
    assert rig.owner.msgs[MID].phase is Phase.STUCK
    rig.out()
    if from_the_open_set:
        entry = OpenEntry(copy(OTHER_EXPIRES_MS), OTHER, NOW + 5, 0, 1)
        rig.owner.due_rows([(NOW // 600_000, entry)])
    else:
        rig.read(1, copy(OTHER_EXPIRES_MS))
    assert rig.owner.msgs[MID].message is None
    rig.owner.sweep(NOW + 1_000)
    answer(rig, asked(rig))
    assert rig.out() == [ReadEventsAgain([MID])]
    assert goes_by(rig) == (OTHER, OTHER_EXPIRES_MS)


def test_what_has_its_end_is_told_of_by_the_copy_that_ended() -> None:
    """A receipt and another copy turn up when the message has ended and left the memory."""
    rig = Rig()
    rig.read(1, Receipt(MID, 0, "c0-n0-3-0", "acc", "p1", "delivered", "", "", NOW))
    rig.out()
    rig.read(2, copy(OTHER_EXPIRES_MS))
    rig.out()
    ended = ById(b"A", "sent", True, NAMED, (EFFECT,))
    looked_up(rig, ended)
    revive = asked(rig)
    assert revive.places == [EFFECT, NAMED]
    answer(rig, revive, (EFFECT, fixing()), (NAMED, copy(NAMED_EXPIRES_MS)))
    rig.owner.events_read([MID], NOW)
    assert goes_by(rig) == (NAMED, NAMED_EXPIRES_MS)


def test_what_is_under_way_goes_on_with_its_copy() -> None:
    """Under a higher force number what a former owner writes turns up late, and counts."""
    rig = Rig()
    msg, attempt = rig.called()
    rig.owner.shards[0].epoch = (1 << 40) + 2
    rig.owner.late_effect(EFFECT, fixing())
    assert (msg.accept, msg.message) == (OTHER, message())
    assert attempt in msg.unsettled
