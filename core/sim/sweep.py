"""Many seeds: run them in several processes, and say what they came to.

Results come as they are ready, in no order. When the one who iterates stops, by Ctrl-C too, no
further seed is begun and the worker processes end. A seed at which the simulator itself fails is
told as a violation of the checker `simulator_failed`, so that the seed is not lost.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil
from multiprocessing import get_context
from statistics import median

from msgspec import Struct

from core.sim.plan import plan_of
from core.sim.result import Violation
from core.sim.run import simulate
from core.supervisor.tether import tie

BROKEN = "simulator_failed"
SEEDS_A_WORKER = 250  # then new ones go on: what runs leave in memory must not add up


class Ran(Struct, frozen=True):
    """What one seed came to, without its trace. `faults` are the kinds that occurred."""

    seed: int
    violations: list[Violation]
    messages: int
    sent: int
    in_doubt: int
    possible_duplicates: int
    faults: list[str]
    cpu_s: float


def run_seed(profile: str, seed: int) -> Ran:
    """One seed."""
    began = time.process_time()
    try:
        found = simulate(plan_of(seed, profile))
    except Exception as error:
        broken = Violation(BROKEN, repr(error), 0.0)
        return Ran(seed, [broken], 0, 0, 0, 0, [], time.process_time() - began)
    return Ran(
        seed,
        found.violations,
        found.messages,
        found.sent,
        found.in_doubt,
        found.possible_duplicates,
        [kind for kind, times in found.faults.items() if times],
        time.process_time() - began,
    )


def sweep(
    profile: str,
    seeds: Sequence[int],
    jobs: int,
    run: Callable[[str, int], Ran] = run_seed,
) -> Generator[Ran, None, None]:
    """Run the seeds in `jobs` processes; one job runs them in this one. Main thread only.

    The workers end with this process, however it ends.
    """
    if jobs == 1:
        yield from (run(profile, seed) for seed in seeds)
        return
    at_once = jobs * SEEDS_A_WORKER
    for first in range(0, len(seeds), at_once):
        with _workers_deaf_to_ctrl_c():
            pool = get_context("spawn").Pool(jobs, tie, (os.getpid(), signal.SIGKILL))
        with pool:  # its end terminates the workers
            yield from pool.imap_unordered(partial(run, profile), seeds[first : first + at_once])


@contextmanager
def _workers_deaf_to_ctrl_c() -> Iterator[None]:
    """Workers started now ignore SIGINT, from their first moment: their parent ends them."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


class Summary:
    """What the seeds that were run have in common."""

    def __init__(self, profile: str) -> None:
        self.profile = profile
        self.failing: list[Ran] = []
        self.by_checker: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self._runs_with: Counter[str] = Counter()
        self._cpu_s: list[float] = []

    def add(self, ran: Ran) -> None:
        """One more seed."""
        self._cpu_s.append(ran.cpu_s)
        self._runs_with.update(ran.faults)
        for name in ("messages", "sent", "in_doubt", "possible_duplicates"):
            self.totals[name] += getattr(ran, name)
        if ran.violations:
            self.failing.append(ran)
            self.by_checker.update({violation.checker for violation in ran.violations})

    @property
    def seeds(self) -> int:
        """How many were run."""
        return len(self._cpu_s)

    @property
    def cpu_median_s(self) -> float:
        """CPU seconds of the seed in the middle."""
        return median(self._cpu_s) if self._cpu_s else 0.0

    @property
    def cpu_p95_s(self) -> float:
        """CPU seconds that 95 of 100 seeds stay within."""
        return sorted(self._cpu_s)[ceil(0.95 * self.seeds) - 1] if self._cpu_s else 0.0

    def shares(self) -> dict[str, float]:
        """For each kind of fault the share of runs in which it occurred, frequent ones first."""
        ordered = sorted(self._runs_with.items(), key=lambda each: (-each[1], each[0]))
        return {kind: round(runs / self.seeds, 4) for kind, runs in ordered}

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        failing = sorted(self.failing, key=lambda ran: ran.seed)
        return {
            "seeds": self.seeds,
            "ok": not failing,
            "violations": dict(sorted(self.by_checker.items())),
            "failing": [{"seed": ran.seed, "violations": ran.violations} for ran in failing],
            **self.totals,
            "faults": self.shares(),
            "cpu_s": {"median": round(self.cpu_median_s, 3), "p95": round(self.cpu_p95_s, 3)},
            "profile": self.profile,
        }
