"""Stores on a Cassandra that runs, for tests: one keyspace for all of them, emptied in between.

Making the tables takes seconds, so it is done once a run; a test is followed by a truncation of the
tables that it wrote to.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core.supervisor.cassandra.cluster import LocalCluster
from sync.store.cassandra.journal import CassandraJournal, open_journal
from sync.store.cassandra.making import make
from sync.store.cassandra.session import cluster_of
from sync.store.cassandra.settings import CassandraSettings
from sync.store.port import (
    Done,
    PutById,
    PutFloor,
    PutForced,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    SwapLease,
    SwapMaps,
    SwapReplication,
    SwapServing,
    SwapShards,
    Write,
)

HOMES = ("h", "i")
SHARDS = 4
TABLES: dict[type, tuple[str, ...]] = {
    PutRow: ("log_rows", "log_heads"),
    PutById: ("by_id",),
    PutOpen: ("open_set", "open_due"),
    PutFloor: ("floors",),
    PutKey: ("keys",),
    PutProviderIds: ("provider_segments",),
    PutPending: ("pending",),
    PutViews: ("views",),
    Register: ("registry",),
    SwapLease: ("leases", "lease_names"),
    SwapShards: ("shards",),
    SwapServing: ("agreed",),
    SwapMaps: ("agreed",),
    SwapReplication: ("agreed",),
    PutForced: ("forced",),
}


def wall_us() -> int:
    return time.time_ns() // 1000


class Recorded:
    """A journal that remembers which tables were written to."""

    def __init__(self, journal: CassandraJournal, written: set[str]) -> None:
        self._journal = journal
        self._written = written

    def submit(self, write: Write, done: Done) -> None:
        self._written.update(TABLES[type(write)])
        self._journal.submit(write, done)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class Stores:
    """Stores in each of the cluster's datacentres; `nodes` are its nodes by their names."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.nodes = cluster.nodes
        self.regions = list(cluster.nodes)
        self._keyspace = f"t{secrets.token_hex(4)}"
        self._written: set[str] = set()
        make(self.settings(self.regions[0]), HOMES, SHARDS)
        self._cluster = cluster_of(self.settings(self.regions[0]), for_schema=True)
        self._session = self._cluster.connect(self._keyspace)

    def settings(self, region: str, **others: Any) -> CassandraSettings:
        place = self.nodes[region].place
        return CassandraSettings(
            addresses=(place.address,),
            region=region,
            replication=dict.fromkeys(self.nodes, 1),
            port=place.cql_port,
            keyspace=self._keyspace,
            connect_timeout_s=30.0,
            **others,
        )

    async def open(self, region: str = "", request_timeout_s: float = 20.0, **others: Any) -> Any:
        """A store in a region; it waits long, for three nodes start up beside other work."""
        others["request_timeout_s"] = request_timeout_s
        settings = self.settings(region or self.regions[0], **others)
        return Recorded(await open_journal(settings, wall_us), self._written)

    async def empty(self) -> None:
        """After a test, with all nodes up."""
        await asyncio.get_running_loop().run_in_executor(None, self._truncate)

    def _truncate(self) -> None:
        for table in sorted(self._written):
            self._session.execute(f"TRUNCATE {self._keyspace}.{table}", timeout=60)
        self._written.clear()

    async def replicate(self, regions: list[str]) -> None:
        """Where the keyspace stands from now on; what was written is left where it is."""
        await asyncio.get_running_loop().run_in_executor(None, self._replicate, regions)

    def _replicate(self, regions: list[str]) -> None:
        replicas = "".join(f", '{region}': 1" for region in regions)
        self._session.execute(
            f"ALTER KEYSPACE {self._keyspace} WITH replication = "
            f"{{'class': 'NetworkTopologyStrategy'{replicas}}}",
            timeout=60,
        )
        assert self._cluster.control_connection.wait_for_schema_agreement(wait_time=60)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="session")
def cassandra_stores(cassandra: LocalCluster) -> Iterator[Stores]:
    """One keyspace for the whole run."""
    stores = Stores(cassandra)
    yield stores
    stores.close()
