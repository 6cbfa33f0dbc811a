"""`python -m core.supervisor --data DIR [--config FILE] [--cores N]`: one region's supervisor."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from core.contract.log import Log, open_log
from core.contract.settings import Settings, SettingsError, load
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.region import Region


def main() -> int:
    """Run until told to end. 0: ended as told; 1: the region could not be brought up."""
    parser = argparse.ArgumentParser(prog="python -m core.supervisor", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--cores", type=int)
    given = parser.parse_args()
    try:
        settings = load(given.config, os.environ)
        folder = DataFolder(given.data)
        wait_ms = settings.supervisor.lock_wait_ms
        held = folder.lock(f"region-{settings.region.name}", wait_ms)
        if held is None:
            raise FolderError(
                f"{folder.path}: another supervisor keeps region {settings.region.name}"
            )
    except (SettingsError, FolderError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    log = open_log(settings.log, role="supervisor", region=settings.region.name)
    try:
        return asyncio.run(_run(given.cores or settings.supervisor.cores, settings, folder, log))
    except FolderError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        log.close()
        held.release()


async def _run(cores: int, settings: Settings, folder: DataFolder, log: Log) -> int:
    return await Region(settings, folder, cores, log).run()


if __name__ == "__main__":
    sys.exit(main())
