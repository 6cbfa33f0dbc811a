"""The house's own rules, which no linter knows."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from core.cli.config_text import example
from core.contract.settings import load, section_types

ROOT = Path(__file__).parents[2]
PACKAGES = ("edge", "core", "sync", "ml")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
WORDS_THAT_ARE_NOT_DONE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
PLACES_OF_ONE_MACHINE = re.compile(r"/(home|root|work|Users)/")
REGISTRIES = re.compile(r"pypi\.|index-url|pythonhosted|/simple\b")
# The benches measure beside this one, which the tests' requirements bring.
PEERS = {"core/bench/peer_smtp.py: aiosmtplib"}


@cache
def sources(*tops: str) -> list[Path]:
    found = [path for top in tops for path in sorted((ROOT / top).rglob("*.py"))]
    assert found
    return found


def texts() -> list[Path]:
    """Everything that people read in the repository, but what tools made."""
    top = [
        ROOT / name
        for name in (
            *("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "constraints.txt"),
            *("goutong.example.toml", ".gitignore", ".ci/run"),
        )
    ]
    guides = [*sorted((ROOT / "runbooks").glob("*.md")), *sorted(ROOT.glob("core/*/README.md"))]
    found = [*top, *guides, *sources(*PACKAGES, "tests")]
    return [path for path in found if path != Path(__file__)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_example_has_every_setting_with_its_default() -> None:
    path = ROOT / "goutong.example.toml"
    assert path.read_text() == example(), "goutong config example > goutong.example.toml"
    assert load(path, {}) == load(None, {})


def test_every_setting_is_read_somewhere() -> None:
    """A setting that nothing reads would promise what it does not do."""
    program = "\n".join(
        path.read_text() for path in sources(*PACKAGES) if "contract/sections" not in str(path)
    )
    unread = [
        f"[{section}] {key}"
        for section, kind in section_types().items()
        for key in kind.__struct_fields__
        if not re.search(rf"\.{key}\b", program)
    ]
    # These are read by the section itself, for `ProtocolSettings.expires_in_s`.
    assert [key for key in unread if not key.startswith("[protocol] expires_")] == []


def test_files_are_short() -> None:
    long = {
        name_of(path): lines
        for path in sources(*PACKAGES, "tests")
        if (lines := path.read_text().count("\n")) > FILE_LINES_MAX
    }
    assert not long


def test_functions_fit_a_screen() -> None:
    long = {
        f"{name_of(path)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in sources(*PACKAGES, "tests")
        for node in functions(path)
        if node.end_lineno and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    }
    assert not long


def test_modules_and_packages_say_what_they_are() -> None:
    silent = [
        name_of(path)
        for path in sources(*PACKAGES)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


@pytest.mark.parametrize("what", [PLACES_OF_ONE_MACHINE, REGISTRIES], ids=["places", "registries"])
def test_nothing_belongs_to_one_machine(what: re.Pattern[str]) -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if what.search(line)
    ]
    assert not found


def test_nothing_is_left_for_later() -> None:
    found = [name_of(path) for path in texts() if WORDS_THAT_ARE_NOT_DONE.search(path.read_text())]
    assert not found


def test_every_requirement_is_pinned() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(each for group in project["project"]["optional-dependencies"].values() for each in group),
    ]
    assert distributions(wanted) <= pinned


def distributions(names: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[ ;]", each)[0].lower().replace("_", "-") for each in names}


def test_every_import_is_a_declared_requirement() -> None:
    """What comes along with something else today may not come along tomorrow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = distributions(project["dependencies"])
    for_tests = declared | distributions(project["optional-dependencies"]["dev"])
    provided = packages_distributions()
    ours = {*PACKAGES, "tests", *sys.stdlib_module_names}
    for tops, allowed in ((PACKAGES, declared), (("tests",), for_tests)):
        found = {
            f"{name_of(path)}: {module}"
            for path in sources(*tops)
            for module in imported(path)
            if (top := module.split(".")[0]) not in ours
            and not {name.lower().replace("_", "-") for name in provided.get(top, [])} & allowed
        }
        assert found <= PEERS, found


def test_make_has_the_promised_targets() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    words = "help run demo test test-fast lint types bench sim sim-coverage mutations chaos clean"
    assert targets == {*words.split(" "), "system-deps"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_edge_and_contract_know_of_core_the_contract_only() -> None:
    """The linter's list names the parts of core that there are; this holds for new ones too."""
    found = [
        f"{name_of(path)}: {module}"
        for path in sources("edge", "core/contract")
        for module in imported(path)
        if module.startswith("core.") and not module.startswith("core.contract")
    ]
    assert not found
