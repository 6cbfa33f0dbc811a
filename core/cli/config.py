"""Check, show and describe the settings.

check    read a file and the environment, and say everything that is wrong
show     what is in force; secrets are not shown
schema   JSON Schema of all settings
example  every setting with its explanation and default, as TOML
"""

import argparse
import os
from pathlib import Path

from core.cli.config_text import as_dict, example, shown
from core.cli.out import FAILED, OK, CommandError, json_line, line
from core.contract.settings import Settings, SettingsError, load, schema


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong config`."""
    parser.add_argument("action", choices=("check", "show", "schema", "example"))
    parser.add_argument("file", nargs="?", type=Path, help="a TOML file (GOUTONG_CONFIG)")
    parser.add_argument("--config", type=Path, help="the same")


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    if given.action == "schema":
        json_line(schema())
        return OK
    if given.action == "example":
        line(example().rstrip())
        return OK
    path = given.file or given.config
    if given.action == "check":
        return _check(path, given.json)
    settings = _loaded(path)
    if given.json:
        json_line(as_dict(settings))
    else:
        line(shown(settings).rstrip())
    return OK


def _loaded(path: Path | None) -> Settings:
    try:
        return load(path, os.environ)
    except SettingsError as error:
        raise CommandError(str(error), "`goutong config example` shows every setting.") from None


def _check(path: Path | None, as_json: bool) -> int:
    if not as_json:
        _loaded(path)
        line("The settings are right.")
        return OK
    try:
        load(path, os.environ)
    except SettingsError as error:
        json_line({"ok": False, "problems": error.problems})
        return FAILED
    json_line({"ok": True, "problems": []})
    return OK
