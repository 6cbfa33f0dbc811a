"""The usual seeds run without a violation, the same each time, with faults in them."""

from collections import Counter
from functools import cache

import msgspec
import pytest

from core.sim.plan import plan_of
from core.sim.profiles import PROFILES
from core.sim.result import Result
from core.sim.run import simulate

CHUNK = 10
SEEDS = 100
FAIR_SHARE = 0.1
SEVERAL = frozenset({"cut", "cut_one_way", "isolate", "halves", "ring", "region_lost"})


@cache
def run_of(seed: int) -> Result:
    return simulate(plan_of(seed))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nothing_is_found(first: int) -> None:
    for seed in range(first, first + CHUNK):
        found = run_of(seed).violations
        assert not found, f"seed {seed}: {found}"


@pytest.mark.parametrize("seed", [3, 7])
def test_a_seed_is_a_run(seed: int) -> None:
    one, other = run_of(seed), simulate(plan_of(seed))
    assert one.digest == other.digest
    assert one.faults == other.faults
    assert one.messages == other.messages > 0


def test_another_seed_is_another_run() -> None:
    assert len({run_of(seed).digest for seed in range(CHUNK)}) == CHUNK


@pytest.mark.parametrize("kind", PROFILES["swarm"].kinds)
def test_scheduled_faults_are_in_a_fair_share_of_the_seeds(kind: str) -> None:
    plans = [plan_of(seed) for seed in range(SEEDS)]
    able = [p.seed for p in plans if kind not in SEVERAL or len(p.regions) > 1]
    occurred = [seed for seed in able if run_of(seed).faults.get(kind, 0) > 0]
    assert len(occurred) >= FAIR_SHARE * len(able)


def test_faults_of_the_store_occur() -> None:
    seeds: Counter[str] = Counter()
    for seed in range(SEEDS):
        seeds.update(kind for kind, times in run_of(seed).faults.items() if times)
    for kind in ("write lost", "write unheard", "write late", "swap lost", "swap late"):
        assert seeds[kind] >= FAIR_SHARE * SEEDS, kind


@pytest.mark.timeout(60)
def test_clocks_outside_of_epsilon_break_the_promise_and_it_is_noticed() -> None:
    """With the same faults, and clocks within it, nothing is broken."""
    outside = (plan_of(seed, "clocks_outside") for seed in range(SEEDS))
    broken = next(plan for plan in outside if simulate(plan).violations)
    assert not simulate(msgspec.structs.replace(broken, drift=0.01)).violations


@pytest.mark.timeout(60)
def test_rows_that_stand_alone_are_asked_for_and_written_again() -> None:
    results = [simulate(plan_of(seed, "alone")) for seed in range(CHUNK)]
    assert not any(result.violations for result in results)
    assert sum(result.faults["write alone"] for result in results) > CHUNK
    assert all(result.faults["rows asked"] for result in results)
    assert sum(result.faults.get("rows written again", 0) for result in results) > CHUNK


def test_runs_do_what_they_are_about() -> None:
    results = [run_of(seed) for seed in range(SEEDS)]
    assert sum(result.sent for result in results) > 3 * SEEDS
    assert sum(result.in_doubt for result in results) > SEEDS // 2
    assert sum(result.possible_duplicates for result in results) > SEEDS // 10
