"""What a measurement of branches left out, named by its code, and whether each gap has a reason.

A gap is named by its function and the text of its code, so that a name outlives changes elsewhere
in the file: `Holder.failed: self._asked = None` is a run of lines that were never reached, by its
first one; `Holder.failed: if late: -> return` a jump that was never taken between two lines that
were reached. Pure: the report of `coverage json`, sources and reasons come in.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

WANTED_PERCENT = 95.0
TEXT_MAX = 90
LEAVES = "(leaves)"
COMMENT = re.compile(r"  # .*$")  # behind code, where the formatter puts it

# A module's path -> a gap's name -> why nothing gets there.
Reasons = Mapping[str, Mapping[str, str]]


class Module(NamedTuple):
    """What was measured of a module. `missing` names every line and jump that was not reached,
    `gaps` those of them that need a reason."""

    path: str
    branches: int
    covered: int
    gaps: tuple[str, ...]
    missing: frozenset[str]

    @property
    def percent(self) -> float:
        """Of its branches; all of it where it has none."""
        return 100 * self.covered / self.branches if self.branches else 100.0


class Code:
    """A module's source: which function a line belongs to, and how its statement reads."""

    def __init__(self, source: str) -> None:
        self._lines = [COMMENT.sub("", line) for line in source.splitlines()]
        self._texts: dict[int, str] = {}
        self._functions: dict[int, str] = {}
        self._walk(ast.parse(source), "")

    def _walk(self, node: ast.AST, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                self._texts.setdefault(child.lineno, self._text(child))
                self._functions[child.lineno] = within
            elif isinstance(child, ast.match_case):
                self._texts.setdefault(child.pattern.lineno, self._text(child))
                self._functions[child.pattern.lineno] = within
            inner = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{within}.{child.name}" if within else child.name
            self._walk(child, inner)

    def _text(self, node: ast.stmt | ast.ExceptHandler | ast.match_case) -> str:
        """The statement in one line; of a block what stands before its body."""
        first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
        body: Sequence[ast.stmt] = getattr(node, "body", ())
        last = body[0].lineno - 1 if body else getattr(node, "end_lineno", first)
        text = " ".join(" ".join(self._lines[first - 1 : max(first, last)]).split())
        return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}..."

    def function(self, line: int) -> str:
        """The function or class that a statement stands in, "" at the top of the module."""
        return self._functions.get(line, "")

    def text(self, line: int) -> str:
        """How the statement that begins there reads."""
        return self._texts.get(line, f"line {line}")

    def name(self, line: int) -> str:
        """A line's name."""
        return f"{self.function(line)}: {self.text(line)}"


def module_of(path: str, report: Mapping[str, Any], source: str) -> Module:
    """A module from its part of the report that `coverage json` writes."""
    summary, code = report["summary"], Code(source)
    missing = set(report["missing_lines"])
    gaps = dict.fromkeys(_runs(code, missing, report["executed_lines"]))
    names = {code.name(line) for line in missing}
    for line, target in report["missing_branches"]:
        jump = f"{code.name(line)} -> {code.text(target) if target > 0 else LEAVES}"
        names.add(jump)
        if line not in missing and target not in missing:
            gaps[jump] = None
    branches, covered = summary["num_branches"], summary["covered_branches"]
    return Module(path, branches, covered, tuple(gaps), frozenset(names))


def _runs(code: Code, missing: set[int], executed: Iterable[int]) -> Iterator[str]:
    """Each run of missing lines within one function, by its first line."""
    before = ""
    for line in sorted(missing | set(executed)):
        function = code.function(line) if line in missing else ""
        if line in missing and function != before:
            yield code.name(line)
        before = function


def total_percent(modules: Iterable[Module]) -> float:
    """Of all branches of these modules."""
    counted = list(modules)
    branches, covered = sum(one.branches for one in counted), sum(one.covered for one in counted)
    return Module("", branches, covered, (), frozenset()).percent


def problems(modules: Sequence[Module], reasons: Reasons) -> list[str]:
    """What is wrong: too little in total, a gap without a reason, a reason without a gap.

    A module with enough of its branches covered needs no reasons; those that it has must hold.
    """
    found = []
    total = total_percent(modules)
    if total < WANTED_PERCENT:
        found.append(f"{total:.1f} % of the branches are covered, {WANTED_PERCENT:g} % are wanted")
    for module in modules:
        if module.percent < WANTED_PERCENT:
            given = reasons.get(module.path, {})
            found += [
                f"{module.path}: no reason for {gap}" for gap in module.gaps if not given.get(gap)
            ]
    missing = {module.path: module.missing for module in modules}
    for path, given in reasons.items():
        found += [
            f"{path}: a reason for what was reached, or is not there: {gap}"
            for gap in given
            if gap not in missing.get(path, ())
        ]
    return found


def table(modules: Sequence[Module], reasons: Reasons) -> str:
    """The modules, those with the least first; below the wanted share their gaps with reasons."""
    lines = [f"{'module':<28} {'branches':>8} {'covered':>8} {'percent':>8}"]
    for module in sorted(modules, key=lambda each: (each.percent, each.path)):
        lines.append(_row(module.path, module.branches, module.covered, module.percent))
        if module.percent < WANTED_PERCENT:
            given = reasons.get(module.path, {})
            lines += [f"    {gap}\n        {given.get(gap) or 'NO REASON'}" for gap in module.gaps]
    branches, covered = sum(m.branches for m in modules), sum(m.covered for m in modules)
    return "\n".join([*lines, _row("total", branches, covered, total_percent(modules))])


def _row(name: str, branches: int, covered: int, percent: float) -> str:
    return f"{name:<28} {branches:>8} {covered:>8} {percent:>8.1f}"
