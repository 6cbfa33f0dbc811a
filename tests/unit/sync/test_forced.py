"""Epochs under force, and who may own."""

from hypothesis import given
from hypothesis import strategies as st

from sync.agreed import Refusal
from sync.forced import (
    PLAIN,
    Forced,
    Ruling,
    epoch_of,
    force_of,
    forced,
    joined,
    pause,
    paused,
    ruling,
)
from sync.store.port import ShardRow
from sync.store.shard_rows import first_rows

REGIONS = ("eu", "us", "ap")
EPOCH = st.tuples(st.integers(0, 1000), st.integers(0, 2**40 - 1))
ROWS = st.lists(
    st.builds(
        Forced,
        st.integers(1, 3),
        st.lists(st.sampled_from(REGIONS), unique=True, max_size=3).map(tuple),
        st.just(False),
    )
    | st.builds(
        Forced, st.integers(1, 3), st.sampled_from(REGIONS).map(lambda r: (r,)), st.just(True)
    ),
    max_size=6,
)


@given(EPOCH, EPOCH)
def test_epochs_are_ordered_by_the_force_number_first(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assert (epoch_of(*one) < epoch_of(*other)) == (one < other)
    assert epoch_of(0, one[1]) == one[1]
    assert force_of(epoch_of(*one)) == one[0]


def test_without_force_all_may_own() -> None:
    assert ruling([]) == PLAIN
    assert all(PLAIN.may_own(region) and not PLAIN.alone_in(region) for region in REGIONS)


def test_a_region_that_was_forced_owns_alone() -> None:
    row = forced([], "us")
    now = ruling([row])
    assert now == Ruling(1, frozenset({"us"}), alone=True)
    assert [now.may_own(region) for region in REGIONS] == [False, True, False]
    assert now.alone_in("us")
    assert not now.alone_in("eu")


def test_forcing_again_changes_nothing() -> None:
    row = forced([], "us")
    assert forced([row], "us") == row
    assert forced([row], "eu") == Forced(2, ("eu",), alone=True)


def test_regions_join_over_a_pause() -> None:
    rows = [forced([], "us")]
    refused = joined(ruling(rows), ["eu", "us"])
    assert isinstance(refused, Refusal)
    assert refused.rule == "pause_first"
    stop = pause(rows)
    assert isinstance(stop, Forced)
    rows.append(stop)
    assert paused(rows, 2)
    assert not any(ruling(rows).may_own(region) for region in REGIONS)
    for some in (["us", "eu"], ["ap"]):
        row = joined(ruling(rows), some)
        assert isinstance(row, Forced)
        rows.append(row)
    assert ruling(rows) == Ruling(2, frozenset(REGIONS), apart=frozenset({1}))


def test_the_floors_of_a_region_that_is_alone_count_for_itself() -> None:
    rows = [Forced(1, ("us",), alone=True), Forced(2, REGIONS), Forced(3, ("eu",), alone=True)]
    assert ruling(rows[:1]).apart == frozenset()
    assert ruling(rows[:2]).apart == {1}
    assert ruling(rows).apart == {1}
    assert ruling([*rows, Forced(4, ())]).apart == {1, 3}


def test_where_nothing_was_forced_nothing_joins() -> None:
    assert isinstance(pause([]), Refusal)
    assert isinstance(joined(PLAIN, REGIONS), Refusal)


def test_two_who_forced_without_each_other_both_stop() -> None:
    rows = [Forced(1, ("eu",), alone=True), Forced(1, ("us",), alone=True)]
    assert not any(ruling(rows).may_own(region) for region in REGIONS)
    assert ruling([*rows, forced(rows, "us")]).alone_in("us")


def test_a_pause_under_a_number_that_a_region_has_is_none() -> None:
    """Joining under it would give shards to regions that another operator's region still holds."""
    rows = [Forced(2, ()), Forced(2, ("ap",), alone=True)]
    assert not paused(rows, 2)
    assert not any(ruling(rows).may_own(region) for region in REGIONS)


@given(ROWS, st.randoms(use_true_random=False), st.sampled_from(REGIONS))
def test_any_order_and_repeats_say_the_same(
    rows: list[Forced], chance: object, region: str
) -> None:
    again = [*rows, *rows[:2]]
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert ruling(again) == ruling(rows)
    assert ruling([*rows, forced(rows, region)]).alone_in(region)


@given(ROWS)
def test_at_most_one_region_is_alone(rows: list[Forced]) -> None:
    assert sum(ruling(rows).alone_in(region) for region in REGIONS) <= 1


def test_forced_rows_begin_with_nobody_above_every_plain_epoch() -> None:
    assert first_rows(2, 1) == [ShardRow(0, "", 2**40), ShardRow(1, "", 2**40)]
    assert first_rows(1) == [ShardRow(0, "", 0)]
