"""What the store on Cassandra has to know of its cluster, and the bounds that it keeps."""

from typing import Literal

from msgspec import Struct

from sync.store.cassandra.schema import TTL_S

Reactor = Literal["libev", "asyncio"]


class Tls(Struct, frozen=True):
    """Encrypted connections. Without `ca_file` the system's authorities count."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    check_host: bool = True


class CassandraSettings(Struct, frozen=True):
    """`addresses` are nodes of the own datacentre, whose name is the region's.

    `replication` is how many replicas each datacentre has, `keyspace` where everything stands that
    is no home's own, `keyspaces` the keyspace of each home whose placement group has one for
    itself. `request_timeout_s` is the write time-out of the protocol.
    """

    addresses: tuple[str, ...]
    region: str
    replication: dict[str, int]
    port: int = 9042
    keyspace: str = "goutong"
    keyspaces: dict[str, str] = {}
    group_replication: dict[str, dict[str, int]] = {}
    user: str = ""
    password: str = ""
    tls: Tls | None = None
    ttl_s: int = TTL_S
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 1.0
    requests_max: int = 512
    batch_rows_max: int = 50
    batch_bytes_max: int = 65_536
    row_bytes_max: int = 2_097_152
    reactor: Reactor = "libev"

    def keyspace_of(self, home: str) -> str:
        """Where a home's rows stand."""
        return self.keyspaces.get(home, self.keyspace)

    def all_keyspaces(self) -> dict[str, dict[str, int]]:
        """Each keyspace and how many replicas it has in each datacentre."""
        found = {self.keyspace: self.replication}
        for keyspace in self.keyspaces.values():
            found[keyspace] = self.group_replication.get(keyspace, self.replication)
        return found
