"""Make, upgrade and check the store on Cassandra that [cassandra] names.

check    what the cluster's settings, clocks and tables do to the promises
init     the keyspaces and tables, after the same check; what is there stays as it is
upgrade  the tables of an older release brought to this one's, after the same check

What would break a promise is refused: exit code 1, and nothing is changed. A rule that is named in
[cassandra] tolerate warns instead.
"""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.cli.out import FAILED, OK, UNREACHABLE, USAGE, CommandError, json_line, line, note

if TYPE_CHECKING:
    from core.contract.settings import Settings
    from sync.store.cassandra.check.seen import Finding, Purpose, Seen

_TRY_EVERY_S = 2.0


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong store`."""
    parser.add_argument("action", choices=("init", "upgrade", "check"))
    parser.add_argument("--config", type=Path, help="settings, a TOML file")
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for a cluster that is down"
    )


def run(given: argparse.Namespace) -> int:
    """Do what was asked."""
    from core.cassandra_store import wanted_of  # noqa: PLC0415 - loads the driver
    from sync.store.cassandra.check.findings import findings, refused  # noqa: PLC0415

    settings = _settings(given.config)
    seen = _seen(settings, given.wait)
    purpose: Purpose = "use" if given.action == "check" else given.action
    found = findings(seen, wanted_of(settings, purpose))
    shards: dict[str, int] = {}
    may = not refused(found)
    if may and given.action != "check":
        shards = _make(settings)
    _tell(given, seen, found, shards)
    return OK if may else FAILED


def _settings(path: Path | None) -> "Settings":
    from core.contract.settings import SettingsError, load  # noqa: PLC0415

    try:
        settings = load(path, os.environ)
    except SettingsError as error:
        raise CommandError(str(error), "`goutong config schema` describes every setting.") from None
    if not settings.cassandra.contact_points:
        raise CommandError(
            "[cassandra] contact_points names no node",
            "Name some of this region's datacentre, in the settings or in "
            "GOUTONG_CASSANDRA_CONTACT_POINTS.",
            USAGE,
        )
    return settings


def _seen(settings: "Settings", wait_s: float) -> "Seen":
    """What the cluster is; waits for one that is down as long as was said."""
    from core.cassandra_store import cassandra_of  # noqa: PLC0415
    from sync.store.cassandra.check.read import read  # noqa: PLC0415
    from sync.store.port import StoreError  # noqa: PLC0415

    until = time.monotonic() + wait_s
    told = False
    while True:
        try:
            return read(cassandra_of(settings))
        except StoreError as error:
            if time.monotonic() >= until:
                points = ", ".join(settings.cassandra.contact_points)
                raise CommandError(
                    str(error),
                    f"Start Cassandra at {points} port {settings.cassandra.port}, or correct "
                    "[cassandra]; --wait waits for it.",
                    UNREACHABLE,
                ) from None
            if not told:
                note(f"goutong: {error}; waiting up to {wait_s:.0f} s")
            told = True
        time.sleep(_TRY_EVERY_S)


def _make(settings: "Settings") -> dict[str, int]:
    from core.cassandra_store import cassandra_of  # noqa: PLC0415
    from sync.store.cassandra.making import make  # noqa: PLC0415
    from sync.store.port import StoreError  # noqa: PLC0415

    try:
        return make(cassandra_of(settings), settings.homes, settings.region.home_shards)
    except StoreError as error:
        raise CommandError(str(error), "Nothing is lost by doing it again.") from None


def _tell(
    given: argparse.Namespace, seen: "Seen", found: "list[Finding]", shards: dict[str, int]
) -> None:
    from sync.store.cassandra.check.findings import refused  # noqa: PLC0415
    from sync.store.cassandra.check.seen import hint_window_ms  # noqa: PLC0415

    may = not refused(found)
    if given.json:
        json_line(
            {
                "ok": may,
                "findings": msgspec.to_builtins(found),
                "nodes": [
                    {"datacenter": each.datacenter, "address": each.address, "silent": each.silent}
                    for each in seen.nodes
                ],
                "hint_window_ms": hint_window_ms(seen),
                "schema": seen.version,
                "shards": shards,
            }
        )
        return
    for each in found:
        line(f"{each.level}  {each.rule}{f'  {each.where}' if each.where else ''}")
        line(f"  {each.what}")
        line(f"  {each.mend}")
    if not may:
        line("Refused; nothing was changed." if given.action != "check" else "Refused.")
    elif given.action == "check":
        line(f"{len(seen.nodes)} nodes, nothing is refused.")
    else:
        shown = ", ".join(f"{home}: {count} shards" for home, count in shards.items())
        line(f"The store is there. {shown}.")
