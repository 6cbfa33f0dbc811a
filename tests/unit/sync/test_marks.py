"""How far logs may be forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from sync.owner.marks import Holds, Marks, merge_parts
from sync.records import FloorPart, Place

ACCEPT, EFFECT = "accept.h.urgent_local.c1.0", "effect.h.urgent.c1.0"


def part(
    marks: Marks, accept_read: int, effect_read: int, closed: tuple[str, ...] = ()
) -> FloorPart:
    accept = {} if ACCEPT in closed else {ACCEPT: accept_read}
    return marks.part(0, 3, accept, {EFFECT: effect_read}, closed, 7, 50_000)


def test_the_lowest_row_held_counts_for_its_shard_alone() -> None:
    holds = Holds()
    for row in (5, 3, 3):
        holds.hold(ACCEPT, 0, row)
    assert holds.lowest(ACCEPT, 0) == 3
    assert holds.lowest(ACCEPT, 1) is None
    holds.release(ACCEPT, 0, 3)
    assert holds.lowest(ACCEPT, 0) == 3
    holds.release(ACCEPT, 0, 3)
    assert holds.lowest(ACCEPT, 0) == 5
    holds.forget(0)
    assert holds.lowest(ACCEPT, 0) is None


def test_a_mark_is_the_row_before_the_lowest_one_held_or_as_far_as_was_read() -> None:
    marks = Marks()
    assert part(marks, 9, 4) == FloorPart(((0, 3),), {ACCEPT: 9}, {EFFECT: 4}, (), 7)
    marks.accept.hold(ACCEPT, 0, 6)
    marks.due.hold("due", 0, 5)
    assert part(marks, 9, 4) == FloorPart(((0, 3),), {ACCEPT: 5}, {EFFECT: 4}, (), 5)


def test_an_effect_passes_only_after_the_accept_row_that_it_names() -> None:
    marks = Marks()
    accept, effect = Place(ACCEPT, 6, 0), Place(EFFECT, 2, 0)
    marks.accept.hold(ACCEPT, 0, 6)
    marks.effect.hold(EFFECT, 0, 2)
    marks.effect_done(0, accept, effect)
    assert part(marks, 9, 4).effect == {EFFECT: 1}
    marks.accept.release(ACCEPT, 0, 6)
    found = part(marks, 9, 4)
    assert (found.accept, found.effect) == ({ACCEPT: 9}, {EFFECT: 4})


def test_an_accept_row_of_a_closed_log_lies_under_the_mark() -> None:
    marks = Marks()
    marks.effect.hold(EFFECT, 0, 2)
    marks.effect_done(0, Place(ACCEPT, 6, 0), Place(EFFECT, 2, 0))
    assert part(marks, 0, 4, (ACCEPT,)).effect == {EFFECT: 4}


def test_a_great_many_effects_pass_in_parts_and_each_floor_is_true() -> None:
    marks = Marks()
    marks.accept.hold(ACCEPT, 0, 1)
    for row in range(2, 12):
        marks.effect.hold(EFFECT, 0, row)
        marks.effect_done(0, Place(ACCEPT, row, 0), Place(EFFECT, row, 0))
    assert marks.part(0, 3, {ACCEPT: 20}, {EFFECT: 11}, (), 7, 4).effect == {EFFECT: 1}
    marks.accept.release(ACCEPT, 0, 1)
    passed = [marks.part(0, 3, {ACCEPT: 20}, {EFFECT: 11}, (), 7, 4).effect for _ in range(4)]
    assert passed == [{EFFECT: 5}, {EFFECT: 9}, {EFFECT: 11}, {EFFECT: 11}]


def test_shards_that_stand_alike_share_a_part() -> None:
    one = FloorPart(((0, 1),), {ACCEPT: 5}, {}, (), 7)
    two = FloorPart(((1, 2),), {ACCEPT: 5}, {}, (), 7)
    other = FloorPart(((2, 1),), {ACCEPT: 6}, {}, (), 7)
    assert merge_parts([one, other, two]) == [
        FloorPart(((0, 1), (1, 2)), {ACCEPT: 5}, {}, (), 7),
        other,
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=300))
def test_the_lowest_row_is_right_whatever_is_held_and_let_go(
    steps: list[tuple[bool, int]],
) -> None:
    holds, held = Holds(), []
    for lets_go, number in steps:
        if lets_go and held:
            holds.release("log", 1, held.pop(number % len(held)))
        else:
            held.append(number)
            holds.hold("log", 1, number)
        assert holds.lowest("log", 1) == min(held, default=None)
