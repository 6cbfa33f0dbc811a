"""Three Cassandra datacentres for all tests that ask for them, started by the first one.

A test that asks for the fixture `cassandra` (or a parameter of a test that will) is marked
`cassandra` and left out of `make test-fast`. Where Java or Maven is not installed, it is skipped.
"""

import os
import shutil
import sys
from collections.abc import Iterator

import msgspec
import pytest

from core.contract.sections.cassandra import CassandraSettings
from core.supervisor.cassandra.cluster import LocalCluster, prepare
from core.supervisor.cassandra.programs import MissingError

DATACENTERS = ["eu", "us", "ap"]
# The first test waits for the start of three JVMs, the first ever for Maven too.
TIMEOUT_S = 600
# Starts with two thirds of the CPU; what the compiler costs at full load does not matter here. What
# Cassandra writes about itself stays durable: a node that is killed has to come again with its
# tables.
QUICK_START = ("-XX:TieredStopAtLevel=1",)


def mark_cassandra(items: list[pytest.Item]) -> None:
    """Mark what asks for the nodes, and give it the time that their start takes.

    These tests come last: three nodes cost a tenth of a machine from the first one that asks on.
    """
    for item in items:
        if "cassandra" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cassandra)
        if item.get_closest_marker("cassandra") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
    items.sort(key=lambda item: item.get_closest_marker("cassandra") is not None)


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Datacentres eu, us and ap, ready; a test uses keyspaces of its own."""
    settings = CassandraSettings()
    try:
        launch = prepare(settings, os.environ, lambda text: print(text, file=sys.stderr))
    except MissingError as error:
        pytest.skip(str(error))
    launch = msgspec.structs.replace(launch, options=QUICK_START)
    folder = tmp_path_factory.mktemp("cassandra")
    try:
        with LocalCluster(folder, DATACENTERS, launch) as cluster:
            cluster.wait_ready(settings.ready_timeout_ms / 1000)
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
