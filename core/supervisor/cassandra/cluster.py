"""Several datacentres on this machine, one node in each: for `goutong up --regions` and for tests.

    with LocalCluster(folder, ["eu", "us", "ap"], launch) as cluster:
        cluster.wait_ready(60.0)
        cluster.nodes["eu"].place.address

The same folder comes up with the same addresses and with what was stored.
"""

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from core.contract.sections.cassandra import CassandraSettings
from core.supervisor.cassandra.addresses import free_addresses
from core.supervisor.cassandra.config import Place, places_of
from core.supervisor.cassandra.cql import CqlError, known_datacenters
from core.supervisor.cassandra.fetch import Tell, default_folder, installed
from core.supervisor.cassandra.node import Node, NodeError
from core.supervisor.cassandra.programs import find_java

_ADDRESSES = "addresses.json"
_LOOK_EVERY_S = 0.2


class Launch(Struct, frozen=True):
    """What every node is started from; `options` go to the JVM beside those that it needs."""

    java: str
    jars: Path
    heap_mib: int
    options: tuple[str, ...] = ()


def prepare(settings: CassandraSettings, environ: Mapping[str, str], tell: Tell) -> Launch:
    """Java and Cassandra, fetched on first use. Raises CassandraError, saying how to mend it."""
    java = find_java(settings.java, environ)
    folder = Path(settings.folder) if settings.folder else default_folder(environ)
    jars = installed(folder.absolute(), settings.maven, environ, tell)
    return Launch(java, jars, settings.heap_mib)


class LocalCluster:
    """The nodes of one cluster, by datacentre."""

    def __init__(self, folder: Path, datacenters: list[str], launch: Launch) -> None:
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / _ADDRESSES
        before = json.loads(kept.read_text()) if kept.exists() else []
        addresses = free_addresses(len(datacenters), random.SystemRandom(), before)
        kept.write_text(json.dumps(addresses))
        places = places_of(datacenters, addresses, folder, launch.heap_mib, launch.options)
        self.nodes = {each.datacenter: Node(each, launch.java, launch.jars) for each in places}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def addresses(self) -> list[str]:
        """Where the nodes answer CQL, at `config.CQL_PORT`."""
        return [node.place.address for node in self.nodes.values()]

    def start(self) -> None:
        """Start every node that does not run."""
        for node in self.nodes.values():
            if node.pid is None:
                node.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until every node answers CQL and agrees with all others on the schema."""
        until = time.monotonic() + timeout_s
        for node in self.nodes.values():
            _wait(node, self.nodes.keys() - {node.place.datacenter}, until)

    def stop(self, grace_s: float) -> None:
        """End every node in order; all at once, so that the grace counts once."""
        until = time.monotonic() + grace_s
        for node in self.nodes.values():
            node.terminate()
        for node in self.nodes.values():
            node.stop(max(until - time.monotonic(), 0.0))

    def kill(self) -> None:
        """End every node now."""
        for node in self.nodes.values():
            node.kill()


def _wait(node: Node, others: set[str], until: float) -> None:
    while lack := _lacks(node.place, others):
        node.check_alive()
        if time.monotonic() > until:
            raise NodeError(
                f"the Cassandra node of {node.place.datacenter} is not ready in time: {lack}. "
                f"It said last:\n{node.last_words()}",
                f"Look into {node.place.log}, or raise [cassandra] ready_timeout_ms.",
            )
        time.sleep(_LOOK_EVERY_S)


def _lacks(place: Place, others: set[str]) -> str:
    """What keeps this node from being ready, "" when nothing does."""
    try:
        missing = others - known_datacenters(place.address, place.cql_port)
    except CqlError as error:
        return f"no answer ({error})"
    return f"it does not agree with {', '.join(sorted(missing))} yet" if missing else ""
