"""Nodes beside each other, their start and their death, with a program that plays the JVM."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.supervisor.cassandra.addresses import free_addresses
from core.supervisor.cassandra.cluster import Launch, LocalCluster
from core.supervisor.cassandra.config import CQL_PORT, STORAGE_PORT, command_of, files_of, places_of
from core.supervisor.cassandra.node import NodeError
from core.supervisor.cassandra.programs import CassandraError
from tests.support.up import alive

DATACENTERS = ["eu", "us", "ap"]
SLEEPS = "#!/bin/sh\nexec sleep 60\n"
DIES = """#!/bin/sh
for word in "$@"; do case "$word" in -Dgoutong.log=*) log="${word#*=}";; esac; done
printf 'INFO one\\nERROR the disk is full\\n\\tat java.io.File\\n' > "$log"
exit 3
"""


def launch(tmp_path: Path, script: str) -> Launch:
    java = tmp_path / "java"
    java.write_text(script)
    java.chmod(0o755)
    return Launch(str(java), tmp_path, 300)


def test_each_node_is_told_its_own_place_and_all_others() -> None:
    places = places_of(DATACENTERS, ["127.9.9.1", "127.9.9.2", "127.9.9.3"], Path("/d"))
    files = [files_of(place) for place in places]
    for place, told in zip(places, files, strict=True):
        assert f'listen_address: "{place.address}"' in told["cassandra.yaml"]
        assert '"127.9.9.1:7000,127.9.9.2:7000,127.9.9.3:7000"' in told["cassandra.yaml"]
        assert told["cassandra-rackdc.properties"] == f"dc={place.datacenter}\nrack=r1\n"
    tokens = [told["cassandra.yaml"].partition("initial_token:")[2].split()[0] for told in files]
    assert len(set(tokens)) == 3


def test_the_promises_settings_are_set_and_jmx_is_not() -> None:
    (place,) = places_of(["eu"], ["127.9.9.1"], Path("/d"))
    lines = files_of(place)["cassandra.yaml"].splitlines()
    assert {"commitlog_sync: group", "paxos_variant: v2", "max_hint_window: 3h"} <= set(lines)
    command = command_of(place, "java", Path("/jars"))
    assert not [word for word in command if "jmx.local.port" in word or "jmxremote" in word]
    assert command[-1] == "org.apache.cassandra.service.CassandraDaemon"


@pytest.mark.parametrize("port", [STORAGE_PORT, CQL_PORT])
def test_a_block_in_use_is_left_alone(port: int) -> None:
    first = free_addresses(3, random.Random(7))
    with socket.socket() as stranger:
        stranger.bind((first[1], port))
        stranger.listen()
        again = free_addresses(3, random.Random(7))
        kept = free_addresses(3, random.Random(9), first)
    assert not {*again, *kept} & set(first)
    assert free_addresses(3, random.Random(9), first) == first


def test_no_free_block_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.supervisor.cassandra.addresses._is_free", lambda _: False)
    with pytest.raises(CassandraError, match="no free block of 3"):
        free_addresses(3, random.Random(1))


def test_the_same_folder_has_the_same_addresses(tmp_path: Path) -> None:
    given = launch(tmp_path, SLEEPS)
    first = LocalCluster(tmp_path / "c", DATACENTERS, given)
    assert LocalCluster(tmp_path / "c", DATACENTERS, given).addresses == first.addresses
    assert LocalCluster(tmp_path / "d", DATACENTERS, given).addresses != first.addresses


def test_a_node_that_dies_says_why(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "c", ["eu"], launch(tmp_path, DIES))
    cluster.start()
    with pytest.raises(NodeError, match="node of eu ended with code 3") as raised:
        cluster.wait_ready(20)
    assert raised.value.what.endswith("INFO one\nERROR the disk is full")
    assert str(tmp_path / "c" / "eu" / "system.log") in raised.value.mend


def test_a_jvm_that_does_not_start_says_why(tmp_path: Path) -> None:
    """What it logged in an earlier life is not its word of today."""
    given = launch(tmp_path, "#!/bin/sh\necho 'Could not reserve enough space' >&2\nexit 1\n")
    cluster = LocalCluster(tmp_path / "c", ["eu"], given)
    (tmp_path / "c" / "eu").mkdir()
    (tmp_path / "c" / "eu" / "system.log").write_text("INFO of an earlier life\n")
    cluster.start()
    with pytest.raises(NodeError, match="Could not reserve enough space"):
        cluster.wait_ready(20)


def test_a_node_that_never_answers_is_named(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "c", ["eu"], launch(tmp_path, SLEEPS))
    cluster.start()
    with pytest.raises(NodeError, match="node of eu is not ready in time: no answer"):
        cluster.wait_ready(0.3)
    cluster.kill()


def test_stopping_ends_every_node_also_a_frozen_one(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "c", DATACENTERS, launch(tmp_path, SLEEPS))
    cluster.start()
    pids = [node.pid for node in cluster.nodes.values()]
    assert all(pid is not None and alive(pid) for pid in pids)
    cluster.nodes["us"].send(signal.SIGSTOP)
    cluster.stop(10)
    assert not [pid for pid in pids if pid is not None and alive(pid)]


def test_a_node_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    launch(tmp_path, SLEEPS)
    code = (
        "import pathlib, time\n"
        "from core.supervisor.cassandra.cluster import Launch, LocalCluster\n"
        f"place = pathlib.Path({str(tmp_path)!r})\n"
        "cluster = LocalCluster(place / 'c', ['eu'], Launch(str(place / 'java'), place, 300))\n"
        "cluster.start()\n"
        "print(cluster.nodes['eu'].pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=dict(os.environ)
    ) as keeper:
        assert keeper.stdout is not None
        pid = int(keeper.stdout.readline())
        time.sleep(0.3)  # the tether has become the program by then, or dies the same way
        assert alive(pid)
        keeper.kill()
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(pid)


def test_a_second_node_on_one_folder_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.supervisor.cassandra.node._LOCK_WAIT_MS", 100)
    given = launch(tmp_path, SLEEPS)
    with LocalCluster(tmp_path / "c", ["eu"], given) as first:
        time.sleep(0.3)
        second = LocalCluster(tmp_path / "c", ["eu"], given)
        second.start()
        with pytest.raises(NodeError, match="still held"):
            second.wait_ready(10)
        assert first.nodes["eu"].pid is not None
