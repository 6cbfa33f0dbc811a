"""Makes the store of several regions ready before their cores start: once for all of them.

It waits until every node answers and knows all others, makes keyspaces and tables, and seeds what a
data folder of one region is seeded with. All of it is done again at each start and changes nothing
that is there. Then `store.json` says so, for which the regions wait.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from msgspec import Struct

from core.clock import SystemClock
from core.contract.settings import Settings
from core.supervisor.cassandra.config import CQL_PORT
from core.supervisor.cassandra.cql import CqlError, known_datacenters
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.installation import STORE_OPENED, Installation
from core.supervisor.seed import Keys, seed_into
from sync.store.port import StoreError

Tell = Callable[[str], None]
_LOOK_EVERY_S = 0.2
_AGAIN_S = 2.0


class Opening(Struct, frozen=True):
    """What is to be made ready, and what is to be in it. The settings are the first region's."""

    settings: Settings
    folder: DataFolder
    installation: Installation
    keys: Keys
    sandbox: tuple[str, Mapping[str, int]] | None
    environ: Mapping[str, str]
    edge_url: str


async def open_store(opening: Opening, tell: Tell) -> None:
    """Make it ready and say so to the regions. Raises FolderError when the store refuses.

    What fails on its way to the store is done again for as long as the launcher waits: nodes that
    have just come up are slow, and nothing is lost by it.
    """
    # The driver is loaded in here only: the launcher of one region has no use for it.
    from sync.store.cassandra.errors import hopeless  # noqa: PLC0415

    told = False
    await _until_nodes_answer(opening, tell)
    while True:
        try:
            await _make(opening, tell)
            break
        except (StoreError, ValueError) as error:
            if error.__cause__ is None or hopeless(error.__cause__):
                raise FolderError(f"the store on Cassandra is not made: {error}") from None
            if not told:
                tell(f"{error}; trying again")
            told = True
        await asyncio.sleep(_AGAIN_S)
    opening.folder.write_json(STORE_OPENED, {"opened": True})


async def _make(opening: Opening, tell: Tell) -> None:
    from core.cassandra_store import cassandra_of  # noqa: PLC0415 - loads the driver
    from sync.store.cassandra.making import make  # noqa: PLC0415

    store = cassandra_of(opening.settings)
    homes, shards = opening.settings.homes, opening.settings.region.home_shards
    await asyncio.to_thread(make, store, homes, shards)
    await _seed(opening, tell)


async def _seed(opening: Opening, tell: Tell) -> None:
    from core.cassandra_store import cassandra_of, configuration_of  # noqa: PLC0415 - the driver
    from sync.store.cassandra.session import connect  # noqa: PLC0415

    store = cassandra_of(opening.settings)
    session = await connect(store)
    try:
        entities = await configuration_of(session, store.keyspace, "up", SystemClock())
        await seed_into(
            entities,
            opening.folder,
            opening.keys,
            opening.sandbox,
            opening.environ,
            tell,
            opening.edge_url,
        )
        await entities.close()
    finally:
        await session.close()


async def _until_nodes_answer(opening: Opening, tell: Tell) -> None:
    """Ours have to know each other; a user's own cluster has to keep what we promise."""
    addresses = opening.installation.addresses
    if not addresses:
        await _until_cluster_answers(opening.settings, tell)
        return
    tell(f"Cassandra starts in {', '.join(addresses)}; this takes about twenty seconds")
    known = {node: addresses.keys() - {name} for name, node in addresses.items()}
    await asyncio.gather(*(_until_it_knows(*each) for each in known.items()))


async def _until_cluster_answers(settings: Settings, tell: Tell) -> None:
    """As `goutong store init` does before it makes anything."""
    from core.cassandra_store import cassandra_of, wanted_of  # noqa: PLC0415 - loads the driver
    from sync.store.cassandra.check.findings import findings, refused  # noqa: PLC0415
    from sync.store.cassandra.check.read import read  # noqa: PLC0415

    told = False
    while True:
        try:
            seen = await asyncio.to_thread(read, cassandra_of(settings))
            break
        except StoreError as error:
            if not told:
                tell(f"{error}; waiting for it")
            told = True
            await asyncio.sleep(_AGAIN_S)
    found = findings(seen, wanted_of(settings, "init"))
    texts = {each: f"{each.rule} {each.where}: {each.what} {each.mend}" for each in found}
    if bad := refused(found):
        raise FolderError("\n".join(texts[each] for each in bad))
    for text in texts.values():
        tell(text)


async def _until_it_knows(address: str, others: set[str]) -> None:
    """Wait until the node at this address knows these datacentres with their tokens."""
    while True:
        with contextlib.suppress(CqlError):
            if others <= await asyncio.to_thread(known_datacenters, address, CQL_PORT):
                return
        await asyncio.sleep(_LOOK_EVERY_S)
