"""`goutong store` on a real node whose settings break promises: each is told, and all is refused.

The node is one of its own, for the settings of a node do not change while it runs.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from core.contract.sections.cassandra import CassandraSettings
from core.supervisor.cassandra import node as node_module
from core.supervisor.cassandra.cluster import LocalCluster, prepare
from core.supervisor.cassandra.config import Place, files_of
from core.supervisor.cassandra.programs import MissingError
from sync.store.cassandra.check.findings import findings
from sync.store.cassandra.check.read import read
from sync.store.cassandra.check.seen import Seen, Wanted
from sync.store.cassandra.settings import CassandraSettings as StoreSettings
from tests.support.cassandra import QUICK_START

pytestmark = pytest.mark.cassandra
CLOCK_BOUND_MS = 10_000  # of a machine that may be busy
BAD = {
    "commitlog_sync": "periodic\ncommitlog_sync_period: 10s",
    "commitlog_sync_group_window": None,
    "paxos_variant": "v1",
    "max_hint_window": "1h",
    "hinted_handoff_enabled": "false",
}


def spoiled(place: Place) -> dict[str, str]:
    """The node's files with what promises rest on taken away, as an unchanged Cassandra has it."""
    files = files_of(place)
    for name, value in BAD.items():
        line = "" if value is None else f"{name}: {value}"
        files["cassandra.yaml"], count = re.subn(
            rf"^{name}: .*$", line, files["cassandra.yaml"], flags=re.MULTILINE
        )
        assert count == 1
    files["cassandra.yaml"] += "commit_failure_policy: ignore\npaxos_repair_enabled: false\n"
    return files


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    try:
        launch = prepare(CassandraSettings(), os.environ, print)
    except MissingError as error:
        pytest.skip(str(error))
    launch = msgspec.structs.replace(launch, options=QUICK_START)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_module, "files_of", spoiled)
        with LocalCluster(tmp_path_factory.mktemp("bad"), ["eu"], launch) as cluster:
            cluster.wait_ready(300)
            yield StoreSettings(tuple(cluster.addresses), "eu", {"eu": 1}, keyspace="bad")


@pytest.fixture(scope="module")
def seen(bad: StoreSettings) -> Seen:
    return read(bad)


def wanted(bound_ms: int, *tolerated: str) -> Wanted:
    return Wanted("eu", {"bad": {"eu": 1}}, False, bound_ms, 1, "init", frozenset(tolerated))


def test_a_real_node_tells_what_breaks_promises(seen: Seen) -> None:
    found = {each.rule: each.level for each in findings(seen, wanted(CLOCK_BOUND_MS))}
    assert found == {
        "commitlog_sync": "refuse",
        "commit_failure_policy": "refuse",
        "paxos_variant": "refuse",
        "paxos_repair": "warn",
        "hints_off": "warn",
    }


def test_its_clock_is_this_machine_s(seen: Seen) -> None:
    (node,) = seen.nodes
    assert node.clock_ms is not None
    low_ms, high_ms = node.clock_ms
    assert low_ms <= 1
    assert high_ms >= -1
    assert high_ms - low_ms < CLOCK_BOUND_MS


def test_the_command_refuses_and_makes_nothing(bad: StoreSettings) -> None:
    def init(*changed: str) -> tuple[int, str]:
        environ = {
            **os.environ,
            "GOUTONG_REGION_NAME": "eu",
            "GOUTONG_CASSANDRA_CONTACT_POINTS": bad.addresses[0],
            "GOUTONG_CASSANDRA_REPLICATION": "eu=1",
            "GOUTONG_CASSANDRA_KEYSPACE": "bad",
            "GOUTONG_CASSANDRA_PRODUCTION": "false",
            "GOUTONG_PROTOCOL_CLOCK_BOUND_MS": str(CLOCK_BOUND_MS),
            "GOUTONG_CASSANDRA_TOLERATE": ",".join(changed),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "core.cli", "store", "init"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return ended.returncode, ended.stdout

    code, said = init()
    assert code == 1
    assert "commitlog_sync is periodic" in said
    assert "nothing was changed" in said
    assert read(bad).keyspaces == {}
    code, said = init("commitlog_sync", "commit_failure_policy", "paxos_variant")
    assert code == 0
    assert said.count("(tolerated by setting)") == 3
    assert read(bad).keyspaces["bad"].replication == {"eu": 1}
