"""What one `goutong up` is about: settings, data folder, keys, ports; made ready before it starts.

One folder is kept by one `goutong up` at a time, and nothing is started before the last process of
an earlier one is gone: until then its ports look taken and its rows are still being written.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from core.contract.settings import Settings, load
from core.supervisor.folder import DataFolder, FolderError, Held
from core.supervisor.parts import reach, sandbox_ports
from core.supervisor.ports import keep_ports
from core.supervisor.seed import Keys, keys_of, seed

UP_LOCK = "up"
_LOOK_EVERY_S = 0.02


class RegionSite(Struct, frozen=True):
    """One region: its name, its folder, what its supervisor is told beside that."""

    name: str
    folder: DataFolder
    env: Mapping[str, str] = {}


class Site(Struct, frozen=True):
    """Everything that the launcher needs to know."""

    settings: Settings
    folder: DataFolder
    cores: int
    keys: Keys
    held: Held
    sandbox_ports: Mapping[str, int]  # empty: no sandbox
    notices: list[str]
    regions: list[RegionSite]
    config: Path | None = None
    # Makes the store of several regions ready, once their nodes answer.
    open_store: Callable[[], Awaitable[None]] | None = None

    @property
    def folders(self) -> list[DataFolder]:
        """Every folder whose locks say what still runs."""
        return [self.folder, *(each.folder for each in self.regions if self.several)]

    @property
    def several(self) -> bool:
        """Whether there are more regions than one, each in a folder of its own."""
        return self.open_store is not None


async def prepare(
    data: Path, config: Path | None, cores: int | None, environ: Mapping[str, str]
) -> Site:
    """Make the folder ready. Raises SettingsError, or FolderError when it is in use."""
    settings = load(config, environ)
    folder = DataFolder(data)
    held = await hold([folder], settings.supervisor.lock_wait_ms)
    ports: dict[str, int] = {}
    notices: list[str] = []
    if settings.supervisor.sandbox:
        # The sandbox's callbacks go to the edge, so its port is settled here too.
        wanted = [*sandbox_ports(settings), ("edge", settings.supervisor.edge_port)]
        ports, notices = keep_ports(folder, wanted, random.SystemRandom())
    keys = keys_of(folder)
    sandbox = (reach(settings.sandbox.host), ports) if ports else None
    edge_url = f"http://{reach(settings.edge.host)}:{ports['edge']}" if ports else ""
    await seed(folder, keys, sandbox, environ, notices.append, edge_url)
    return Site(
        settings=settings,
        folder=folder,
        cores=cores or settings.supervisor.cores,
        keys=keys,
        held=held,
        sandbox_ports=ports,
        notices=notices,
        regions=[RegionSite(settings.region.name, folder)],
        config=config,
    )


async def hold(folders: Sequence[DataFolder], wait_ms: int) -> Held:
    """Keep the first of these folders, once nothing of an earlier start runs on any of them."""
    folder = folders[0]
    held = folder.lock(UP_LOCK, wait_ms)
    if held is None:
        raise FolderError(
            f"{folder.path}: another `goutong up` runs on this folder. End it with Ctrl-C where "
            "it runs, or name another folder with --data."
        )
    left = await gone(folders, wait_ms / 1000)
    if left:
        held.release()
        raise FolderError(
            f"{folder.path}: processes of an earlier start still run: {', '.join(left)}. "
            "They end by themselves within seconds; try again, or end them."
        )
    return held


async def gone(folders: Sequence[DataFolder], wait_s: float) -> list[str]:
    """Wait until no part of these folders is alive; the names of those that still are."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        alive = [name for folder in folders for name in folder.held() if name != UP_LOCK]
        if not alive or loop.time() > until:
            return alive
        await asyncio.sleep(_LOOK_EVERY_S)
