"""Run the simulator: regions in one process, under faults that a seed decides.

goutong sim --seed 7                      one run; the same seed always gives the same run
goutong sim --seed 7 --html run.html      and draw it
goutong sim --seeds 1-10000 --jobs 4      many runs, both ends included

A run that breaks a rule is made as short as possible and told. Exit code 1: a rule was broken.
"""

import argparse
import math
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.cli.out import FAILED, OK, USAGE, CommandError, json_line, line, note, table

if TYPE_CHECKING:
    from core.sim.plan import Plan
    from core.sim.result import Result
    from core.sim.sweep import Ran, Summary

_TOLD = (
    *("seed", "ok", "violations", "messages", "sent", "in_doubt", "possible_duplicates"),
    *("lost_local", "faults", "digest", "profile"),
)
_SEED_MAX = 2**63
_PROGRESS_S = 1.0
_INTERRUPTED = 130


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong sim`."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", help="one run")
    which.add_argument("--seeds", metavar="A-B", help="all runs from A to B")
    option = parser.add_argument
    option("--profile", help="a mixture of faults; the first one if not said")
    option("--steps", action="store_true", help="show what is scheduled in the run")
    option("--html", type=Path, metavar="FILE", help="draw the run as a space-time diagram")
    option("--no-shrink", action="store_true", help="tell a failed run as it is")
    option("--jobs", type=int, metavar="J", help="processes for --seeds; one for each CPU")


def run(given: argparse.Namespace) -> int:
    """Run what was asked for."""
    if given.seeds is None:
        seed = _number(given.seed, "--seed")
        if given.jobs is not None:
            raise CommandError("--jobs goes with --seeds", code=USAGE)
        return _one(given, seed, _profile(given.profile))
    if given.steps or given.html or given.no_shrink:
        raise CommandError("--steps, --html and --no-shrink go with --seed", code=USAGE)
    return _many(given, _range(given.seeds), _profile(given.profile))


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < _SEED_MAX):
        raise CommandError(f"{name} {text}: is not a number from 0 to 2^63 - 1", code=USAGE)
    return int(text)


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    if not dash:
        raise CommandError(f"--seeds {text}: is not A-B", "For example --seeds 1-100.", USAGE)
    seeds = range(_number(first, "--seeds"), _number(last, "--seeds") + 1)
    if not seeds:
        raise CommandError(f"--seeds {text}: ends before it begins", code=USAGE)
    return seeds


def _profile(name: str | None) -> str:
    from core.sim.profiles import PROFILES  # noqa: PLC0415 - no other command needs the simulator

    if name is not None and name not in PROFILES:
        known = ", ".join(PROFILES)
        raise CommandError(f"--profile {name}: there is none", f"There are: {known}.", USAGE)
    return name or next(iter(PROFILES))


def _one(given: argparse.Namespace, seed: int, profile: str) -> int:
    from core.sim.plan import plan_of  # noqa: PLC0415
    from core.sim.run import simulate  # noqa: PLC0415
    from core.sim.shrink import shrink  # noqa: PLC0415

    plan = plan_of(seed, profile)
    result = told = simulate(plan)
    wanted = not given.json or given.html or given.steps
    if not result.ok and wanted and not given.no_shrink:
        note("A rule was broken. Looking for a shorter run that breaks it too ...")
        shrunk = shrink(plan, result, simulate)
        note(f"{len(plan.steps)} steps became {len(shrunk.plan.steps)} in {shrunk.runs} runs.")
        plan, told = shrunk.plan, shrunk.result
    if given.html:
        _draw(given.html, told)
    if given.json:
        shown = {name: getattr(result, name) for name in _TOLD}
        json_line({**shown, "steps": plan.steps} if given.steps else shown)
    else:
        _tell(given, plan, result, told)
    return OK if result.ok else FAILED


def _draw(path: Path, result: "Result") -> None:
    from core.sim.html import page  # noqa: PLC0415

    try:
        path.write_text(page(result), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", code=USAGE) from None
    note(f"Drawn: {path}")


def _tell(given: argparse.Namespace, plan: "Plan", result: "Result", told: "Result") -> None:
    from core.sim.story import story  # noqa: PLC0415

    if given.steps:
        line(f"steps: {len(plan.steps)}")
        for step in plan.steps:
            line(f"{step.at_s:9.3f}  {step.kind:<12} {_details(step)}".rstrip())
        line()
    if not result.ok:
        line(story(told))
        line()
    line(f"seed {result.seed} ({result.profile}): {'ok' if result.ok else 'a rule was broken'}")
    for name in ("messages", "sent", "in_doubt", "possible_duplicates", "lost_local"):
        line(f"  {name.replace('_', ' '):<20} {getattr(result, name)}")
    line(f"  {'digest':<20} {result.digest}")
    for kind, times in result.faults.items():
        line(f"  {kind:<20} {times}")


def _details(struct: msgspec.Struct) -> str:
    """What is set in a step beside its time and kind."""
    found = []
    for name in struct.__struct_fields__:
        value: Any = getattr(struct, name)
        if isinstance(value, msgspec.Struct):
            found.append(f"{name}({_details(value)})")
        elif value and name not in ("at_s", "kind"):
            found.append(f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value}")
    return " ".join(found)


def _many(given: argparse.Namespace, seeds: range, profile: str) -> int:
    jobs = given.jobs if given.jobs is not None else len(os.sched_getaffinity(0))
    if jobs < 1:
        raise CommandError(f"--jobs {jobs}: at least one", code=USAGE)
    from core.sim.sweep import Summary, sweep  # noqa: PLC0415

    summary, progress = Summary(profile), _Progress(len(seeds))
    stopped = False
    try:
        with closing(sweep(profile, seeds, min(jobs, len(seeds)))) as runs:
            for ran in runs:
                summary.add(ran)
                progress.told(ran, summary)
    except KeyboardInterrupt:
        stopped = True
        progress.over()
        note(f"Stopped after {summary.seeds} of {len(seeds)} seeds.")
    progress.over()
    if given.json:
        json_line(summary.as_json())
    else:
        _tell_many(summary)
    return FAILED if summary.failing else _INTERRUPTED if stopped else OK


class _Progress:
    """On standard error: each failing seed as it is found, and now and then how far it is."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._began = time.monotonic()
        self._told = -math.inf
        self._live = sys.stderr.isatty()

    def told(self, ran: "Ran", summary: "Summary") -> None:
        """One more seed was run."""
        for violation in ran.violations:
            self.over()
            note(f"seed {ran.seed}: {violation.checker}: {violation.what}")
        now = time.monotonic()
        if now - self._told >= (_PROGRESS_S if self._live else 10 * _PROGRESS_S):
            self._told = now
            pace = summary.seeds / (now - self._began)
            text = (
                f"{summary.seeds} of {self._seeds} seeds, {pace:.1f} a second, "
                f"{len(summary.failing)} failing"
            )
            if self._live:
                print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            else:
                note(text)

    def over(self) -> None:
        """Leave a clean line for what follows."""
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _tell_many(summary: "Summary") -> None:
    failing = sorted(ran.seed for ran in summary.failing)
    line(f"{summary.seeds} seeds ({summary.profile}), {len(failing)} with a violation")
    line(f"CPU a seed: {summary.cpu_median_s:.3f} s median, {summary.cpu_p95_s:.3f} s p95")
    totals = summary.totals.items()
    line(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in totals))
    if failing:
        line()
        table(summary.by_checker.most_common(), ("checker", "seeds"))
        line(f"first failing: {', '.join(map(str, failing[:10]))}")
    if shares := summary.shares():
        line()
        table(((kind, f"{share:.1%}") for kind, share in shares.items()), ("fault", "runs with it"))
