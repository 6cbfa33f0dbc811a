"""One run of one side: rate, latencies, CPU of the side's processes and of the lean process.

CPU counts from before the first request until `settle_s` after the goal, so that work written
behind (floors, by-id rows, spool files) is paid by the run that caused it. Idle work of that time
is in it too; `idle_us_per_s` says how much that is.
"""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from core.bench.lean.wire import RunResult, RunSpec
from core.bench.leanctl import Lean
from core.bench.plan import BenchError
from core.bench.proc import Process, cpu_by_role

LEAN_BUDGET_US = 50.0
IDLE_SAMPLE_S = 2.0


class Sample(Struct, frozen=True):
    """One run. `cpu_us` is per message, by role."""

    rate: float
    accept_rate: float
    accept_p50_ms: float
    accept_p99_ms: float
    cpu_us: dict[str, float]
    lean_us: float
    seen: RunResult

    @property
    def cpu_total_us(self) -> float:
        """CPU per message over all processes of the side."""
        return sum(self.cpu_us.values())


class Side(Struct):
    """One side of a comparison: its processes and how a run of it is asked for.

    `lean_parts` is how many parts the lean process plays for it: the load, a server, a sink.
    """

    name: str
    processes: Callable[[], Sequence[Process]]
    spec: Callable[[int], RunSpec]
    samples: list[Sample]
    lean_parts: int


def measure(side: Side, lean: Lean, first: int, settle_s: float) -> Sample:
    """Carry out one run of a side, its numbers from `first`; raises BenchError if it failed."""
    spec = side.spec(first)
    before = cpu_by_role(side.processes())
    seen = lean.run(spec)
    check(side.name, spec, seen)
    time.sleep(settle_s)
    after = cpu_by_role(side.processes())
    return sample(spec.count, seen, before, after)


def check(name: str, spec: RunSpec, seen: RunResult) -> None:
    """A run in which something was refused or did not arrive is no measurement."""
    if seen.refused:
        raise BenchError(f"{name} refused {seen.refused}; first answer: {seen.first_refusal}")
    if seen.error:
        raise BenchError(
            f"{name}: {seen.error}; of {spec.count}: accepted {seen.accepted}, submitted"
            f" {seen.submits}, receipts {seen.receipts} ({seen.receipts_refused} refused),"
            f" callbacks {seen.callbacks}, mails {seen.mails}, webhooks {seen.hooks}"
        )


def sample(
    count: int, seen: RunResult, before: dict[str, float], after: dict[str, float]
) -> Sample:
    """Rates and CPU per message of one run."""
    return Sample(
        rate=count / seen.reached_s,
        accept_rate=count / seen.accept_s if seen.accept_s else 0.0,
        accept_p50_ms=seen.accept_p50_ms,
        accept_p99_ms=seen.accept_p99_ms,
        cpu_us={role: 1e6 * (after[role] - before.get(role, 0.0)) / count for role in after},
        lean_us=1e6 * seen.cpu_s / count,
        seen=seen,
    )


def take_turns(
    sides: Sequence[Side], lean: Lean, runs: int, numbers: range, settle_s: float
) -> None:
    """`runs` rounds in which each side has one turn; numbers are never used twice by a side."""
    for run in range(runs):
        for side in sides:
            first = numbers.start + run * numbers.step
            side.samples.append(measure(side, lean, first, settle_s))


def idle_us_per_s(side: Side) -> float:
    """CPU that a side takes while nobody asks anything of it, microseconds a second."""
    before = sum(cpu_by_role(side.processes()).values())
    time.sleep(IDLE_SAMPLE_S)
    after = sum(cpu_by_role(side.processes()).values())
    return 1e6 * (after - before) / IDLE_SAMPLE_S
