"""What one local node is told: its files and its command line, as pure functions of its place."""

from importlib import resources
from pathlib import Path
from string import Template

from msgspec import Struct

STORAGE_PORT = 7000
CQL_PORT = 9042
HEAP_MIB = 384
_DAEMON = "org.apache.cassandra.service.CassandraDaemon"
_TOKENS_APART = 1 << 32


class Place(Struct, frozen=True):
    """One node: whose datacentre it is, where it listens, which nodes it knows, its folder."""

    datacenter: str
    address: str
    index: int  # among the cluster's nodes; it decides the token
    seeds: tuple[str, ...]
    folder: Path
    cluster: str = "goutong"
    storage_port: int = STORAGE_PORT
    cql_port: int = CQL_PORT
    heap_mib: int = HEAP_MIB
    options: tuple[str, ...] = ()

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    @property
    def log(self) -> Path:
        """What Cassandra itself logs."""
        return self.folder / "system.log"

    @property
    def out(self) -> Path:
        """What the JVM says outside of any log; also why it did not even start."""
        return self.folder / "out.log"


def places_of(
    datacenters: list[str],
    addresses: list[str],
    folder: Path,
    heap_mib: int = HEAP_MIB,
    options: tuple[str, ...] = (),
) -> list[Place]:
    """One node for each datacentre, all of them seeds of each other."""
    seeds = tuple(f"{address}:{STORAGE_PORT}" for address in addresses)
    return [
        Place(name, address, index, seeds, folder / name, heap_mib=heap_mib, options=options)
        for index, (name, address) in enumerate(zip(datacenters, addresses, strict=True))
    ]


def files_of(place: Place) -> dict[str, str]:
    """The files in the node's conf folder."""
    yaml = Template(_packaged("cassandra.yaml")).substitute(
        cluster=place.cluster,
        address=place.address,
        storage_port=place.storage_port,
        cql_port=place.cql_port,
        seeds=",".join(place.seeds),
        # One token each, a little apart: with one node in each datacentre each holds everything.
        token=place.index * _TOKENS_APART,
    )
    return {
        "cassandra.yaml": yaml,
        "cassandra-rackdc.properties": f"dc={place.datacenter}\nrack=r1\n",
        "logback.xml": _packaged("logback.xml"),
    }


def command_of(place: Place, java: str, jars: Path) -> list[str]:
    """The command that becomes the node. JMX stays off: nothing listens but storage and CQL."""
    options = [
        line for line in _packaged("jvm.options").splitlines() if line and not line.startswith("#")
    ]
    conf = place.conf
    return [
        java,
        *options,
        *place.options,
        f"-Xms{place.heap_mib}M",
        f"-Xmx{place.heap_mib}M",
        f"-Dcassandra.config=file://{conf / 'cassandra.yaml'}",
        f"-Dcassandra-rackdc.properties=file://{conf / 'cassandra-rackdc.properties'}",
        f"-Dlogback.configurationFile={conf / 'logback.xml'}",
        f"-Dgoutong.log={place.log}",
        f"-Dcassandra.storagedir={place.folder / 'data'}",
        "-cp",
        f"{conf}:{jars}/*",
        _DAEMON,
    ]


def _packaged(name: str) -> str:
    return resources.files("core.supervisor.cassandra").joinpath(name).read_text()
