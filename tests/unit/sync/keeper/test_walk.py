"""Keepers under any interleaving of views, lost answers and late swaps."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.keeper.balance import candidates, wanted
from tests.unit.sync.keeper.cores import PLACE, Region

SEEDS = st.integers(0, 2**32)


def walk(region: Region, steps: int) -> None:
    """Cores do single things in any order, freeze for long, and read rows as they once were."""
    random, store = region.random, region.store
    for core in region.cores:
        core.unsure = 0.3
    for _ in range(steps):
        core = random.choice(region.cores)
        if core.holder.lost:
            region.cores.remove(core)
            core = region.add(core.members.region)
            core.unsure = 0.3
        what = random.random()
        if what < 0.3:
            core.renew(region.now)
        elif what < 0.4:
            core.watch(region.now)
        elif what < 0.6:
            core.look(region.now, list(store.rows.values()))
        elif what < 0.65 and store.old_rows:
            core.look(region.now, random.choice(store.old_rows))
        elif what < 0.75:
            core.give(region.now)
        elif what < 0.8 and store.late:
            store.late.pop(random.randrange(len(store.late)))()
        elif what < 0.85:
            region.old_beats.append(core.beat())
            core.members.heard(random.choice(region.old_beats), region.now)
        elif what < 0.86:
            core.draining = not core.draining
        elif what < 0.87:
            region.now += random.choice((2.3, 3.0, 6.0))
        else:
            region.now += 0.1
        region.check()


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_no_two_ever_send_for_a_shard_at_a_time_or_under_one_epoch(seed: int) -> None:
    region = Region(seed, ["eu", "eu", "us"], 4)
    walk(region, 1000)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_after_the_faults_every_shard_is_sent_for_by_one_alive(seed: int) -> None:
    region = Region(seed, ["eu", "eu", "us"], 4)
    walk(region, 300)
    region.add("eu")
    for core in region.cores:
        core.draining = False
    region.calm(30.0)
    sent_for = Counter(s for core in region.cores for s in core.sends(region.now))
    assert sent_for == Counter(range(4))


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.lists(st.sampled_from(["eu", "us"]), min_size=1, max_size=4))
def test_the_balance_is_reached_and_then_nothing_moves(seed: int, regions: list[str]) -> None:
    region = Region(seed, regions, 8)
    region.calm(5.0)
    region.add("eu")
    region.calm(25.0)
    region.moves = 0
    region.calm(20.0)
    assert region.moves == 0
    cores = region.cores[0].members.cores(region.now)
    should = {shard: wanted(PLACE, cores, shard) for shard in range(8)}
    assert region.owners() == {s: core.incarnation for s, core in should.items() if core}


def test_a_frozen_core_loses_its_shards_only_after_lease_and_epsilon() -> None:
    region = Region(1, ["eu", "eu"], 8)
    region.calm(5.0)
    frozen, other = region.cores
    had = {s for s, owner in region.owners().items() if owner == frozen.name}
    assert had
    while had & {s for s, owner in region.owners().items() if owner == frozen.name} == had:
        assert frozen.holder.left_s(region.now) > -1.0, "it takes too long"
        region.now += 0.05
        region.turn(other)
    assert frozen.holder.left_s(region.now) <= -0.25
    region.calm(1.5, [other])
    assert set(region.owners().values()) == {other.name}
    region.turn(frozen)
    assert frozen.holder.lost
    assert frozen.sends(region.now) == {}


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sets(st.integers(0, 2), min_size=1))
def test_a_drain_never_leaves_a_shard_with_nobody(seed: int, drained: set[int]) -> None:
    region = Region(seed, ["eu", "eu", "us"], 8)
    region.calm(5.0)
    for at in drained:
        region.cores[at].draining = True
    region.calm(40.0)
    stay = {core.name for at, core in enumerate(region.cores) if at not in drained}
    owners = set(region.owners().values())
    assert owners <= (stay or {core.name for core in region.cores})
    sent_for = Counter(s for core in region.cores for s in core.sends(region.now))
    assert sent_for == Counter(range(8))
    there = candidates(PLACE, region.cores[0].members.cores(region.now), ())
    assert {core.incarnation for core in there} == stay


def test_shards_of_the_lost_region_go_back_to_it_after_a_while_and_a_few_at_once() -> None:
    region = Region(3, ["eu", "us"], 8)
    region.calm(5.0)
    us = region.cores[1]
    assert set(region.owners().values()) == {"eu0"}
    region.calm(10.0, [us])
    assert set(region.owners().values()) == {"us1"}
    back = region.add("eu")
    alive = [us, back]
    region.calm(0.75, alive)
    assert set(region.owners().values()) == {"us1"}
    region.calm(10.0, alive)
    assert set(region.owners().values()) == {back.name}
