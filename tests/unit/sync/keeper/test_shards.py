"""What a core takes, takes up, drops and gives, and when."""

from typing import Any

import msgspec
import pytest

from sync.keeper.balance import Core, Place, candidates, order, wanted
from sync.keeper.shards import (
    Around,
    Give,
    GiveUp,
    Lose,
    Pace,
    Shards,
    Take,
    TakeUp,
    inherited_in_doubt,
)
from sync.store.port import ShardRow

PLACE = Place("eu", "eu", ("ap", "eu", "us"), {"us": 90.0, "ap": 200.0})
ME, NEAR, FAR = Core("me", "eu"), Core("near", "us"), Core("far", "ap")
NOW = Around(0.0, 4.0, [ME], {"dead"}, 0.5)


def at(now: float, **changed: Any) -> Around:
    return msgspec.structs.replace(NOW, now=now, **changed)


def shards(core: Core = ME, **pace: Any) -> Shards:
    return Shards(PLACE, core.incarnation, core.region, Pace(**pace))


def owning(*numbers: int, **pace: Any) -> Shards:
    """Core `me` with these shards, loaded at 0.0 with epoch 5."""
    made = shards(**pace)
    made.rows_seen([ShardRow(number, "me", 5) for number in numbers])
    (take_up,) = made.look(NOW)
    assert isinstance(take_up, TakeUp)
    made.taken_up(take_up, True)
    return made


def test_what_is_nobodys_or_of_the_dead_is_taken_a_few_rows_at_a_time() -> None:
    made = shards(batch_max=2)
    rows = [ShardRow(0, "", 0), ShardRow(1, "alive", 3), ShardRow(2, "dead", 3)]
    rows.append(ShardRow(3, "dead", 4))
    made.rows_seen(rows)
    takes = made.look(NOW)
    assert takes == [Take((rows[0], rows[2])), Take((rows[3],))]
    assert made.moving
    assert made.look(at(0.1)) == []  # the answers are out
    assert isinstance(takes[0], Take) and isinstance(takes[1], Take)
    made.take_answered(takes[0], [ShardRow(0, "me", 1), ShardRow(2, "me", 4)])
    made.take_answered(takes[1], [])
    assert made.look(at(0.2)) == [TakeUp(((0, 1), (2, 4))), Take((rows[3],))]


def test_a_swap_believed_lost_that_was_applied_is_taken_up() -> None:
    made = shards()
    made.rows_seen([ShardRow(0, "dead", 3)])
    (take,) = made.look(NOW)
    assert isinstance(take, Take)
    made.take_answered(take, [])
    made.rows_seen([ShardRow(0, "me", 4)])
    assert made.look(at(0.2)) == [TakeUp(((0, 4),))]


def test_what_could_not_be_loaded_is_given_again() -> None:
    made = shards()
    made.rows_seen([ShardRow(0, "me", 4)])
    (take_up,) = made.look(NOW)
    assert isinstance(take_up, TakeUp)
    assert made.look(at(0.1)) == []
    made.taken_up(take_up, False)
    assert not made.moving
    assert made.look(at(0.2)) == [take_up]


def test_a_row_read_late_neither_takes_nor_brings_back_a_shard() -> None:
    made = owning(0)
    made.rows_seen([ShardRow(0, "other", 4)])
    assert made.look(at(1.0)) == []
    made.rows_seen([ShardRow(0, "other", 6)])
    assert made.look(at(2.0)) == [Lose((0,))]
    made.rows_seen([ShardRow(0, "me", 5)])
    assert made.look(at(3.0)) == []
    assert made.held == {}


@pytest.mark.parametrize(
    "changed", [{"frozen": True}, {"right_left_s": 0.9}, {"may_own": False}], ids=str
)
def test_nothing_is_taken_or_taken_up(changed: dict[str, Any]) -> None:
    made = shards()
    made.rows_seen([ShardRow(0, "dead", 3), ShardRow(1, "me", 3)])
    assert made.look(at(9.0, **changed)) == []
    assert len(made.look(at(9.1))) == 2


def test_outside_of_the_group_nothing_is_taken() -> None:
    made = shards(Core("me", "sa"))
    made.rows_seen([ShardRow(0, "dead", 3)])
    assert made.look(at(0.0, cores=[])) == made.look(at(99.0, cores=[])) == []


def test_a_region_that_left_the_group_takes_nothing_and_gives_what_it_has() -> None:
    made = owning(0, stay_s=0.0, settle_s=0.0, return_s=0.0)
    made.rows_seen([ShardRow(1, "dead", 3)])
    made.place = Place("eu", "us", ("ap", "us"))
    cores = [ME, NEAR, FAR]
    assert made.look(at(99.0, cores=cores)) == [Give(ShardRow(0, "me", 5), "near")]
    assert made.given(0, ShardRow(0, "near", 6)) is False
    made.held.pop(0)
    assert made.look(at(199.0, cores=cores)) == []


def test_a_shard_that_was_anothers_in_between_is_taken_up_anew() -> None:
    made = owning(0)
    made.rows_seen([ShardRow(0, "me", 7)])
    assert not made.given(0, ShardRow(0, "me", 7))
    made.held.pop(0)
    assert made.look(at(1.0)) == [TakeUp(((0, 7),))]


def test_who_must_not_own_any_more_drops_all() -> None:
    made = owning(0, 1)
    assert made.look(at(1.0, may_own=False)) == [Lose((0, 1))]


def test_cores_of_the_homes_region_look_first_then_regions_by_distance() -> None:
    waited = {}
    for core in (ME, NEAR, FAR):
        made = shards(core)
        made.rows_seen([ShardRow(0, "dead", 3)])
        tenths = iter(range(1000))
        while not made.look(at(tenth := next(tenths) / 10, cores=[ME, NEAR, FAR])):
            pass
        waited[core.region] = tenth
    assert waited == {"eu": 0.0, "us": 2.3, "ap": 4.3}


def test_of_one_region_the_first_takes_and_the_second_waits_a_little() -> None:
    cores = [Core("me", "eu"), Core("you", "eu")]
    first, second = order(PLACE, cores, 0)
    for core, when in ((first, 0.0), (second, 0.75)):
        made = shards(core)
        made.rows_seen([ShardRow(0, "dead", 3)])
        if when:
            assert made.look(at(0.0, cores=cores)) == []
            assert made.look(at(when - 0.01, cores=cores)) == []
        assert len(made.look(at(when, cores=cores))) == 1


def test_one_that_drains_takes_nothing_and_gives_all_on_a_few_at_once() -> None:
    made = owning(0, 1, 2, under_way_max=2)
    made.rows_seen([ShardRow(9, "dead", 3), ShardRow(8, "me", 3)])
    drains = at(1.0, cores=[ME, NEAR, FAR], draining=True)
    commands = made.look(drains)
    assert commands == [
        TakeUp(((8, 3),)),
        Give(ShardRow(0, "me", 5), "near"),
        Give(ShardRow(1, "me", 5), "near"),
    ]
    assert not made.given(0, ShardRow(0, "near", 6))
    assert made.look(drains) == [Lose((0,)), Give(ShardRow(2, "me", 5), "near")]


def test_a_drained_region_gives_to_the_next_and_without_one_it_keeps() -> None:
    made = owning(0)
    mate = Core("mate", "eu")
    alone = at(1.0, cores=[ME, mate], drained={"eu"})
    assert made.look(alone) == []
    (give,) = made.look(at(2.0, cores=[ME, mate, FAR], drained={"eu"}))
    assert give == Give(ShardRow(0, "me", 5), "far")


def test_a_new_core_of_the_region_takes_over_from_one_that_drains() -> None:
    made = owning(0)
    made.look(at(1.0, cores=[ME, NEAR]))
    (give,) = made.look(at(100.0, cores=[ME, NEAR, Core("new", "eu")], draining=True))
    assert give == Give(ShardRow(0, "me", 5), "new")


def test_a_shard_moves_back_only_after_its_stay_and_to_a_region_seen_for_a_while() -> None:
    made = shards(NEAR, stay_s=30.0, settle_s=10.0, return_s=60.0)
    made.rows_seen([ShardRow(0, "near", 5)])
    (take_up,) = made.look(at(0.0, cores=[NEAR]))
    assert isinstance(take_up, TakeUp)
    made.taken_up(take_up, True)
    both = [ME, NEAR]
    assert made.look(at(1.0, cores=both)) == []
    assert made.look(at(55.0, cores=both)) == []
    assert made.look(at(56.0, cores=[NEAR])) == []  # gone again: the wait begins anew
    assert made.look(at(57.0, cores=both)) == []
    assert made.look(at(116.9, cores=both)) == []
    assert made.look(at(117.0, cores=both)) == [Give(ShardRow(0, "near", 5), "me")]


def test_within_a_region_the_stay_and_the_settling_count() -> None:
    mates = [ME, Core("mate", "eu")]
    theirs = next(s for s in range(99) if wanted(PLACE, mates, s) == mates[1])
    made = owning(theirs, stay_s=30.0, settle_s=10.0)
    assert made.look(at(10.0, cores=mates)) == []
    assert made.look(at(29.9, cores=mates)) == []
    assert len(made.look(at(30.0, cores=mates))) == 1
    late = owning(theirs, stay_s=30.0, settle_s=10.0)
    assert late.look(at(40.0, cores=mates)) == []
    assert late.look(at(49.9, cores=mates)) == []
    assert len(late.look(at(50.0, cores=mates))) == 1


def test_a_hand_over_given_up_goes_on_under_the_new_epoch_only() -> None:
    made = owning(0)
    drains = at(1.0, cores=[ME, NEAR], draining=True)
    made.look(drains)
    made.rows_seen([ShardRow(0, "me", 6)])  # our own retake was read before its answer came
    assert made.look(drains) == []
    assert made.given(0, ShardRow(0, "me", 6))
    assert made.held == {0: 6}


def test_a_hand_over_to_one_that_goes_away_is_given_up() -> None:
    made = owning(0)
    made.look(at(1.0, cores=[ME, NEAR, FAR], draining=True))
    assert made.look(at(2.0, cores=[ME, NEAR, FAR], draining=True)) == []
    assert made.look(at(3.0, cores=[ME, FAR], draining=True)) == [GiveUp(0)]
    assert made.given(0, ShardRow(0, "me", 6))
    again = made.look(at(4.0, cores=[ME, FAR], draining=True))
    assert again == [Give(ShardRow(0, "me", 6), "far")]


def test_a_shard_dropped_while_it_was_given_is_taken_up_and_not_resumed() -> None:
    made = owning(0)
    made.look(at(1.0, cores=[ME, NEAR], draining=True))
    assert made.look(at(2.0, cores=[ME, NEAR], may_own=False)) == [Lose((0,))]
    assert made.look(at(3.0, cores=[ME, NEAR])) == []
    assert not made.given(0, ShardRow(0, "me", 6))
    assert made.look(at(4.0)) == [TakeUp(((0, 6),))]


def test_the_silent_are_given_nothing_unless_all_are() -> None:
    quiet = Core("quiet", "eu", silent=True)
    assert candidates(PLACE, [quiet, NEAR], ()) == [NEAR]
    assert candidates(PLACE, [quiet], ()) == [quiet]
    assert candidates(PLACE, [Core("out", "sa"), NEAR], {"us"}) == []


def test_an_inherited_intent_waits_for_its_call_or_for_the_givers_end() -> None:
    assert not inherited_in_doubt(14.9, 10.0, False, 5.0, 0.25)
    assert inherited_in_doubt(15.25, 10.0, False, 5.0, 0.25)
    assert inherited_in_doubt(10.0, 10.0, True, 5.0, 0.25)
