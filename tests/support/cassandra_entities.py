"""The store of entities on the session's Cassandra nodes, each test with tables of its own."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.supervisor.cassandra.cluster import LocalCluster
from sync.store.cassandra.entities import CassandraEntities, open_entities
from sync.store.cassandra.schema import OF_ALL, TTLS_S, create_keyspace, create_table
from sync.store.cassandra.session import cluster_of, connect
from sync.store.cassandra.settings import CassandraSettings
from tests.support.cassandra import DATACENTERS

TABLES = ("entities", "entity_names", "entity_feed", "entity_heads")


def settings_of(nodes: LocalCluster, region: str, keyspace: str) -> CassandraSettings:
    """As a process of this region has them; patient, for the machine may be busy."""
    return CassandraSettings(
        addresses=(nodes.nodes[region].place.address,),
        region=region,
        replication=dict.fromkeys(DATACENTERS, 1),
        keyspace=keyspace,
        connect_timeout_s=30.0,
        request_timeout_s=10.0,
    )


def make_tables(nodes: LocalCluster) -> str:
    """A keyspace with the entities' tables alone, in which nothing is."""
    keyspace = f"entities_{uuid.uuid4().hex[:12]}"
    settings = settings_of(nodes, "eu", keyspace)
    cluster = cluster_of(settings, for_schema=True)
    try:
        session = cluster.connect()
        texts = [create_keyspace(keyspace, settings.replication)]
        texts += [
            create_table(keyspace, each, OF_ALL[each], TTLS_S.get(each, 1)) for each in TABLES
        ]
        for text in texts:
            session.execute(text, timeout=60)
        assert cluster.control_connection.wait_for_schema_agreement(wait_time=60)
    finally:
        cluster.shutdown()
    return keyspace


@asynccontextmanager
async def entities_in(
    nodes: LocalCluster, region: str, keyspace: str, first: int = 0
) -> AsyncIterator[CassandraEntities]:
    """The store of one process of this region."""
    session = await connect(settings_of(nodes, region, keyspace))
    try:
        writer = f"{region}{uuid.uuid4().hex[:16]}"
        store = await open_entities(session, keyspace, writer, time.monotonic, first)
        yield store
        await store.close()
    finally:
        await session.close()
