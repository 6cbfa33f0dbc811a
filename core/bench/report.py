"""What a bench hands back, as a table for people and as one JSON object."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from core.bench.machine import Machine
from core.bench.measure import LEAN_BUDGET_US, Sample, Side
from core.bench.mixed.tables import Table, as_lines
from core.bench.plan import Plan
from core.bench.proc import Memory
from core.bench.stats import Bound, Figure, figure, median


class Report(Struct, frozen=True):
    """All that one bench found. `strict`: its bounds are held whether or not that was asked for."""

    bench: str
    machine: Machine
    plan: dict[str, Any]
    figures: list[Figure]
    bounds: list[Bound]
    notes: list[str]
    memory: list[Memory]
    tables: list[Table] = []
    strict: bool = False

    def failed(self) -> list[Bound]:
        """The bounds that were asked for and missed; wishes are not among them."""
        return [bound for bound in self.bounds if not bound.met and not bound.wanted]


def plan_fields(plan: Plan) -> dict[str, Any]:
    """The plan as it is printed; the folder is this machine's business."""
    return {name: value for name, value in _builtins(plan).items() if name != "folder"}


def _builtins(value: object) -> dict[str, Any]:
    built = msgspec.to_builtins(value, enc_hook=str)
    assert isinstance(built, dict)
    return built


def side_figures(side: Side, *, cycle: bool = True) -> list[Figure]:
    """The figures of one side. Without `cycle` the rate is that of the accepts."""
    samples = side.samples
    figures = []
    if cycle:
        figures.append(figure(f"{side.name}: whole cycle", "msg/s", [s.rate for s in samples]))
    if all(s.accept_rate for s in samples):
        figures += [
            figure(f"{side.name}: accepts", "req/s", [s.accept_rate for s in samples]),
            figure(f"{side.name}: accept p50", "ms", [s.accept_p50_ms for s in samples]),
            figure(f"{side.name}: accept p99", "ms", [s.accept_p99_ms for s in samples]),
        ]
    return figures + cpu_figures(side.name, samples)


def cpu_figures(name: str, samples: Sequence[Sample]) -> list[Figure]:
    """CPU per message: the sum, each role, and the lean process beside it."""
    figures = [figure(f"{name}: CPU, all processes", "us/msg", [s.cpu_total_us for s in samples])]
    figures += [
        figure(f"{name}: CPU {role}", "us/msg", [s.cpu_us[role] for s in samples])
        for role in samples[0].cpu_us
    ]
    figures.append(
        figure(f"{name}: CPU lean generator and sinks", "us/msg", [s.lean_us for s in samples])
    )
    return figures


def lean_note(sides: Sequence[Side]) -> str:
    """What the harness itself took, and whether each of its parts kept to its budget."""
    told = []
    for side in sides:
        used_us = median([s.lean_us for s in side.samples])
        each_us = used_us / side.lean_parts
        kept = "within" if each_us <= LEAN_BUDGET_US else "OVER"
        told.append(f"{side.name} {used_us:.0f} in {side.lean_parts} parts, {kept}")
    return f"lean process, us a message ({LEAN_BUDGET_US:.0f} a part allowed): {'; '.join(told)}"


def as_json(report: Report) -> bytes:
    """One object, with what was missed named at the end."""
    fields = _builtins(report)
    fields["missed"] = [bound.name for bound in report.failed()]
    return msgspec.json.encode(fields)


def as_table(report: Report) -> str:
    """Lines of at most 100 characters, figures in columns."""
    machine = report.machine
    plan = ", ".join(f"{name} {value}" for name, value in report.plan.items())
    lines = [
        f"goutong bench {report.bench}",
        f"machine: {machine.cores} cores, Python {machine.python}, {machine.kernel},"
        f" {machine.file_system}, fsync {machine.fsync_ms:.2f} ms, load {machine.load_1m:.1f}",
        f"plan: {plan}",
        "",
        f"{'figure':<52}{'unit':>8}{'n':>4}{'median':>12}{'min':>12}{'max':>12}",
    ]
    lines += [
        f"{f.name:<52}{f.unit:>8}{f.n:>4}{f.median:>12,.1f}{f.min:>12,.1f}{f.max:>12,.1f}"
        for f in report.figures
    ]
    if report.memory:
        lines += ["", f"{'memory':<40}{'pid':>10}{'resident MiB':>16}{'peak MiB':>16}"]
        lines += [
            f"{m.role:<40}{m.pid:>10}{m.resident_mib:>16.1f}{m.peak_mib:>16.1f}"
            for m in report.memory
        ]
    for table in report.tables:
        lines += ["", *as_lines(table)]
    lines.append("")
    for bound in report.bounds:
        sign = ">=" if bound.at_least else "<="
        verdict = "met" if bound.met else ("not reached (wanted)" if bound.wanted else "MISSED")
        lines.append(f"{bound.name:<52}{bound.value:>12,.2f} {sign} {bound.limit:,.2f}  {verdict}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)
