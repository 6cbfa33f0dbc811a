"""`goutong up --regions` with a stand-in for the store: cores on an SQLite file each.

`python -m tests.support.standin DATA NAMES` is the launcher with its real supervisors, hubs, edges
and sandbox, but without Cassandra, so that what it promises of processes is tested in seconds.
`python -m tests.support.standin core ...` is a core of it, `edge ...` an edge: each region takes
and sends its own messages, and asks no other.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from core.contract.log import Log
from core.supervisor.folder import DataFolder
from core.supervisor.installation import STORE_OPENED
from core.supervisor.parts import VAULT_KEY, VAULT_VARIABLE
from core.supervisor.seed import seed
from core.supervisor.several import prepare_several
from core.supervisor.site import Site
from core.supervisor.up import Launcher, Running

ITSELF = [sys.executable, "-m", "tests.support.standin"]
FAR = "--far"


def become(program: str, arguments: list[str]) -> None:
    """Become a core or an edge of a region alone, on SQLite."""
    own = {"GOUTONG_STORE_KIND": "sqlite", "GOUTONG_REGIONS_NAMES": ""}
    if FAR in arguments:
        at = arguments.index(FAR)
        arguments = arguments[:at] + arguments[at + 2 :]
    os.execve(sys.executable, [sys.executable, "-m", program, *arguments], {**os.environ, **own})


async def launch(data: Path, names: list[str]) -> int:
    """The launcher, from its first line to its end."""
    for program in ("core", "edge"):
        os.environ[f"GOUTONG_SUPERVISOR_{program.upper()}_COMMAND"] = ",".join([*ITSELF, program])
    site = await prepare_several(data, None, None, names, os.environ, None, _say)

    async def open_store() -> None:
        for region in site.regions:
            await _seed(site, region.folder)
        site.folder.write_json(STORE_OPENED, {"opened": True})

    async def then(running: Running) -> None:
        print(msgspec.json.encode(running).decode(), flush=True)

    site = msgspec.structs.replace(site, open_store=open_store)
    return await Launcher(site, Log(site.folder.logs / "up.log", "info"), _say).run(then)


async def _seed(site: Site, folder: DataFolder) -> None:
    vault = (site.folder.path / VAULT_KEY).read_text().strip()
    sandbox = ("127.0.0.1", site.sandbox_ports)
    await seed(folder, site.keys, sandbox, {VAULT_VARIABLE: vault}, _say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    if first in ("core", "edge"):
        become(first, rest)
    sys.exit(asyncio.run(launch(Path(first), rest[0].split(","))))
