"""`python -m tests.support.mutations_run`: a checker must miss each rule taken away.

For each mutation the seeds are run in order until one has a violation, in a worker process of its
own, so that no patch reaches another mutation. A mutation that breaks the simulator itself or a
part of the engine, or at which a run does not end, was not found by a checker: it fails, and the
table says why.
"""

import argparse
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from typing import NamedTuple

from core.sim.plan import plan_of
from core.sim.run import simulate
from tests.support.mutations import Mutation

SEEDS = 500
RUN_MAX_S = 60.0
FAILED = "machine_failed"  # an exception in a process, whose cause is the patch itself
MUTATIONS = "tests.support.mutations.catalogue"

# (seed, profile) -> the checker of the first violation, or "".
Check = Callable[[int, str], str]


class Found(NamedTuple):
    """What became of a mutation. Not found: `seed` is -1, `checker` says why."""

    mutation: str
    rule: str
    seed: int
    checker: str
    seconds: float


def check(seed: int, profile: str) -> str:
    """One run of the simulator."""
    violations = simulate(plan_of(seed, profile)).violations
    return violations[0].checker if violations else ""


def first_found(
    mutation: Mutation, seeds: Sequence[int], check: Check = check, run_max_s: float = RUN_MAX_S
) -> Found:
    """The first seed at which the mutation is found. Only for the main thread of a process."""
    began = time.monotonic()

    def found(seed: int, checker: str) -> Found:
        return Found(mutation.name, mutation.rule, seed, checker, time.monotonic() - began)

    # A run that hangs is broken off as Ctrl-C would do: asyncio lets that one through.
    former = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with mutation.patch():
            for seed in seeds:
                signal.setitimer(signal.ITIMER_REAL, run_max_s)
                try:
                    checker = check(seed, mutation.profile)
                except KeyboardInterrupt:
                    return found(-1, f"not found: seed {seed} does not end")
                except Exception as error:
                    return found(-1, f"not found: seed {seed} breaks the simulator, {error!r}")
                if checker == FAILED:
                    return found(-1, f"not found: seed {seed} breaks a part of the engine")
                if checker:
                    return found(seed, checker)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    return found(-1, f"not found in {len(seeds)} seeds")


def run_all(
    module: str, names: Sequence[str], seeds: Sequence[int], jobs: int, check: Check = check
) -> Iterator[Found]:
    """Those mutations of a module, as they are ready. When the caller stops, the workers end."""
    work = partial(_find, module, seeds, check)
    # Not tied to this process: the kernel ties to the thread that starts them, and the pool's own
    # thread, which starts the later ones, ends before they do.
    with get_context("spawn").Pool(jobs, _begin, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(work, names)


def _find(module: str, seeds: Sequence[int], check: Check, name: str) -> Found:
    return first_found(mutations_of(module)[name], seeds, check)


def mutations_of(module: str) -> dict[str, Mutation]:
    """`MUTATIONS` of a module, by name."""
    mutations: Sequence[Mutation] = import_module(module).MUTATIONS
    return {mutation.name: mutation for mutation in mutations}


def _begin() -> None:
    """A worker leaves Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def table(rows: Sequence[Found]) -> str:
    """The rows under each other, those that were not found first."""
    ordered = sorted(rows, key=lambda row: (row.seed >= 0, row.mutation))
    texts = [("mutation", "rule", "seed", "checker", "seconds")]
    texts += [
        (row.mutation, row.rule, str(row.seed) if row.seed >= 0 else "-", row.checker,
         f"{row.seconds:.1f}")
        for row in ordered
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the mutations that were asked for; 1 if one of them is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutations")
    parser.add_argument("--module", default=MUTATIONS, help="where MUTATIONS stands")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="at most so many, from 0 on")
    given = parser.parse_args(argv)
    mutations = mutations_of(given.module)
    if unknown := set(given.names) - set(mutations):
        parser.error(f"no such mutation: {', '.join(sorted(unknown))}")
    chosen = given.names or list(mutations)
    rows = []
    for row in run_all(given.module, chosen, range(given.seeds), max(1, given.jobs)):
        rows.append(row)
        print(f"{len(rows)} of {len(chosen)}: {row.mutation}: {row.checker}", flush=True)
    missed = sum(row.seed < 0 for row in rows)
    print(f"\n{table(rows)}\n\n{len(rows) - missed} of {len(rows)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
