"""Three local datacentres: they know each other, keep what was written, and come again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.query import SimpleStatement

from core.supervisor.cassandra.cluster import LocalCluster
from tests.support.cassandra import DATACENTERS
from tests.support.up import alive

KEYSPACE = (
    "CREATE KEYSPACE nodes WITH replication = "
    "{'class': 'NetworkTopologyStrategy', 'eu': 1, 'us': 1, 'ap': 1}"
)


def session_at(address: str) -> Cluster:
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy([address]), request_timeout=30
    )
    return Cluster([address], execution_profiles={EXEC_PROFILE_DEFAULT: profile})


@pytest.fixture
def session(cassandra: LocalCluster) -> Iterator[Session]:
    cluster = session_at(cassandra.nodes["eu"].place.address)
    yield cluster.connect()
    cluster.shutdown()


def test_a_node_that_was_killed_comes_again_with_all_it_confirmed(
    cassandra: LocalCluster, session: Session
) -> None:
    # At once: ready means that every datacentre can be named in a keyspace.
    session.execute(KEYSPACE)
    session.execute("CREATE TABLE nodes.rows (id int PRIMARY KEY, body text)")
    for number in range(100):
        write = SimpleStatement(
            f"INSERT INTO nodes.rows (id, body) VALUES ({number}, 'said')",
            consistency_level=ConsistencyLevel.ALL,
        )
        session.execute(write)
    node = cassandra.nodes["us"]
    before = node.pid
    assert before is not None
    node.kill()
    assert node.pid is None
    assert not alive(before)
    try:
        write = SimpleStatement(
            "INSERT INTO nodes.rows (id, body) VALUES (100, 'by two of three')",
            consistency_level=ConsistencyLevel.QUORUM,
        )
        session.execute(write)
    finally:
        cassandra.start()
        cassandra.wait_ready(300)
    cluster = session_at(node.place.address)
    try:
        read = SimpleStatement(
            "SELECT id FROM nodes.rows", consistency_level=ConsistencyLevel.LOCAL_ONE
        )
        found = {row.id for row in cluster.connect().execute(read)}
    finally:
        cluster.shutdown()
    assert found >= set(range(100))
    session.execute("DROP KEYSPACE nodes")


def test_each_region_has_its_own_datacentre(cassandra: LocalCluster) -> None:
    assert list(cassandra.nodes) == DATACENTERS
    assert len(set(cassandra.addresses)) == len(DATACENTERS)
    for name, node in cassandra.nodes.items():
        cluster = session_at(node.place.address)
        try:
            rows = cluster.connect().execute("SELECT data_center FROM system.local")
            assert [row.data_center for row in rows] == [name]
        finally:
            cluster.shutdown()


def test_nothing_of_a_node_listens_beyond_loopback(cassandra: LocalCluster) -> None:
    """Storage and CQL, and no JMX."""
    inodes = set()
    for node in cassandra.nodes.values():
        for descriptor in Path(f"/proc/{node.pid}/fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.add(fields[1])
    # The kernel shows IPv4 addresses with their last octet first, in IPv6 after 24 other digits.
    assert {each.partition(":")[0][-2:] for each in listening} == {"7F"}
    assert {int(each.rpartition(":")[2], 16) for each in listening} == {7000, 9042}
