"""Making the store on Cassandra: keyspaces, tables, the number of shards of each home.

For an operator's command, so it blocks. Doing it again changes nothing: what the store was made
with is what counts, also where two do it at once.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cassandra import ConsistencyLevel, OperationTimedOut, Timeout, Unavailable
from cassandra.query import SimpleStatement

from sync.store.cassandra.errors import said
from sync.store.cassandra.schema import VERSION, statements
from sync.store.cassandra.session import cluster_of
from sync.store.cassandra.settings import CassandraSettings
from sync.store.port import StoreError

SCHEMA_TIMEOUT_S = 120.0
AGAIN_S = 0.5


def make(settings: CassandraSettings, homes: Sequence[str], shards: int) -> dict[str, int]:
    """Make what is not there yet; the number of shards of each home, as it is in the store."""
    cluster = None
    try:
        cluster = cluster_of(settings, for_schema=True)
        return _make(cluster, settings, homes, shards)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"the store cannot be made: {said(error)}") from error
    finally:
        if cluster is not None:
            with suppress(Exception):
                cluster.shutdown()


def _make(
    cluster: Any, settings: CassandraSettings, homes: Sequence[str], shards: int
) -> dict[str, int]:
    session = cluster.connect()
    # One node makes all of it, in order; the others have to agree at the end only.
    node = next(iter(session.get_pools())).host
    for keyspace, counts in settings.all_keyspaces().items():
        for text in statements(keyspace, counts, settings.ttl_s, keyspace == settings.keyspace):
            session.execute(text, timeout=SCHEMA_TIMEOUT_S, host=node)
    if not cluster.control_connection.wait_for_schema_agreement(wait_time=SCHEMA_TIMEOUT_S):
        raise StoreError("the nodes do not agree on the tables yet: try again")
    version = _once(session, settings, "version", str(VERSION))
    if version != str(VERSION):
        raise StoreError(
            f"the store has schema version {version}, this program knows {VERSION}: "
            "start the version that wrote it"
        )
    return {home: int(_once(session, settings, f"shards.{home}", str(shards))) for home in homes}


def _once(session: Any, settings: CassandraSettings, name: str, value: str) -> str:
    """Set a value where there is none; the one that stands."""
    text = (
        f"INSERT INTO {settings.keyspace}.meta (one, name, value) VALUES (1, %s, %s) IF NOT EXISTS"  # noqa: S608
    )
    statement = SimpleStatement(
        text,
        consistency_level=ConsistencyLevel.QUORUM,
        serial_consistency_level=ConsistencyLevel.SERIAL,
    )
    until = time.monotonic() + SCHEMA_TIMEOUT_S
    while True:
        try:
            row = session.execute(statement, (name, value), timeout=SCHEMA_TIMEOUT_S).one()
        except (Timeout, Unavailable, OperationTimedOut):
            # Nodes that are busy with new tables; the same again finds out what stands.
            if time.monotonic() > until:
                raise
            time.sleep(AGAIN_S)
        else:
            return value if row[0] else str(row[-1])
