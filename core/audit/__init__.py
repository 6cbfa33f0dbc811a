"""`goutong audit`: what the store alone proves about every accepted message (PROTOCOL.md 13).

It reads the store without its processes, or beside them, and joins all records again, so that an
outside checker can hold it against what the providers received. A data folder is one region's, on
SQLite, or that of several on Cassandra, which has to answer.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.audit import sqlite
from core.audit.judge import Found, judged
from core.contract.settings import load
from core.supervisor import installation
from core.supervisor.folder import DataFolder, FolderError
from sync.store.port import StoreError


def run(
    data: Path, environ: Mapping[str, str] | None = None, config: Path | None = None
) -> dict[str, Any]:
    """The audit of a data folder; raises StoreError if its store cannot be read, SettingsError if
    what says where the regions' store is cannot."""
    if not (data / installation.FILE).exists():
        return judged(sqlite.read(data))
    try:
        regions = installation.read(DataFolder(data))
    except FolderError as error:
        raise StoreError(str(error)) from None
    assert regions is not None
    return judged(_of_regions(regions, os.environ if environ is None else environ, config))


def _of_regions(
    regions: installation.Installation, environ: Mapping[str, str], config: Path | None
) -> Found:
    """By the first region's datacentre that answers: one may be away."""
    # The driver is loaded in here only: who has one region has no use for it.
    from core.audit import cassandra  # noqa: PLC0415
    from core.cassandra_store import cassandra_of  # noqa: PLC0415

    failed = ""
    for name in regions.names:
        region_env = installation.region_env(regions.names, name, regions.addresses)
        settings = load(config, {**environ, **region_env})
        try:
            return asyncio.run(cassandra.read(cassandra_of(settings), settings.homes))
        except StoreError as error:
            failed += f"\n  by region {name}: {error}"
    raise StoreError(f"the store of the regions cannot be read:{failed}")
