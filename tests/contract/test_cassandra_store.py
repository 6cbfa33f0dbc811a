"""`goutong store` on real nodes: what it refuses, what it makes, what it says."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cassandra.cluster import Cluster

from core.supervisor.cassandra.cluster import LocalCluster
from tests.support.cassandra import DATACENTERS

Environ = dict[str, str]


@pytest.fixture
def environ(cassandra: LocalCluster) -> Iterator[Environ]:
    """The settings of region eu, with a keyspace of this test's own."""
    keyspace = f"store_{uuid.uuid4().hex[:12]}"
    yield {
        **os.environ,
        "GOUTONG_REGION_NAME": "eu",
        "GOUTONG_REGIONS_NAMES": ",".join(DATACENTERS),
        "GOUTONG_STORE_KIND": "cassandra",
        "GOUTONG_CASSANDRA_CONTACT_POINTS": cassandra.nodes["eu"].place.address,
        "GOUTONG_CASSANDRA_REPLICATION": ",".join(f"{name}=1" for name in DATACENTERS),
        "GOUTONG_CASSANDRA_KEYSPACE": keyspace,
        "GOUTONG_CASSANDRA_PRODUCTION": "false",
        "GOUTONG_PROTOCOL_CLOCK_BOUND_MS": "10000",  # of a machine that may be busy
    }
    run_cql(cassandra, f"DROP KEYSPACE IF EXISTS {keyspace}")


def run_cql(cassandra: LocalCluster, *texts: str) -> None:
    cluster = Cluster([cassandra.nodes["eu"].place.address])
    try:
        session = cluster.connect()
        for text in texts:
            session.execute(text, timeout=30)
    finally:
        cluster.shutdown()


def store(environ: Environ, *words: str, **changed: str) -> tuple[int, dict[str, Any]]:
    """The exit code and what it said as JSON."""
    ended = subprocess.run(
        [sys.executable, "-m", "core.cli", "store", *words, "--json"],
        env={**environ, **{f"GOUTONG_CASSANDRA_{name}": text for name, text in changed.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = ended.stdout or ended.stderr.splitlines()[-1]
    return ended.returncode, json.loads(said)


def rules(said: dict[str, Any]) -> dict[str, str]:
    return {each["rule"]: each["level"] for each in said["findings"]}


def test_init_makes_the_tables_once_and_check_finds_them(environ: Environ) -> None:
    code, said = store(environ, "check")
    assert (code, rules(said)) == (1, {"schema": "refuse"})
    assert "store init" in said["findings"][0]["mend"]
    code, said = store(environ, "upgrade")
    assert (code, rules(said)) == (1, {"schema": "refuse"})
    code, made = store(environ, "init")
    assert (code, made["ok"], made["findings"]) == (0, True, [])
    assert made["shards"] == dict.fromkeys(DATACENTERS, 64)
    assert made["hint_window_ms"] == 10_800_000
    code, said = store(environ, "check")
    assert (code, said["findings"]) == (0, [])
    assert {each["datacenter"] for each in said["nodes"]} == set(DATACENTERS)
    # What the store was made with stays.
    environ["GOUTONG_REGION_HOME_SHARDS"] = "32"
    for action in ("init", "upgrade"):
        code, again = store(environ, action)
        assert (code, again["shards"]) == (0, made["shards"])


def test_what_does_not_fit_the_cluster_is_refused_and_nothing_is_made(environ: Environ) -> None:
    code, said = store(environ, "init", PRODUCTION="true")
    assert code == 1
    assert rules(said)["replication_small"] == "refuse"
    code, said = store(environ, "init", REPLICATION="eu=1,mars=1,ap=2")
    assert code == 1
    assert {"datacenter_unknown", "replication_too_large"} <= rules(said).keys()
    code, said = store(environ, "check")
    assert said["schema"] is None


def test_tables_that_were_altered_or_are_of_another_release_are_refused(
    environ: Environ, cassandra: LocalCluster
) -> None:
    assert store(environ, "init")[0] == 0
    keyspace = environ["GOUTONG_CASSANDRA_KEYSPACE"]
    run_cql(
        cassandra,
        f"ALTER TABLE {keyspace}.shards WITH read_repair = 'NONE'",
        f"ALTER KEYSPACE {keyspace} WITH durable_writes = false",
        f"UPDATE {keyspace}.meta SET value = '99' WHERE one = 1 AND name = 'version' IF EXISTS",
    )
    code, said = store(environ, "check", REPLICATION="eu=1,us=1")
    assert code == 1
    assert rules(said) == dict.fromkeys(
        ("read_repair", "durable_writes", "replication_differs", "schema"), "refuse"
    )
    (schema,) = [each for each in said["findings"] if each["rule"] == "schema"]
    assert "newer release" in schema["mend"]
    assert store(environ, "init")[0] == 1
    tolerated = "read_repair,durable_writes,replication_differs,schema"
    code, said = store(environ, "check", REPLICATION="eu=1,us=1", TOLERATE=tolerated)
    assert (code, set(rules(said).values())) == (0, {"warn"})


def test_a_cluster_that_is_down_is_waited_for_and_named() -> None:
    environ = {
        **os.environ,
        "GOUTONG_CASSANDRA_CONTACT_POINTS": "127.0.0.1",
        "GOUTONG_CASSANDRA_PORT": "1",
    }
    code, said = store(environ, "check", "--wait", "1")
    assert code == 3
    assert "cannot be reached" in said["error"]
    assert "127.0.0.1 port 1" in said["mend"]


def test_without_a_node_it_is_said_which_setting_names_one() -> None:
    code, said = store(dict(os.environ), "check")
    assert code == 2
    assert "contact_points" in said["error"]
