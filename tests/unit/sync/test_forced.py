"""Epochs under force, and who may own."""

from hypothesis import given
from hypothesis import strategies as st

from sync.keeper.forced import (
    Forced,
    epoch_of,
    first_rows,
    force_of,
    may_act,
    may_own,
    next_number,
    ruling,
)
from sync.store.port import ShardRow

EPOCH = st.tuples(st.integers(0, 1000), st.integers(0, 2**40 - 1))


@given(EPOCH, EPOCH)
def test_epochs_are_ordered_by_the_force_number_first(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assert (epoch_of(*one) < epoch_of(*other)) == (one < other)
    assert epoch_of(0, one[1]) == one[1]
    assert force_of(epoch_of(*one)) == one[0]


def test_without_force_all_may_own() -> None:
    assert may_own([], "eu")
    assert next_number([]) == 1


def test_the_others_own_nothing_until_they_joined() -> None:
    rows = [Forced(1, ("us",)), Forced(2, ("eu", "ap"))]
    assert [may_own(rows, region) for region in ("eu", "ap", "us")] == [True, True, False]
    rows[1] = Forced(2, ("eu", "ap"), ("us",))
    assert may_own(rows, "us")
    assert next_number(rows) == 3


def test_two_who_forced_without_each_other_both_stop() -> None:
    rows = [Forced(1, ("eu",)), Forced(1, ("us",))]
    assert not may_own(rows, "eu")
    assert not may_own(rows, "us")
    assert may_own([*rows, Forced(2, ("us",))], "us")
    same = [Forced(1, ("eu", "ap")), Forced(1, ("ap", "eu"), ("us",))]
    assert ruling(same).regions == {"eu", "ap", "us"}


def test_forced_rows_begin_with_nobody_above_every_plain_epoch() -> None:
    rows = first_rows(2, 1)
    assert rows == [ShardRow(0, "", 2**40), ShardRow(1, "", 2**40)]


def test_one_whose_right_lapsed_reads_the_forced_rows_first() -> None:
    assert may_act(None, None)
    assert not may_act(10.0, None)
    assert not may_act(10.0, 9.9)
    assert may_act(10.0, 10.0)
