"""`python -m tests.support.sim_coverage`: how much of the protocol's code the simulator gets to.

Seeds of every profile that keeps its promises run under coverage.py, each profile in a process of
its own, and nothing else is counted: no unit test. Shown are the branches of the machines in
`sync/`; the stores are left out, since the simulator has its own. What is not reached in a module
below 95 % needs a reason in `sim_coverage.toml`, beside this file; a reason for what was reached is
wrong too. Exit code 1 for either, for less than 95 % in total, and for a run that broke a rule.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from core.sim.profiles import PROFILES
from tests.support.coverage_gaps import Module, module_of, problems, table

ROOT = Path(__file__).parents[2]
REASONS = Path(__file__).with_suffix(".toml")
# The runs of `clocks_outside` end where a checker finds what must be found.
MEASURED = [name for name in PROFILES if name != "clocks_outside"]
STORES = "sync/store/*"
SEEDS = 10
# Where rare orders of events come only later.
MORE_SEEDS = {
    "forced": 20,
    "given_up": 22,
    "lapses": 119,
    "late_answers": 15,
    "operators": 20,
    "returning": 24,
}
PROFILE_MAX_S = 3_600.0


def coverage(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run coverage.py in the repository's folder, so that paths in its report are short."""
    return subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_more_paths()])},
        capture_output=True,
        text=True,
        timeout=PROFILE_MAX_S,
        check=False,
    )


def _more_paths() -> list[str]:
    given = os.environ.get("PYTHONPATH", "")
    return [given] if given else []


def run_profile(profile: str, seeds: int, data_file: Path) -> str:
    """Run a profile's first seeds; "" or what went wrong."""
    ran = coverage(
        "run",
        "--branch",
        "--source=sync",
        f"--omit={STORES}",
        f"--data-file={data_file}",
        *("-m", "core.cli.main", "sim", "--jobs", "1"),
        *("--seeds", f"0-{seeds - 1}", "--profile", profile),
    )
    if ran.returncode == 0:
        return ""
    return f"{profile}: exit code {ran.returncode}: {ran.stdout[-500:]} {ran.stderr[-500:]}"


def measure(profiles: Sequence[str], seeds: int, jobs: int) -> tuple[list[Module], list[str]]:
    """The modules as the runs left them, and what went wrong in runs."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        files = [Path(folder) / profile for profile in profiles]
        wrong = []
        counts = [max(seeds, MORE_SEEDS.get(profile, 0)) for profile in profiles]
        ran = pool.map(run_profile, profiles, counts, files)
        for number, (profile, why) in enumerate(zip(profiles, ran, strict=True), 1):
            wrong += [why] * bool(why)
            print(f"{number} of {len(profiles)}: {profile}", flush=True)
        whole, report = Path(folder) / "whole", Path(folder) / "report.json"
        for step in (
            coverage("combine", f"--data-file={whole}", *(str(each) for each in files)),
            coverage("json", f"--data-file={whole}", "-o", str(report)),
        ):
            if step.returncode:
                raise SystemExit(f"coverage.py failed: {step.stdout}{step.stderr}")
        return modules_of(json.loads(report.read_text())), wrong


def modules_of(report: dict[str, dict[str, dict[str, object]]]) -> list[Module]:
    """The modules of a report that `coverage json` wrote in the repository's folder."""
    return [
        module_of(path, part, (ROOT / path).read_text()) for path, part in report["files"].items()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, tell, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each profile at least, from 0")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args(argv)
    if given.seeds < 1:
        parser.error("--seeds: at least 1")
    kept = tomllib.loads(REASONS.read_text())
    measured, wrong = measure(MEASURED, given.seeds, max(1, given.jobs))
    print(f"\n{table(measured, kept['reasons'])}\n")
    wrong += problems(measured, kept["reasons"])
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
