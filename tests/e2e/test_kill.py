"""kill -9 of any process in the middle of a load, ten times over (the first promise).

Afterwards the store's own audit and the sandbox's history agree: every message answered 202 has
an end, and was sent once, or was in doubt and is marked so.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core import audit
from tests.support.load import Client, history, sends
from tests.support.up import Up, all_gone
from tests.support.wait import until

LOAD = 5000
VICTIMS = [
    "core",
    "edge",
    "core",
    "supervisor",
    "nats",
    "core",
    "core",
    "supervisor",
    "edge",
    "core",
]


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_nothing_is_lost_and_nothing_sent_twice_unmarked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    up = await Up.start(data)
    table: list[dict[str, Any]] = []
    accepted: dict[str, str] = {}
    try:
        for number, victim in enumerate(VICTIMS):
            client = Client(up)
            up = await _round(up, client, victim, number * LOAD)
            accepted |= client.accepted
            table.append(await _reckon(up, victim, client, accepted))
            print(table[-1])
    finally:
        await up.end()
    assert sum(row["accepted"] for row in table) >= LOAD * len(VICTIMS) * 0.8


async def _round(up: Up, client: Client, victim: str, first: int) -> Up:
    """A load with a kill when a third of it is answered; the `up` that runs afterwards."""
    load = asyncio.create_task(client.post(LOAD, first))
    await until(lambda: len(client.accepted) > LOAD // 3, 60)
    before = up.processes()
    pid = up.process_of(victim)["pid"]
    os.kill(pid, signal.SIGKILL)
    if victim != "supervisor":
        await until(lambda: up.process_of(victim).get("pid") not in (pid, None), 30)
        await load
        return up
    load.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await load
    code, _ = await up.ended()
    assert code == 1
    await all_gone([process["pid"] for process in before])
    again = await Up.start(up.data)
    assert again.line["api_key"] == up.line["api_key"]
    return again


async def _reckon(up: Up, victim: str, client: Client, accepted: dict[str, str]) -> dict[str, Any]:
    """Wait until everything has its end, then compare answers, store and providers."""
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(audit.run(up.data))
        return bool(found["open"] == 0)

    await until(settled, 60, every_s=0.5)
    assert found["lost"] == []
    assert found["violations"] == []
    entries = await history(up.line["sandbox"])
    count = sends(entries)
    twice = [message for message, times in count.items() if times > 1]
    assert all(count[message] == 2 for message in twice), "more than once and once more"
    unsent = [message for message in accepted if count[message] == 0]
    for message in twice:
        assert (await _show(up, message))["possible_duplicate"], message
    for message in unsent:
        shown = await _show(up, message)
        assert shown["status"] == "unknown", shown
    texts = {e["ref"].split(".")[0]: e["text"] for e in entries if e["ref"]}
    assert all(texts.get(message, text) == text for message, text in accepted.items())
    return {
        "victim": victim,
        "answers": dict(client.answers),
        "accepted": len(client.accepted),
        "sent": sum(1 for message in client.accepted if count[message]),
        "in_doubt": found["possible_duplicates"] + found["states"].get("unknown", 0),
        "twice": len(twice),
    }


async def _show(up: Up, message: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {up.line['api_key']}"}
    address = f"{up.region['url']}/v1/messages/{message}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(address) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())
