"""Two cores of one region: both work, and one goes on alone when the other is gone or frozen."""

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core import audit
from tests.support.load import Client, history, sends
from tests.support.reckon import hold
from tests.support.up import Up, alive
from tests.support.wait import until

LOAD = 1500
LEASE_S = 4.0
SHARDS = 64
VISIBLE_S = 2.0

pytestmark = [pytest.mark.slow]


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    """A region of two cores; all its shards are owned."""
    started = await Up.start(tmp_path / "data", "--cores", "2")
    try:
        await until(lambda: all_owned(started), 30)
        yield started
    finally:
        await started.end()


async def owned(up: Up) -> dict[int, int]:
    """How many shards each core that answers owns."""
    found: dict[int, int] = {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        for process in up.processes():
            if process["role"] == "core":
                try:
                    async with session.get(f"{process['url']}/status") as answer:
                        found[process["index"]] = (await answer.json())["shards"]
                except (aiohttp.ClientError, OSError, TimeoutError):
                    continue
    return found


async def all_owned(up: Up) -> bool:
    return sum((await owned(up)).values()) == SHARDS


async def busiest(up: Up) -> tuple[int, int]:
    """The core that owns most, and the other one."""
    found = await owned(up)
    most = max(found, key=lambda index: found[index])
    return most, 1 - most


async def api(up: Up, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {up.line['api_key']}", **more.pop("headers", {})}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, up.region["url"] + path, **more) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def reckoned(up: Up, accepted: dict[str, str]) -> Counter[str]:
    """Everything accepted has its end, at any core that is asked; how often each was sent."""
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(audit.run(up.data))
        return bool(found["open"] == 0)

    await until(settled, 60, every_s=0.2)
    assert (found["lost"], found["violations"]) == ([], [])
    sent = sends(await history(up.line["sandbox"]))
    for message_id in accepted:
        status, message = await api(up, "GET", f"/v1/messages/{message_id}")
        assert status == 200, message
        hold(message, sent[message_id])
    assert not [message for message, times in sent.items() if times > 2]
    return sent


async def test_messages_are_seen_whichever_core_is_asked(up: Up) -> None:
    body = {"content": {"text": "seen"}}
    await sandbox(up, "PUT", {"down": True})
    waiting = []
    for number in range(12):
        body["to"] = {"phone": f"+4474000009{number:02}"}  # type: ignore[assignment]
        status, answer = await api(up, "POST", "/v1/notifications", json=body)
        assert status == 202, answer
        waiting.append(answer["messages"][0]["id"])
        await until(lambda: visible(up, waiting[-1]), VISIBLE_S)
        # Each request may come to the other core.
        for _ in range(4):
            assert await visible(up, waiting[-1])
    for message_id in waiting[:6]:
        status, answer = await api(up, "POST", f"/v1/messages/{message_id}/cancel")
        assert (status, answer["status"]) == (200, "canceled")
    await sandbox(up, "DELETE", None)
    ranks = ["accepted", "queued", "sending", "sent", "delivered"]

    async def arrived(message_id: str, seen: list[int]) -> bool:
        _, message = await api(up, "GET", f"/v1/messages/{message_id}")
        seen.append(ranks.index(message["status"]))
        return bool(message["status"] == "delivered")

    for message_id in waiting[6:]:
        seen: list[int] = []
        await until(lambda m=message_id, s=seen: arrived(m, s), 20)  # type: ignore[misc]
        for _ in range(6):
            await arrived(message_id, seen)
        assert seen == sorted(seen), f"the status went back: {[ranks[n] for n in seen]}"
    for message_id in waiting[:6]:
        _, message = await api(up, "GET", f"/v1/messages/{message_id}")
        assert message["status"] == "canceled"


async def visible(up: Up, message_id: str) -> bool:
    """Whether the core that happens to be asked knows the message; it says so if not yet."""
    status, message = await api(up, "GET", f"/v1/messages/{message_id}")
    assert status == 200 or message["code"] == "not_yet_visible", message
    return status == 200


async def sandbox(up: Up, method: str, habits: Any) -> None:
    """Set the habits of all providers of text messages."""
    for provider in ("sandbox-smsc", "sandbox-sms-http"):
        path = f"{up.line['sandbox']}/sandbox/behaviour/{provider}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, path, json=habits) as answer,
        ):
            assert answer.status == 200


async def test_one_core_goes_on_when_the_other_is_killed(up: Up) -> None:
    keyed = {"to": {"phone": "+447400000999"}, "content": {"text": "keyed"}}
    answers = {}
    for number in range(8):
        headers = {"Idempotency-Key": f"before-{number}"}
        status, answers[number] = await api(
            up, "POST", "/v1/notifications", json=keyed, headers=headers
        )
        assert status == 202
    client = Client(up)
    load = asyncio.create_task(client.post(LOAD, 0))
    await until(lambda: len(client.accepted) > LOAD // 3, 60)
    index, other = await busiest(up)
    victim = up.process_of("core", index)
    os.kill(victim["pid"], signal.SIGKILL)
    killed = time.monotonic()
    for number in range(8):
        headers = {"Idempotency-Key": f"before-{number}"}
        status, answer = await api(up, "POST", "/v1/notifications", json=keyed, headers=headers)
        assert (status, answer) == (202, answers[number])

    async def other_has_taken_over() -> bool:
        return (await owned(up)).get(other, 0) > 0 and await all_owned(up)

    await until(other_has_taken_over, LEASE_S + 8)
    print(f"shards moved after {time.monotonic() - killed:.1f} s")
    await load
    accepted = client.accepted | {a["messages"][0]["id"]: "keyed" for a in answers.values()}
    sent = await reckoned(up, accepted)
    assert sum(1 for message in accepted if sent[message]) > LOAD * 0.8
    await until(lambda: up.process_of("core", index).get("pid", 0) != victim["pid"])


async def test_a_frozen_core_does_not_send_after_it_wakes(up: Up) -> None:
    index, other = await busiest(up)
    frozen = up.process_of("core", index)["pid"]
    client = Client(up)
    load = asyncio.create_task(client.post(LOAD, 100_000))
    await until(lambda: len(client.accepted) > LOAD // 3, 60)
    await freeze(up, frozen)
    try:

        async def other_has_all() -> bool:
            return (await owned(up)).get(other) == SHARDS

        await until(other_has_all, 2 * LEASE_S + 8)
        await load
        await until(lambda: audit.run(up.data)["open"] == 0, 30, every_s=0.2)
        before = len(await history(up.line["sandbox"]))
    finally:
        os.kill(frozen, signal.SIGCONT)
    # It finds itself revoked, ends, and comes back as another incarnation with empty hands.
    await until(lambda: up.process_of("core", index).get("pid", frozen) != frozen, 15)
    assert not alive(frozen)
    sent = await reckoned(up, client.accepted)
    late = (await history(up.line["sandbox"]))[before:]
    assert [entry for entry in late if entry["effective"]] == []
    assert sum(1 for message in client.accepted if sent[message]) > LOAD * 0.8


async def test_a_short_freeze_of_the_whole_region_loses_nothing(up: Up) -> None:
    """Longer than a lease, and nobody is there to take over: all cores stand still."""
    client = Client(up)
    load = asyncio.create_task(client.post(LOAD, 200_000))
    await until(lambda: len(client.accepted) > LOAD // 3, 60)
    pids = [process["pid"] for process in up.processes() if process["role"] == "core"]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(LEASE_S + 2)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    await load
    sent = await reckoned(up, client.accepted)
    assert sum(1 for message in client.accepted if sent[message]) > LOAD * 0.8


async def freeze(up: Up, pid: int) -> None:
    """Stop the process while it does not hold the journal's lock: with it, all would stand still
    until it wakes, which is SQLite's nature."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        with closing(sqlite3.connect(up.data / "journal.db", timeout=1.0)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0.003)


async def test_a_second_up_on_the_same_folder_is_told_so(up: Up) -> None:
    second = await Up.begin(up.data, env={"GOUTONG_SUPERVISOR_LOCK_WAIT_MS": "300"})
    code, said = await second.ended()
    assert code == 1
    assert "another `goutong up` runs on this folder" in said
    assert "--data" in said
    status, _ = await api(up, "GET", "/v1/templates")
    assert status == 200
