"""What the documents name is there: paths of the API, commands, settings, files."""

import argparse
import json
import re
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest

from core.cli import main as cli
from core.contract.settings import section_types
from edge.app import ROUTES
from tests.support.gateways import JSON_GATEWAY, TEXT_GATEWAY

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "runbooks").glob("*.md")),
    *sorted(ROOT.glob("core/*/README.md")),
]
PATH = re.compile(r"/v1/[A-Za-z0-9_{}/.-]*[A-Za-z0-9_}]")
COMMAND = re.compile(r"^ {4,}(?:\$ )?goutong ([a-z].*)$", re.MULTILINE)
INLINE = re.compile(r"`goutong ([a-z][^`]+)`")
SETTING = re.compile(r"`\[([a-z]+)\] ([a-z_]+)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


@cache
def known_paths() -> list[re.Pattern[str]]:
    paths = {route.path for route in ROUTES}
    return [re.compile(re.sub(r"\{[a-z_]+\}", "[^/]+", path)) for path in paths]


@each_document
def test_paths_of_the_api_are_served(document: Path) -> None:
    named = {path for path in PATH.findall(document.read_text()) if "$" not in path}
    # A path that others are below of stands for them.
    unknown = {
        path
        for path in named
        if not any(known.fullmatch(path) for known in known_paths())
        and not any(route.path.startswith(path + "/") for route in ROUTES)
    }
    assert not unknown


class Refusing(argparse.ArgumentParser):
    """Raises what it would say before it ends the program."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def refusal(written: str) -> str:
    """What the command's parser says against it, "" where it is understood."""
    name, *rest = shlex.split(re.split(r" {3,}| <<| >| \| | # ", written)[0])
    module = cli._COMMANDS[name][0]
    if module == "core.cli.passed":
        return ""
    parser = Refusing()
    parser.add_argument("--json", action="store_true")
    import_module(module).add(parser)
    try:
        parser.parse_args(rest)
    except ValueError as error:
        return str(error)
    return ""


@each_document
def test_commands_are_understood(document: Path) -> None:
    text = re.sub(r"\\\n\s*", "", document.read_text())
    assert {written: said for written in COMMAND.findall(text) if (said := refusal(written))} == {}


@each_document
def test_commands_within_a_sentence_may_be_cut_short(document: Path) -> None:
    named = [" ".join(each.split()) for each in INLINE.findall(document.read_text())]
    said = {written: refusal(written) for written in named}
    short = re.compile("|the following arguments are required.*|.*expected one argument")
    assert {written: no for written, no in said.items() if not short.fullmatch(no)} == {}


@each_document
def test_settings_exist(document: Path) -> None:
    sections = section_types()
    unknown = [
        f"[{section}] {key}"
        for section, key in SETTING.findall(document.read_text())
        if not any(
            known == key or (key.endswith("_") and known.startswith(key))
            for known in sections[section].__struct_fields__
        )
    ]
    assert not unknown


@each_document
def test_links_lead_to_files(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_described_gateways_are_those_that_are_tested() -> None:
    text = (ROOT / "core" / "providers" / "README.md").read_text()
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert [account["settings"] for account in shown] == [JSON_GATEWAY, TEXT_GATEWAY]
