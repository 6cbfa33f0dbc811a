"""`goutong up --regions` as a user starts it: Cassandra, hubs, cores and edges of three regions.

The times are longer than in production: the test machine has three JVMs to feed beside the rest.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core import audit
from core.supervisor.cassandra.programs import MissingError, find_java
from tests.support.region import Told, ask
from tests.support.regions import ROLES, Regions
from tests.support.up import alive, all_gone
from tests.support.wait import until

pytestmark = [pytest.mark.slow, pytest.mark.cassandra, pytest.mark.timeout(900)]
NAMES = ("eu", "us", "ap")
PATIENT = {
    "GOUTONG_PROTOCOL_LEASE_MS": "20000",
    "GOUTONG_PROTOCOL_WRITE_TIMEOUT_MS": "8000",
    "GOUTONG_PROTOCOL_ACCEPT_TIMEOUT_MS": "20000",
}
START_S = 400.0


async def start(data: Path, *words: str) -> Regions:
    command = (sys.executable, "-m", "core.cli", "up", "--json", "--data", str(data), *words)
    return await Regions.spawned(data, command, PATIENT, START_S)


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Regions]:
    try:
        find_java("", os.environ)
    except MissingError as error:
        pytest.skip(str(error))
    if shutil.which("mvn") is None:
        pytest.skip("needs Maven")
    started = await start(tmp_path / "data", "--regions", ",".join(NAMES))
    yield started
    await started.end()


def call(up: Regions, region: str, method: str, path: str, body: Any = None) -> Told:
    """The answer; status 0 where none came in time."""
    headers = {"Authorization": f"Bearer {up.line['api_key']}"}
    try:
        return ask(up.url(region), method, path, body, headers)
    except OSError:
        return Told(0, {}, b"")


async def sent(up: Regions, region: str) -> str:
    """A text message taken at this region's edge, once its provider has it; its id."""
    body = {"to": {"phone": "+447700900123"}, "content": {"text": f"from {region}"}}

    async def is_taken() -> Told | None:
        told = await asyncio.to_thread(call, up, region, "POST", "/v1/notifications", body)
        return told if told.status == 202 else None

    told = await until(is_taken, 120, 0.5)
    message = str(told.json()["messages"][0]["id"])

    async def has_arrived() -> bool:
        path = "/sandbox/history?limit=10000"
        history = (await asyncio.to_thread(ask, up.line["sandbox"], "GET", path)).json()["data"]
        return any(str(entry["ref"]).partition(".")[0] == message for entry in history)

    await until(has_arrived, 120, 0.5)
    return message


async def shown(up: Regions, region: str, message: str) -> dict[str, Any]:
    """The message as this region's edge shows it."""

    async def is_there() -> dict[str, Any] | None:
        told = await asyncio.to_thread(call, up, region, "GET", f"/v1/messages/{message}")
        return dict(told.json()) if told.status == 200 else None

    return dict(await until(is_there, 60, 0.5))


async def test_three_regions_come_up_lose_one_and_go_on_later(up: Regions) -> None:
    for name in NAMES:
        roles = sorted(each["role"] for each in up.line["regions"][name]["processes"])
        assert roles == ROLES
    messages = [await sent(up, name) for name in NAMES]
    for message in messages:
        assert (await shown(up, "ap", message))["id"] == message

    others = [up.supervisor_of(name) for name in ("eu", "ap")]
    await all_gone(up.kill("us"))
    await until(lambda: "region us ended" in up.said)
    messages += [await sent(up, name) for name in ("eu", "ap")]
    assert all(alive(pid) for pid in others)
    await up.start_again("us", START_S)
    messages.append(await sent(up, "us"))
    found = await asyncio.to_thread(audit.run, up.data, {**os.environ, **PATIENT})
    assert found["accepted"] >= len(messages)
    assert (found["lost"], found["violations"]) == ([], [])

    pids = up.all_pids()
    up.send(signal.SIGTERM)
    assert (await up.ended(120))[0] == 0
    await all_gone(pids, 0)
    again = await start(up.data)
    try:
        assert again.line["api_key"] == up.line["api_key"]
        assert {name: again.url(name) for name in NAMES} == {name: up.url(name) for name in NAMES}
        for message in messages:
            assert (await shown(again, "us", message))["id"] == message
        await sent(again, "eu")
    finally:
        await again.end()
