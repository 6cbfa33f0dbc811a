"""`python -m core.supervisor --data DIR [--config FILE] [--cores N]`: one region's supervisor.

`--inside DIR` names the folder that it shares with the other regions on this machine.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from core.contract.log import open_log
from core.contract.settings import SettingsError, load
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.installation import read as installed
from core.supervisor.region import Region


def main() -> int:
    """Run until told to end. 0: ended as told; 1: the region could not be brought up."""
    parser = argparse.ArgumentParser(prog="python -m core.supervisor", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--cores", type=int)
    parser.add_argument("--inside", type=Path)
    given = parser.parse_args()
    try:
        settings = load(given.config, os.environ)
        inside = DataFolder(given.inside) if given.inside else None
        folder = DataFolder(given.data, inside)
        installation = installed(inside) if inside else None
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
        cores = given.cores or settings.supervisor.cores
        return asyncio.run(Region(settings, folder, cores, log, installation).run())
    except FolderError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        log.close()
        held.release()


if __name__ == "__main__":
    sys.exit(main())
