"""The same key under several homes: one message goes on, whatever the owners' steps are like."""

from collections.abc import Iterator

from msgspec.structs import replace

from sync.naming import ids_elsewhere
from sync.owner.elsewhere import LOOK_AGAIN_MS, verdict
from sync.owner.state import LookElsewhere, Lookup, Msg, Offer, Phase, WriteByIds, WriteEffect
from sync.records import ById, Cancel, End, Place, encode
from sync.store.port import ByIdRow
from tests.unit.sync.test_owner import LOG, MID, NOW, Rig, message

REST = MID.partition("-")[2]
EARLIER, LATER = f"a-{REST}", f"z-{REST}"
OPEN = ById(b"A", "accepted", False, Place(LOG, 1, 0))
SENT = replace(OPEN, state="sent", ended=True)
GONE = replace(OPEN, state="canceled", ended=True, gave_way=True)
EARLY = ById(b"", "accepted", False, noted=True)


def row(message_id: str, known: ById) -> dict[str, ByIdRow]:
    return {message_id: ByIdRow("", message_id, 1, encode(known))}


def seeking(body: bytes = b"A") -> tuple[Rig, Msg]:
    """A message whose own by-id row stands, and which is looked for elsewhere."""
    rig = Rig()
    rig.owner.homes_of = lambda _: ("a", "h", "z")
    rig.read(1, message(body))
    rig.out()
    rig.owner.looked_up([MID], {}, NOW)
    (note,) = rig.out()
    assert isinstance(note, WriteByIds)
    rig.owner.noted(note.token[1], NOW)
    msg = rig.owner.msgs[MID]
    assert rig.out() == [LookElsewhere(msg, [EARLIER, LATER])]
    return rig, msg


def end_of(rig: Rig) -> End:
    (write,) = rig.out()
    assert isinstance(write, WriteEffect)
    assert isinstance(write.record, End)
    return write.record


def test_only_keyed_ids_have_others() -> None:
    assert ids_elsewhere(MID, ("h", "a")) == [EARLIER]
    assert ids_elsewhere("h-u0000000001aaaaaaaaaaaaaaaa", ("h", "a")) == []


def test_it_is_sent_where_there_is_none_and_looked_for_only_once() -> None:
    rig, msg = seeking()
    rig.owner.found_elsewhere(msg, {}, NOW)
    assert rig.out() == [Offer(msg)]
    rig.owner.offer(msg, NOW)
    assert rig.out() == [Offer(msg)]


def test_with_one_version_nothing_is_looked_for() -> None:
    assert Rig().offered().phase is Phase.OFFERED


def test_it_gives_way_to_one_whose_home_comes_first_and_its_row_says_so() -> None:
    rig, msg = seeking()
    rig.owner.found_elsewhere(msg, row(EARLIER, OPEN), NOW)
    end = end_of(rig)
    assert (end.state, end.reason) == ("canceled", "same_key_elsewhere")
    assert EARLIER in end.detail
    rig.stands(end)
    assert rig.owner.by_id_row(msg).body == encode(
        replace(GONE, effects=(Place("effect.h.normal.c1.0", 1, 0),))
    )


def test_another_body_under_the_key_is_a_conflict() -> None:
    rig, msg = seeking(b"B")
    rig.owner.found_elsewhere(msg, row(EARLIER, OPEN), NOW)
    assert end_of(rig).reason == "idempotency_conflict"


def test_it_gives_way_to_one_that_has_an_end_wherever_that_is() -> None:
    rig, msg = seeking()
    rig.owner.found_elsewhere(msg, row(LATER, SENT), NOW)
    assert end_of(rig).reason == "same_key_elsewhere"


def test_it_waits_for_one_whose_home_comes_later_until_that_gave_way() -> None:
    rig, msg = seeking()
    rig.owner.found_elsewhere(msg, row(LATER, OPEN), NOW)
    assert rig.out() == []
    rig.owner.tick(NOW + LOOK_AGAIN_MS - 1)
    assert rig.out() == []
    rig.owner.tick(NOW + LOOK_AGAIN_MS)
    assert rig.out() == [LookElsewhere(msg, [EARLIER, LATER])]
    rig.owner.found_elsewhere(msg, row(LATER, GONE), NOW + LOOK_AGAIN_MS)
    assert rig.out() == [Offer(msg)]


def test_what_came_early_for_another_id_is_no_message() -> None:
    rig, msg = seeking()
    rig.owner.found_elsewhere(msg, row(EARLIER, EARLY) | row(LATER, EARLY), NOW)
    assert rig.out() == [Offer(msg)]


def test_a_row_with_what_came_early_is_written_again_for_others_to_see() -> None:
    rig = Rig()
    rig.owner.homes_of = lambda _: ("a", "h")
    rig.read(1, message())
    rig.out()
    rig.owner.looked_up([MID], row(MID, replace(EARLY, noted=False)), NOW)
    (note,) = rig.out()
    assert isinstance(note, WriteByIds)
    assert note.rows[0].body == encode(OPEN)


def test_an_answer_that_comes_when_the_shard_is_lost_changes_nothing() -> None:
    rig, msg = seeking()
    rig.owner.lose({0})
    rig.owner.found_elsewhere(msg, {}, NOW)
    assert rig.out() == []


def test_a_cancel_that_comes_meanwhile_is_heeded() -> None:
    rig, msg = seeking()
    rig.read(2, Cancel(MID, 0, NOW))
    assert not any(isinstance(one, Lookup) for one in rig.out())
    rig.owner.found_elsewhere(msg, {}, NOW)
    assert end_of(rig).reason == "canceled"


# All orders in which owners of three homes can write, look and act

IDS = (EARLIER, MID, LATER)
State = tuple[tuple[str, ById | None], ...]  # of each id: what its owner does next, its row


def test_whatever_the_order_exactly_one_goes_on() -> None:
    todo: list[State] = [tuple(("write", None) for _ in IDS)]
    seen: set[bytes] = set()
    ends = 0
    while todo:
        state = todo.pop()
        key = encode(state)
        if key not in seen:
            seen.add(key)
            following = list(after(state))
            todo += following
            going = sum(1 for _, known in state if known is not None and known.state == "sent")
            assert going <= 1
            if all(step == "done" for step, _ in state):
                ends += 1
                assert going == 1
            else:
                assert any(one != state for one in following)  # somebody can go on
    assert ends > 1


def after(state: State) -> Iterator[State]:
    """What one more step of one owner leads to."""
    for at, (step, _) in enumerate(state):
        if step != "done":
            yield (*state[:at], acted(state, at), *state[at + 1 :])


def acted(state: State, at: int) -> tuple[str, ById | None]:
    step, known = state[at]
    if step == "write":
        return "look", OPEN
    if step == "look":
        rows = {IDS[i]: one for i, (_, one) in enumerate(state) if i != at and one is not None}
        then = verdict(IDS[at].partition("-")[0], rows).then
        return ("look" if then == "wait" else then), known
    return "done", SENT if step == "free" else GONE
