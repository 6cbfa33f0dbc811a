"""Check the journal of a data folder: what was accepted, what became of it, and every rule broken.

Reads the store alone, beside running regions or without them; of several regions their Cassandra
has to answer. Exit code 0: nothing lost and no rule broken; 1: something was.
"""

import argparse
from pathlib import Path

from core.cli.client import DEFAULT_DATA
from core.cli.out import FAILED, OK, CommandError, json_line, line


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong audit`."""
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="data folder")
    parser.add_argument(
        "--config", type=Path, help="settings, where regions keep their store on your own cluster"
    )


def run(given: argparse.Namespace) -> int:
    """Audit the folder."""
    if not given.data.is_dir():
        raise CommandError(f"{given.data}: there is no such folder", "Name it with --data.")
    from core import audit  # noqa: PLC0415 - opens the store; other commands need none
    from core.contract.settings import SettingsError  # noqa: PLC0415
    from sync.store.port import StoreError  # noqa: PLC0415

    try:
        found = audit.run(given.data, config=given.config)
    except (SettingsError, StoreError) as error:
        raise CommandError(str(error)) from None
    if given.json:
        json_line(found)
    else:
        for name in ("accepted", "final", "open", "in_doubt", "possible_duplicates"):
            line(f"{name.replace('_', ' '):<20} {found[name]}")
        for name in ("lost", "violations"):
            line(f"{name:<20} {len(found[name])}")
            for each in found[name]:
                line(f"  {each}")
    return FAILED if found["lost"] or found["violations"] else OK
