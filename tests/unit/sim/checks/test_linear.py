"""An order is found where there is one, and missed where there is none."""

from math import inf
from random import Random
from typing import Any

from core.sim.checks.linear import (
    Use,
    step_lease,
    step_replication,
    step_serving,
    step_shards,
    unexplained,
)
from sync.lease import Lease
from sync.replication import ReplicationChange, done, next_step, plan
from sync.serving import first_set
from sync.store.port import (
    ShardRow,
    SwapLease,
    Swapped,
    SwapReplication,
    SwapServing,
    SwapShards,
)


def lease(counter: int, state: Any = "active") -> Lease:
    return Lease("c1", counter, f"n{counter}", state)


def swap(invoked_s: float, answered_s: float, expect: Lease | None, new: Lease, answer: Any) -> Use:
    return Use(invoked_s, answered_s, SwapLease(expect, new), answer)


def applied(new: Lease) -> Swapped:
    return Swapped(True, lease=new)


def refused(there: Lease | None) -> Swapped:
    return Swapped(False, lease=there)


def read(invoked_s: float, answered_s: float, seen: Lease | None) -> Use:
    return Use(invoked_s, answered_s, None, (seen,))


ONE, TWO, THREE = lease(1), lease(2), lease(3)
BEGUN = swap(0, 1, None, ONE, applied(ONE))


def explained(*uses: Use) -> bool:
    return unexplained(uses, None, step_lease) is None


def test_swaps_one_after_the_other() -> None:
    assert explained(BEGUN, swap(2, 3, ONE, TWO, applied(TWO)), read(4, 5, TWO))


def test_a_read_that_goes_back_is_a_violation() -> None:
    assert not explained(BEGUN, swap(2, 3, ONE, TWO, applied(TWO)), read(4, 5, ONE))


def test_a_read_beside_a_swap_may_see_either() -> None:
    renewed = swap(2, 6, ONE, TWO, applied(TWO))
    assert explained(BEGUN, renewed, read(3, 4, ONE))
    assert explained(BEGUN, renewed, read(3, 4, TWO))
    assert explained(BEGUN, renewed, read(3, 4, ONE), read(4.5, 5, TWO))
    assert not explained(BEGUN, renewed, read(3, 4, TWO), read(4.5, 5, ONE))


def test_two_swaps_of_the_same_state_cannot_both_be_applied() -> None:
    other = Lease("c1", 1, "n1", "revoked")
    renewed = swap(2, 9, ONE, TWO, applied(TWO))
    assert not explained(BEGUN, renewed, swap(2, 9, ONE, other, applied(other)))
    assert explained(BEGUN, renewed, swap(2, 9, ONE, other, refused(TWO)))


def test_a_refusal_must_show_what_stood_there() -> None:
    assert explained(BEGUN, swap(2, 3, None, TWO, refused(ONE)))
    assert not explained(BEGUN, swap(2, 3, None, TWO, refused(None)))
    assert not explained(BEGUN, swap(2, 3, ONE, TWO, refused(ONE)))


def test_an_unknown_swap_takes_effect_late_or_never() -> None:
    lost = swap(2, inf, ONE, TWO, None)
    assert explained(BEGUN, lost, read(3, 4, ONE))
    assert explained(BEGUN, lost, read(3, 4, ONE), read(50, 51, TWO))
    assert explained(BEGUN, lost, read(3, 4, TWO))
    assert not explained(BEGUN, lost, read(3, 4, TWO), read(5, 6, ONE))
    assert not explained(BEGUN, read(1.2, 1.5, TWO), lost)


def test_a_late_swap_finds_the_register_moved_on() -> None:
    lost = swap(2, inf, ONE, TWO, None)
    moved = swap(3, 4, ONE, THREE, applied(THREE))
    assert explained(BEGUN, lost, moved, read(9, 10, THREE))
    assert not explained(BEGUN, lost, moved, read(9, 10, TWO))


def test_the_first_unexplained_use_is_named() -> None:
    bad = read(4, 5, THREE)
    failed = unexplained([BEGUN, swap(2, 3, ONE, TWO, applied(TWO)), bad], None, step_lease)
    assert failed is not None
    assert (failed.use, failed.explained) == (bad, 2)


def test_shards_given_twice_are_a_violation() -> None:
    free = [ShardRow(0, "", 0), ShardRow(1, "", 0)]
    a, b = [ShardRow(0, "a", 1)], [ShardRow(0, "b", 1)]
    first = Use(0, 1, SwapShards("h", free[:1], "a"), Swapped(True, shards=a))
    twice = Use(2, 3, SwapShards("h", free[:1], "b"), Swapped(True, shards=b))
    seen = Use(4, 5, None, ([*a, free[1]],))
    assert unexplained([first, seen], free, step_shards) is None
    assert unexplained([first, twice], free, step_shards) is not None
    refusal = Use(2, 3, twice.argument, Swapped(False, shards=[*a, free[1]]))
    assert unexplained([first, refusal, seen], free, step_shards) is None


def test_long_histories_of_a_correct_register_are_explained_and_wrong_ones_are_not() -> None:
    for seed in range(30):
        uses = history(Random(seed))
        assert unexplained(uses, None, step_lease) is None, seed
        reads = [n for n, use in enumerate(uses) if use.argument is None and use.invoked_s > 20]
        late = uses[reads[-1]]
        uses[reads[-1]] = Use(late.invoked_s, late.answered_s, None, (lease(1),))
        assert unexplained(uses, None, step_lease) is not None, seed


def history(chance: Random) -> list[Use]:
    """What a real register answers to several who use it at once, some answers lost."""
    uses: list[Use] = []
    state: Lease | None = None
    at_s, guess = 0.0, None
    for n in range(200):
        at_s += chance.uniform(0.05, 0.3)
        invoked, answered = at_s - chance.uniform(0, 1), at_s + chance.uniform(0, 1)
        asked = None if chance.random() < 0.3 else SwapLease(guess, lease(n + 2))
        state, answer = step_lease(state, asked)
        lost = asked is not None and chance.random() < 0.1
        uses.append(Use(invoked, inf if lost else answered, asked, None if lost else answer))
        guess = state if chance.random() < 0.8 else guess
    uses += [Use(at_s + 5 + n, at_s + 5.5 + n, None, (state,)) for n in range(2)]
    chance.shuffle(uses)
    return sorted(uses, key=lambda use: use.invoked_s)


def test_the_first_row_of_the_serving_regions_is_made_once() -> None:
    one, two = first_set(["h"], "n1"), first_set(["h"], "n2")
    made = Use(0, 1, SwapServing(None, one), Swapped(True, serving=one))
    refused_second = Use(0, 1, SwapServing(None, two), Swapped(False, serving=one))
    made_again = Use(2, 3, SwapServing(None, two), Swapped(True, serving=two))
    assert unexplained([made, refused_second, Use(2, 3, None, (one,))], None, step_serving) is None
    assert unexplained([made, made_again], None, step_serving) is not None
    assert unexplained([made, Use(2, 3, None, (None,))], None, step_serving) is not None


def test_a_step_of_a_change_of_replication_is_recorded_once() -> None:
    row = plan("k", {"h": 1}, {"h": 2}, "n1")
    assert isinstance(row, ReplicationChange)
    step = next_step(row)
    assert step is not None
    one, two = done(row, step, "n2"), done(row, step, "n3")
    assert isinstance(one, ReplicationChange)
    assert isinstance(two, ReplicationChange)
    made = Use(0, 1, SwapReplication(None, row), Swapped(True, replication=row))
    first = Use(2, 3, SwapReplication(row, one), Swapped(True, replication=one))
    late = Use(2, 3, SwapReplication(row, two), Swapped(False, replication=one))
    twice = Use(4, 5, SwapReplication(row, two), Swapped(True, replication=two))
    assert unexplained([made, first, late], None, step_replication) is None
    assert unexplained([made, first, twice], None, step_replication) is not None
