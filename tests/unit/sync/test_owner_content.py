"""A message known from its effects, whose content is out of reach for a while."""

import msgspec

from sync.naming import attempt_name
from sync.owner.owner import Owner
from sync.owner.state import Limits, Phase, ReadEventsAgain, Revive, WriteByIds, WriteEffect
from sync.records import (
    ById,
    Cancel,
    OpenEntry,
    Outcome,
    Place,
    Receipt,
    Record,
    decode_by_id,
    encode,
)
from sync.store.port import ByIdRow
from tests.unit.sync.test_owner import FORMER, LOG, MID, NOW, Rig, intent, message

ACCEPT, INTENT, ANSWER = Place(LOG, 1, 0), Place(FORMER, 3, 0), Place(FORMER, 4, 0)
ATTEMPT = attempt_name(FORMER, 3, 0)
SENT: list[tuple[Place, Record]] = [
    (INTENT, intent()),
    (ANSWER, Outcome(MID, 0, ATTEMPT, "accepted", "p1", "", "", NOW)),
]
IN_DOUBT = SENT[:1]


def taken(effects: list[tuple[Place, Record]], limits: Limits | None = None) -> Rig:
    """Looked up and sought once; the row with its content was not there."""
    rig = Rig(list(effects))
    if limits is not None:
        rig.owner.limits = limits
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    not_there(rig, NOW)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW)
    return rig


def not_there(rig: Rig, now_ms: int) -> None:
    """It is sought, and not found."""
    (content,) = rig.out()
    assert isinstance(content, Revive)
    assert content.places == [ACCEPT]
    rig.owner.revived(MID, content.row, [], now_ms)


def by_id_rows(owner: Owner) -> list[WriteByIds]:
    owner.seal()
    owner.flush()
    found = [command for command in owner.out if isinstance(command, WriteByIds)]
    owner.out = []
    return found


def test_what_was_sent_ends_only_with_its_content() -> None:
    rig = taken(SENT)
    assert (rig.owner.msgs[MID].phase, rig.owner.msgs[MID].state) == (Phase.STUCK, "sent")
    assert by_id_rows(rig.owner) == []
    rig.owner.sweep(NOW + 1_000)
    (content,) = rig.out()
    assert isinstance(content, Revive)
    rig.owner.revived(MID, content.row, [(ACCEPT, message())], NOW + 1_000)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW + 1_000)
    (write,) = by_id_rows(rig.owner)
    assert write.token[0][0].message == message()
    assert decode_by_id(write.rows[0].body).ended


def test_the_row_may_as_well_come_by_the_log() -> None:
    rig = taken(SENT)
    rig.read(1, message())
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW)
    assert rig.owner.recent[MID].message == message()


def test_an_entry_of_the_open_set_has_the_content_too() -> None:
    """The logs may have passed its row since that entry stood."""
    rig = taken(IN_DOUBT)
    entry = OpenEntry(message(), ACCEPT, NOW + 5, 0, 1)
    rig.owner.due_rows([(NOW // 600_000, entry)])
    rig.owner.ask(NOW)
    assert rig.out() == [ReadEventsAgain([MID])]
    rig.owner.events_read([MID], NOW)
    assert rig.owner.msgs[MID].message == message()
    assert rig.owner.msgs[MID].phase is Phase.OFFERED


def test_an_entry_of_another_copy_has_not() -> None:
    rig = taken(IN_DOUBT)
    entry = OpenEntry(message(b"B"), Place(LOG, 9, 0), NOW + 5, 0, 1)
    rig.owner.due_rows([(NOW // 600_000, entry)])
    rig.owner.ask(NOW)
    assert rig.out() == []
    assert rig.owner.msgs[MID].message is None


def test_it_is_sought_ever_more_seldom_and_never_twice_at_once() -> None:
    rig, times = taken(IN_DOUBT), []
    for second in range(1, 200):
        rig.owner.sweep(NOW + 1000 * second)
        rig.owner.sweep(NOW + 1000 * second)
        if rig.owner.out:
            not_there(rig, NOW + 1000 * second)
            times.append(second)
    assert times == [1, 2, 4, 8, 16, 32, 64, 124, 184]


def test_a_question_without_an_answer_is_not_asked_again() -> None:
    rig = taken(IN_DOUBT)
    rig.owner.sweep(NOW + 1_000)
    assert len(rig.out()) == 1
    rig.owner.sweep(NOW + 60_000)
    assert rig.out() == []


def test_it_ends_without_its_content_after_a_while() -> None:
    limits = Limits(content_wait_ms=60_000)
    rig = taken(SENT, limits)
    rig.owner.sweep(NOW + 59_999)
    rig.out()
    assert by_id_rows(rig.owner) == []
    rig.owner.sweep(NOW + 60_000)
    (write,) = by_id_rows(rig.owner)
    row = decode_by_id(write.rows[0].body)
    assert (row.state, row.ended, row.body_hash) == ("sent", True, b"A")


def test_of_too_many_the_next_ones_end_at_once() -> None:
    rig = taken(SENT, Limits(content_waits_max=0))
    (write,) = by_id_rows(rig.owner)
    assert decode_by_id(write.rows[0].body).ended


def test_a_doubt_that_expires_without_its_content_keeps_the_body_that_was_fixed() -> None:
    rig = taken(IN_DOUBT)
    over_ms = NOW + 900_000
    rig.owner.sweep(over_ms)
    end = next(each for each in rig.out() if isinstance(each, WriteEffect)).record
    assert (end.state, end.accept, end.body_hash) == ("unknown", ACCEPT, b"A")  # type: ignore[union-attr]


def test_what_is_cancelled_without_its_content_keeps_the_body_that_was_fixed() -> None:
    """Else the copy that counts would be shown as a conflict when it turns up."""
    rig = Rig([])
    rig.read(1)
    rig.read(2, Cancel(MID, 0, NOW))
    rig.out()
    row = ByIdRow("p", MID, 1, encode(ById(b"A", "accepted", False, ACCEPT)), 1)
    rig.owner.looked_up([MID], {MID: row}, NOW)
    for _ in range(2):  # once as what the row names, once as the content
        not_there(rig, NOW)
    rig.owner.ask(NOW)
    end = next(each for each in rig.out() if isinstance(each, WriteEffect)).record
    assert (end.state, end.accept, end.body_hash) == ("canceled", ACCEPT, b"A")  # type: ignore[union-attr]


def test_a_receipt_that_comes_meanwhile_counts() -> None:
    rig = taken(IN_DOUBT)
    rig.read(1, Receipt(MID, 0, ATTEMPT, "acc", "p1", "delivered", "", "", NOW))
    assert rig.owner.msgs[MID].state == "sent"
    assert rig.owner.msgs[MID].phase is Phase.STUCK
    rig.out()
    rig.read(2, msgspec.structs.replace(message(), stamp=9))
    assert rig.owner.msgs[MID].message is None  # another place: the row that counts is sought
    rig.owner.sweep(NOW + 1_000)
    (content,) = (each for each in rig.out() if isinstance(each, Revive))
    rig.owner.revived(MID, content.row, [(ACCEPT, message())], NOW + 1_000)
    rig.owner.events_read([MID], NOW + 1_000)
    assert rig.owner.recent[MID].state == "sent"
