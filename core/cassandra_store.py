"""The store on Cassandra, as the settings say and as a process opens its part of it."""

import secrets

from core.clock import Clock
from core.contract.settings import Settings
from sync.store.cassandra.check.seen import Purpose, Wanted
from sync.store.cassandra.entities import CassandraEntities, open_entities
from sync.store.cassandra.schema import VERSION
from sync.store.cassandra.session import Session
from sync.store.cassandra.settings import CassandraSettings, Tls

REPLICAS = 3


def cassandra_of(settings: Settings) -> CassandraSettings:
    """Where the store is and how it is kept."""
    given = settings.cassandra
    tls = None
    if given.tls:
        tls = Tls(given.tls_ca_file, given.tls_cert_file, given.tls_key_file, given.tls_check_host)
    return CassandraSettings(
        addresses=tuple(given.contact_points),
        region=settings.region.name,
        replication=replication_of(settings),
        port=given.port,
        keyspace=given.keyspace,
        user=given.user,
        password=given.password,
        tls=tls,
        ttl_s=settings.protocol.ttl_days * 86_400,
        connect_timeout_s=given.connect_timeout_ms / 1000,
        request_timeout_s=settings.protocol.write_timeout_ms / 1000,
        requests_max=given.requests_max,
    )


def replication_of(settings: Settings) -> dict[str, int]:
    """How many replicas each datacentre has; each region has a datacentre of its name."""
    named = [each.partition("=") for each in settings.cassandra.replication]
    return {name: int(count) for name, _, count in named} or dict.fromkeys(settings.homes, REPLICAS)


def wanted_of(settings: Settings, purpose: Purpose) -> Wanted:
    """What a cluster has to be like for this purpose."""
    store = cassandra_of(settings)
    return Wanted(
        region=store.region,
        keyspaces=store.all_keyspaces(),
        production=settings.cassandra.production,
        clock_bound_ms=settings.protocol.clock_bound_ms,
        version=VERSION,
        purpose=purpose,
        tolerated=frozenset(settings.cassandra.tolerate),
    )


async def configuration_of(
    session: Session, keyspace: str, name: str, clock: Clock
) -> CassandraEntities:
    """The configuration for one process, which is given a name that none had before."""
    writer, first = name + secrets.token_hex(8), secrets.randbits(40)
    return await open_entities(session, keyspace, writer, clock.boot, first)
