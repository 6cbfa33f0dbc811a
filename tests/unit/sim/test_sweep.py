"""Many seeds: all of them are run, in one process or several, and summed up."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from core.sim import sweep as sweeping
from core.sim.result import Violation
from core.sim.sweep import Ran, Summary, run_seed, sweep


def ran(profile: str, seed: int) -> Ran:
    """A run as a worker process can load it: each third seed fails."""
    violations = [] if seed % 3 else [Violation("lost", profile, 1.0)]
    faults = ["crash"] if seed % 2 else ["crash", "cut"]
    return Ran(seed, violations, 10, 5, 2, 1, faults, seed / 100)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_seed_is_run_once(jobs: int) -> None:
    found = sorted(sweep("p", range(20), jobs, ran), key=lambda each: each.seed)
    assert found == [ran("p", seed) for seed in range(20)]


def test_one_who_stops_early_is_not_kept_waiting_for_the_rest() -> None:
    begun: list[int] = []

    def noted(profile: str, seed: int) -> Ran:
        begun.append(seed)
        return ran(profile, seed)

    runs = sweep("p", range(20), 1, noted)
    next(runs)
    runs.close()
    assert begun == [0]


def hangs(_profile: str, _seed: int) -> Ran:
    """A run that does not end, and says that it began."""
    sys.stderr.write("begun\n")
    sys.stderr.flush()
    time.sleep(1_000)
    raise AssertionError


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_however_it_ends(number: int) -> None:
    code = "from tests.unit.sim.test_sweep import hangs, sweep; list(sweep('p', (1, 2), 2, hangs))"
    program = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert program.stderr is not None
    try:
        assert program.stderr.readline() == "begun\n"
        program.send_signal(number)
        program.communicate(timeout=30)  # they hold the other end as long as they live
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
    assert program.returncode == -number


def test_summary() -> None:
    summary = Summary("p")
    for seed in range(1, 101):
        summary.add(ran("p", seed))
    assert (summary.seeds, len(summary.failing)) == (100, 33)
    assert summary.by_checker == {"lost": 33}
    assert summary.shares() == {"crash": 1.0, "cut": 0.5}
    assert (summary.cpu_median_s, summary.cpu_p95_s) == (0.505, 0.95)
    assert summary.totals["messages"] == 1000


def test_summary_of_nothing() -> None:
    assert Summary("p").as_json()["cpu_s"] == {"median": 0.0, "p95": 0.0}


def test_seed_that_breaks_the_simulator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise KeyError("shard 3")

    monkeypatch.setattr(sweeping, "simulate", broken)
    found = run_seed("swarm", 7)
    assert found.seed == 7
    assert found.violations == [Violation("simulator_failed", "KeyError('shard 3')", 0.0)]
