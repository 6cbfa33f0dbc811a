"""Registers under compare-and-set: answers, answers that are lost, and swaps that come late."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest

from core.sim.checks.registers import check_registers
from core.sim.store.faults import StoreFaults
from sync.lease import Lease
from sync.store.port import ShardRow, StoreError, SwapLease, Swapped, SwapShards
from tests.unit.sim.store.stage import Stage

ONE, TWO = Lease("c1", 1, "n1", "active"), Lease("c1", 2, "n2", "active")
BEGIN, RENEW = SwapLease(None, ONE), SwapLease(ONE, TWO)
FREE = [ShardRow(shard, "", 0) for shard in range(4)]


def lease(stage: Stage, region: str = "b") -> Any:
    return stage.read(region, stage.views[region].lease("c1"))


def leases(stage: Stage) -> Any:
    return stage.read("b", stage.views["b"].leases())


def test_swaps_are_seen_everywhere_at_once() -> None:
    stage = Stage()
    assert stage.write("a", BEGIN) == Swapped(True, lease=ONE)
    assert lease(stage, "b") == ONE
    assert stage.write("c", SwapLease(None, TWO)) == Swapped(False, lease=ONE)
    assert stage.write("b", SwapShards("b", FREE[:1], "c1")) == Swapped(
        True, shards=[ShardRow(0, "c1", 1)]
    )
    assert stage.read("c", stage.views["c"].shards_of_home("b"))[0] == ShardRow(0, "c1", 1)
    assert stage.read("c", stage.views["c"].shards_of_home("a")) == FREE


def test_no_swap_and_no_serial_read_without_a_majority() -> None:
    stage = Stage()
    stage.network.isolate("a")
    assert stage.write("a", BEGIN) == "unknown"
    with pytest.raises(StoreError):
        lease(stage, "a")
    stage.network.heal()
    stage.run(5)
    assert lease(stage) is None


def test_a_majority_lost_on_the_way() -> None:
    stage = Stage()
    answers = stage.submit("a", BEGIN)
    stage.network.isolate("a")
    stage.run(3)
    assert answers == ["unknown"]
    assert stage.store.truth.lease_rows == {}


def test_a_lost_answer_leaves_it_applied_or_not() -> None:
    stood = set()
    for seed in range(12):
        stage = Stage(StoreFaults(swap_lost=1.0), seed=seed)
        assert stage.write("a", BEGIN) == "unknown"
        stood.add(lease(stage) == ONE)
    assert stood == {True, False}


def test_a_late_swap_is_executed_after_it_was_given_up_if_nothing_moved() -> None:
    outcomes = set()
    for seed in range(12):
        stage = Stage(StoreFaults(swap_late=1.0), seed=seed)
        stage.store.faulty = False
        stage.write("a", BEGIN)
        stage.store.faulty = True
        assert stage.write("a", RENEW) == "unknown"
        stage.store.faulty = False
        revoked = Lease("c1", 1, "n1", "revoked")
        answer = stage.write("b", SwapLease(ONE, revoked))
        stage.run(5)
        assert isinstance(answer, Swapped)
        assert lease(stage) == (revoked if answer.applied else TWO)
        outcomes.add(answer.applied)
    assert outcomes == {True, False}


def test_a_plain_read_may_not_show_yet_what_a_serial_read_shows() -> None:
    hidden = 0
    for seed in range(12):
        stage = Stage(StoreFaults(swap_lost=1.0), seed=seed)
        stage.store.faulty = False
        stage.write("a", BEGIN)
        stage.store.faulty = True
        stage.write("a", RENEW)
        stage.store.faulty = False
        plain, serial = leases(stage), lease(stage)
        if plain != [serial]:
            hidden += 1
            assert (plain, serial) == ([ONE], TWO)
        assert leases(stage) == [serial]
    assert hidden > 0


def test_a_swap_outlives_its_process() -> None:
    stage = Stage()
    answers = stage.submit("a", BEGIN)
    stage.processes["a"].die("gone")
    stage.run(3)
    assert answers == []
    assert lease(stage) == ONE


def contend(stage: Stage, chance: Random) -> None:
    """Three regions renew, revoke, read and take shards at once, from what they last saw."""
    seen: dict[str, Any] = dict.fromkeys("abc")
    shards = {region: list(FREE) for region in "abc"}

    def saw(region: str) -> Callable[[Any], None]:
        def take(answer: Any) -> None:
            if isinstance(answer, Swapped) and (answer.lease or not answer.shards):
                seen[region] = answer.lease
            elif isinstance(answer, Swapped) and not answer.applied:
                shards[region] = answer.shards

        return take

    for n in range(150):
        region = "abc"[chance.randrange(3)]
        view, process = stage.views[region], stage.processes[region]
        drawn = chance.random()
        if drawn < 0.5:
            swap = SwapLease(seen[region], Lease("c1", n + 1, f"n{n}", "active"))
            process.later(0.0, partial(view.submit, swap, saw(region)))
        elif drawn < 0.8:
            take = SwapShards("a", [shards[region][chance.randrange(4)]], region)
            process.later(0.0, partial(view.submit, take, saw(region)))
        else:

            async def look(v: Any = view) -> None:
                try:
                    await v.lease("c1")
                    await v.shards_of_home("a")
                except StoreError:
                    return

            process.start(look)
        stage.run(chance.uniform(0, 0.3))
    stage.run(5)


@pytest.mark.parametrize("seed", range(8))
def test_every_history_of_the_store_is_explained(seed: int) -> None:
    stage = Stage(StoreFaults(swap_lost=0.1, swap_late=0.1, read_fails=0.05), seed=seed)
    contend(stage, Random(seed))
    assert stage.store.counts["swap late"] > 3
    assert check_registers(stage.store.swaps.operations, ["a", "b"], 4) == []


def test_a_store_that_forgets_a_swap_is_found_out() -> None:
    found = 0
    for seed in range(8):
        stage = Stage(StoreFaults(), seed=seed)
        stage.run(0.1)
        stage.write("a", BEGIN)
        stage.write("a", RENEW)
        stage.store.truth.lease_rows["c1"] = ONE
        contend(stage, Random(seed))
        found += len(check_registers(stage.store.swaps.operations, ["a", "b"], 4))
    assert found == 8


def test_swaps_of_shards_that_are_held_come_later_than_the_next_ones_of_others() -> None:
    stage = Stage()
    stage.store.swaps.hold_shards(stage.processes["a"], 1.0, 2.0)
    assert stage.write("a", SwapShards("b", FREE[:2], "c1")) == "unknown"
    assert stage.write("a", BEGIN) == Swapped(True, lease=ONE)
    assert stage.write("b", SwapShards("b", FREE[:1], "c2")) == Swapped(
        True, shards=[ShardRow(0, "c2", 1)]
    )
    stage.run(3.0)
    assert stage.read("c", stage.views["c"].shards_of_home("b"))[:2] == [
        ShardRow(0, "c2", 1),
        FREE[1],
    ]


@pytest.mark.parametrize("lost", [False, True])
def test_one_that_is_hushed_hears_nothing_and_writes_on(lost: bool) -> None:
    executed = set()
    for seed in range(8):
        stage = Stage(seed=seed)
        stage.store.swaps.hush(stage.processes["a"], 5.0, lost)
        assert stage.write("a", BEGIN) == "unknown"
        with pytest.raises(StoreError):
            lease(stage, "a")
        assert stage.row("a", "effect.b.urgent.c1.0", 1) == "ok"
        executed.add(lease(stage, "b") == ONE)
    assert executed == ({False} if lost else {False, True})
