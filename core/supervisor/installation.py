"""What the regions of one `goutong up --regions` are told of each other: `regions.json`.

The launcher settles it before any region starts, because each region's hub and node have to know
where the others will be. It is kept, so that a region that is started again finds the others, and a
later start on the same folder is the same installation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

from core.supervisor.cassandra.config import CQL_PORT, HEAP_MIB, Place, places_of
from core.supervisor.folder import DataFolder, FolderError

FILE = "regions.json"
STORE_OPENED = "store.json"
CASSANDRA = "cassandra"


class Node(Struct, frozen=True):
    """From what the Cassandra nodes on this machine are started."""

    java: str
    jars: str
    heap_mib: int = HEAP_MIB


class Installation(Struct, frozen=True):
    """All regions in their order; where each one's cores, gateway and Cassandra node are."""

    names: list[str]
    cores: dict[str, str]  # as `parts.core_links` writes them
    gateways: dict[str, int]  # ports
    addresses: dict[str, str]  # empty: Cassandra is not ours to start
    node: Node | None = None

    def others(self, region: str) -> dict[str, int]:
        """The gateway ports of the other regions."""
        return {name: port for name, port in self.gateways.items() if name != region}

    def place(self, region: str, shared: Path) -> Place | None:
        """Where this region's node lives; None where Cassandra is not ours to start."""
        if self.node is None:
            return None
        addresses = [self.addresses[name] for name in self.names]
        places = places_of(self.names, addresses, shared, self.node.heap_mib)
        (found,) = [place for place in places if place.datacenter == region]
        return replace(found, folder=shared / region / CASSANDRA)


def region_env(
    names: Sequence[str], region: str, addresses: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The settings that make a process one of this region; `addresses` are those of our nodes."""
    env = {
        "GOUTONG_REGION_NAME": region,
        "GOUTONG_REGIONS_NAMES": ",".join(names),
        "GOUTONG_STORE_KIND": "cassandra",
    }
    if addresses:
        env |= {
            "GOUTONG_CASSANDRA_CONTACT_POINTS": addresses[region],
            "GOUTONG_CASSANDRA_PORT": str(CQL_PORT),
            # One node in each datacentre is all that there is on one machine.
            "GOUTONG_CASSANDRA_REPLICATION": ",".join(f"{name}=1" for name in addresses),
            "GOUTONG_CASSANDRA_PRODUCTION": "false",
        }
    return env


def read(shared: DataFolder) -> Installation | None:
    """The installation that this folder is of, or None for one region or none yet."""
    known = shared.read_json(FILE)
    if known is None:
        return None
    try:
        return convert(known, Installation)
    except ValidationError as error:
        raise FolderError(
            f"{shared.path / FILE}: {error}. It says where the regions are; put it back."
        ) from None
