"""Several regions from one launcher: what it shows, and what it does when one of them goes.

The store is stood in for (tests.support.standin); everything else is as in production.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.region import ask
from tests.support.regions import ROLES, Regions
from tests.support.up import alive, all_gone
from tests.support.wait import until

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
    await all_gone(pids)
