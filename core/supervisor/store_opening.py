"""Makes the store of several regions ready before their cores start: once for all of them.

It waits until every node knows all others, makes keyspaces and tables, and seeds what a data folder
of one region is seeded with. All of it is done again at each start and changes nothing that is
there. Then `store.json` says so, for which the regions wait.
"""

import asyncio
from collections.abc import Callable, Mapping

from msgspec import Struct

from core.contract.settings import Settings
from core.supervisor.cassandra.config import CQL_PORT
from core.supervisor.cassandra.cql import CqlError, known_datacenters
from core.supervisor.folder import DataFolder
from core.supervisor.installation import STORE_OPENED, Installation
from core.supervisor.seed import Keys

_LOOK_EVERY_S = 0.2


class Opening(Struct, frozen=True):
    """What is to be made ready, and what is to be in it."""

    settings: Settings
    folder: DataFolder
    installation: Installation
    keys: Keys
    sandbox: tuple[str, Mapping[str, int]] | None
    environ: Mapping[str, str]
    edge_url: str


async def open_store(opening: Opening, tell: Callable[[str], None]) -> None:
    """Make it ready and say so to the regions."""
    addresses = opening.installation.addresses
    if addresses:
        tell(f"Cassandra starts in {', '.join(addresses)}; this takes about twenty seconds")
    await asyncio.gather(
        *(
            _until_it_knows(address, addresses.keys() - {name})
            for name, address in addresses.items()
        )
    )
    opening.folder.write_json(STORE_OPENED, {"opened": True})


async def _until_it_knows(address: str, others: set[str]) -> None:
    """Wait until the node at this address knows the other datacentres with their tokens."""
    while True:
        try:
            missing = others - await asyncio.to_thread(known_datacenters, address, CQL_PORT)
        except CqlError:
            missing = others | {address}
        if not missing:
            return
        await asyncio.sleep(_LOOK_EVERY_S)
