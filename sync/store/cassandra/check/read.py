"""Reads of a cluster what there is to judge: each node by itself, for its settings are its own.

For an operator's command, so it blocks. A node that does not answer is told as silent; only when no
node at all can be reached there is nothing to tell, and `StoreError` is raised.
"""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC
from typing import Any

import msgspec

from sync.store.cassandra.check.seen import Keyspace, Node, Seen
from sync.store.cassandra.errors import said
from sync.store.cassandra.session import cluster_of
from sync.store.cassandra.settings import CassandraSettings
from sync.store.port import StoreError

_ASKED = re.compile(
    r"commitlog_sync|commit_failure_policy|paxos_(variant|repair_enabled)|.*hint.*|"
    r"authenticator(\.class_name)?|client_encryption_options\.enabled"
)
_LOCAL = "SELECT release_version, toTimestamp(now()) FROM system.local"
_SETTINGS = "SELECT name, value FROM system_views.settings"
_KEYSPACES = "SELECT keyspace_name, durable_writes, replication FROM system_schema.keyspaces"
_TABLES = "SELECT table_name, read_repair FROM system_schema.tables WHERE keyspace_name = %s"
_CLOCK_ASKED = 5  # times; the quickest answer tells most
_PATIENCE_S = 15.0  # an operator waits for a busy node rather than hearing that it is silent


def read(settings: CassandraSettings) -> Seen:
    """What the cluster is, as seen from here."""
    settings = msgspec.structs.replace(
        settings,
        connect_timeout_s=max(settings.connect_timeout_s, _PATIENCE_S),
        request_timeout_s=max(settings.request_timeout_s, _PATIENCE_S),
    )
    cluster = None
    try:
        cluster = cluster_of(settings, for_schema=True)
        session = cluster.connect()
        hosts = list(cluster.metadata.all_hosts())
        keyspaces = _keyspaces(session, settings.all_keyspaces())
        made = keyspaces.get(settings.keyspace)
        version = (
            _version(session, settings.keyspace) if made and "meta" in made.read_repair else None
        )
    except Exception as error:
        raise StoreError(f"the cluster cannot be reached: {said(error)}") from error
    finally:
        _shut(cluster)
    nodes: list[Node] = []
    for datacenter in sorted({host.datacenter for host in hosts}):
        addresses = sorted(host.address for host in hosts if host.datacenter == datacenter)
        nodes += _nodes(settings, datacenter, addresses)
    return Seen(tuple(nodes), keyspaces, version)


def _nodes(settings: CassandraSettings, datacenter: str, addresses: list[str]) -> Iterable[Node]:
    """Each node of a datacentre, asked over connections to that datacentre."""
    there = msgspec.structs.replace(settings, region=datacenter, addresses=tuple(addresses))
    cluster = None
    try:
        cluster = cluster_of(there, for_schema=True)
        session = cluster.connect()
        hosts = {host.address: host for host in cluster.metadata.all_hosts()}
        return [_node(session, datacenter, each, hosts.get(each)) for each in addresses]
    except Exception as error:
        return [Node(datacenter, each, silent=said(error)) for each in addresses]
    finally:
        _shut(cluster)


def _node(session: Any, datacenter: str, address: str, host: Any) -> Node:
    low_ms, high_ms, release = float("-inf"), float("inf"), ""
    try:
        for _ in range(_CLOCK_ASKED):
            before_ms = time.time() * 1000
            release, there = session.execute(_LOCAL, host=host).one()
            after_ms = time.time() * 1000
            there_ms = there.replace(tzinfo=UTC).timestamp() * 1000
            # The node says whole milliseconds, cut off.
            low_ms, high_ms = (
                max(low_ms, there_ms - after_ms),
                min(high_ms, there_ms + 1 - before_ms),
            )
        rows = session.execute(_SETTINGS, host=host)
        told = {name: value for name, value in rows if _ASKED.fullmatch(name)}
    except Exception as error:
        return Node(datacenter, address, silent=said(error))
    clock_ms = (low_ms, high_ms) if low_ms <= high_ms else None
    return Node(datacenter, address, release=release, settings=told, clock_ms=clock_ms)


def _keyspaces(session: Any, names: Iterable[str]) -> dict[str, Keyspace]:
    found = {}
    ours = set(names)
    for name, durable, replication in session.execute(_KEYSPACES):
        if name in ours:
            counts = {dc: int(count) for dc, count in replication.items() if dc != "class"}
            repair = dict(iter(session.execute(_TABLES, (name,))))
            found[name] = Keyspace(counts, durable, repair)
    return found


def _version(session: Any, keyspace: str) -> int | None:
    """The schema's version, as the tables were made with."""
    text = f"SELECT value FROM {keyspace}.meta WHERE one = 1 AND name = 'version'"  # noqa: S608
    row = session.execute(text).one()
    return None if row is None else int(row[0])


def _shut(cluster: Any) -> None:
    if cluster is not None:
        with suppress(Exception):
            cluster.shutdown()
