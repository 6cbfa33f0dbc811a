"""Several regions from one launcher: what it shows, and what it does when one of them goes.

The store is stood in for (tests.support.standin); everything else is as in production.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from core.supervisor.gateways import outbound_of
from core.supervisor.probe import body_of
from tests.support.region import ask
from tests.support.regions import ROLES, Regions
from tests.support.up import alive, all_gone
from tests.support.wait import until

pytestmark = pytest.mark.slow
NAMES = ("eu", "us", "ap")


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Regions]:
    started = await Regions.standing_in(tmp_path / "data", *NAMES)
    yield started
    await started.end()


def send(up: Regions, region: str) -> str:
    """Send a text message at this region's edge; its id."""
    told = ask(
        up.url(region),
        "POST",
        "/v1/notifications",
        {"to": {"phone": "+447700900123"}, "content": {"text": f"from {region}"}},
        {"Authorization": f"Bearer {up.line['api_key']}"},
    )
    assert told.status == 202, told.body
    return str(told.json()["messages"][0]["id"])


async def arrived(up: Regions, message: str) -> None:
    def look() -> bool:
        history = ask(up.line["sandbox"], "GET", "/sandbox/history?limit=10000").json()["data"]
        return any(str(entry["ref"]).partition(".")[0] == message for entry in history)

    await until(look, 20, 0.05)


async def works(up: Regions, region: str) -> None:
    """A message sent at this region's edge reaches the sandbox."""
    await arrived(up, await asyncio.to_thread(send, up, region))


async def is_joined(up: Regions, region: str) -> bool:
    """Whether this region's hub has a gateway to each of the others."""
    port = json.loads((up.data / region / "ports.json").read_text())["nats-http"]
    outbound = outbound_of(await body_of(f"http://127.0.0.1:{port}/gatewayz"))
    return outbound == set(NAMES) - {region}


async def test_the_first_line_has_every_region_with_its_own_processes(up: Regions) -> None:
    line = up.line
    assert set(line) == {"ready", "api_key", "admin_key", "sandbox", "regions"}
    assert list(line["regions"]) == list(NAMES)
    seen: set[int] = set()
    for name, region in line["regions"].items():
        roles = sorted(process["role"] for process in region["processes"])
        assert roles == [role for role in ROLES if role != "cassandra"]
        pids = {process["pid"] for process in region["processes"]}
        assert all(alive(pid) for pid in pids)
        assert not pids & seen
        seen |= pids
        (edge,) = [each for each in region["processes"] if each["role"] == "edge"]
        assert edge["url"] == region["url"]
        status = ask(region["url"], "GET", "/status").json()
        assert {each["pid"] for each in status["processes"]} == pids, name
    assert len({up.url(name) for name in NAMES}) == 3
    for name in NAMES:
        await works(up, name)


async def test_a_killed_region_stays_gone_until_it_is_started_again(up: Regions) -> None:
    others = [pid for name in ("eu", "ap") for pid in up.pids_of(name)]
    killed = up.kill("us")
    await all_gone(killed)
    await until(lambda: "region us ended" in up.said)
    assert f"kill -USR1 {up.pid}" in up.said
    for name in ("eu", "ap"):
        await works(up, name)
    assert all(alive(pid) for pid in others)
    assert "started again" not in up.said
    await up.start_again("us")
    assert all(alive(pid) for pid in others)
    await works(up, "us")
    for name in NAMES:
        await until(partial(is_joined, up, name), 30)
    # And once more, so that its end is noticed each time.
    up.kill("us")
    await until(lambda: up.said.count("region us ended") == 2)


async def test_the_launcher_stays_when_all_regions_are_gone(up: Regions) -> None:
    killed = [pid for name in NAMES for pid in up.kill(name)]
    await all_gone(killed)
    await until(lambda: up.said.count("ended with code") == 3)
    assert ask(up.line["sandbox"], "GET", "/sandbox/history?limit=1").status == 200
    await asyncio.gather(*(up.start_again(name) for name in NAMES))
    for name in NAMES:
        await works(up, name)


async def test_told_to_stop_it_leaves_nothing_and_a_second_start_goes_on(up: Regions) -> None:
    pids = up.all_pids()
    up.send(signal.SIGTERM)
    code, said = await up.ended()
    assert (code, said) == (0, "")
    await all_gone(pids, 0)
    again = await Regions.standing_in(up.data, *NAMES)
    try:
        for what in ("api_key", "admin_key", "sandbox"):
            assert again.line[what] == up.line[what]
        assert [again.url(name) for name in NAMES] == [up.url(name) for name in NAMES]
        await works(again, "ap")
    finally:
        await again.end()


async def test_a_launcher_that_is_killed_takes_every_region_with_it(up: Regions) -> None:
    pids = up.all_pids()
    up.send(signal.SIGKILL)
    await all_gone(pids, 30)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("eu,us,eu", "eu is named twice"),
        ("eu,,ap", "'' is no name of a region"),
        ("eu,Us", "'Us' is no name of a region"),
    ],
)
def test_names_that_cannot_be_are_refused_before_anything_is_made(
    tmp_path: Path, given: str, said: str
) -> None:
    code, told = goutong_up(tmp_path / "data", "--regions", given)
    assert code == 2
    assert said in told
    assert not (tmp_path / "data").exists()


def test_what_is_missing_for_cassandra_is_told(tmp_path: Path) -> None:
    data, regions = tmp_path / "data", ("--regions", "eu,us,ap")
    code, told = goutong_up(data, *regions, GOUTONG_CASSANDRA_JAVA="/nowhere/java")
    assert code == 1
    assert "Java 17 is needed" in told and "Install JDK 17" in told
    new = {"GOUTONG_CASSANDRA_FOLDER": str(tmp_path / "none"), "GOUTONG_CASSANDRA_MAVEN": "no-mvn"}
    if shutil.which("java"):
        code, told = goutong_up(data, *regions, **new)
        assert code == 1
        assert "Maven is needed to fetch Cassandra, and no-mvn was not found" in told
    assert not (data / "regions.json").exists()


async def test_a_cluster_of_ones_own_that_is_down_is_waited_for(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        own = {"GOUTONG_CASSANDRA_CONTACT_POINTS": "127.0.0.1", "GOUTONG_CASSANDRA_PORT": port}
        words = ("up", "--json", "--data", str(tmp_path / "data"), "--regions", "eu,us,ap")
        command = (sys.executable, "-m", "core.cli", *words)
        up = await Regions.launched(tmp_path / "data", command, own)
        await until(lambda: "waiting for it" in up.said, 60)
        assert "cannot be" in up.said and "127.0.0.1" in up.said
        roles = {each["role"] for name in NAMES for each in up.processes_of(name)}
        assert roles == {"supervisor", "nats"}
        pids = [pid for name in NAMES for pid in up.pids_of(name)]
        up.send(signal.SIGTERM)
        assert (await up.ended())[0] == 0
        await all_gone(pids, 0)


def goutong_up(data: Path, *words: str, **env: str) -> tuple[int, str]:
    """A start that fails: its exit code, and what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", "up", "--data", str(data), *words],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr
