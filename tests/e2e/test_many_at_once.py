"""Many recipients, batches and cancels at once, each with an outcome of its own that is true."""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from core import audit
from core.bench.mixed.reckon import untruth
from tests.support.load import sends
from tests.support.reckon import reckon
from tests.support.region import Region, running, wait_for

pytestmark = pytest.mark.slow
SMSC = "sandbox-smsc"
MANY, WRONG = 10_000, 37
LINES, BROKEN_EVERY = 5000, 100
KILL_AFTER = 1000


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running(tmp_path_factory.mktemp("many") / "data") as started:
        started.switch("sandbox-sms-http", False)
        yield started


def all_ended(region: Region) -> dict[str, Any]:
    """The audit once nothing is open."""
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(audit.run(region.data))
        return bool(found["open"] == 0)

    wait_for(settled, 60.0, lambda: found)
    assert (found["lost"], found["violations"]) == ([], [])
    return found


def test_a_cancel_that_races_the_send_is_answered_truthfully(region: Region) -> None:
    region.tune(SMSC, window=5)
    try:
        with region.behaving(SMSC, latency_ms=[10, 40]):
            told = asyncio.run(race(region, 300))
        found = reckon(region, told, "delivered", "canceled")
    finally:
        region.tune(SMSC, window=100)
    wrong = {m: untruth(found.messages[m], answered) for m, answered in told.items()}
    assert not {m: said for m, said in wrong.items() if said}
    assert not found.twice
    assert min(found.states["delivered"], found.states["canceled"]) > 0, found.states


async def race(region: Region, count: int) -> dict[str, str]:
    """Send and cancel so many, all at the same time; what each cancel was answered, by id."""
    headers = {"Authorization": f"Bearer {region.api_key}"}
    told: dict[str, str] = {}
    chance = random.Random(5)
    async with aiohttp.ClientSession(headers=headers) as session:

        async def one(number: int) -> None:
            body = {"to": {"phone": f"+4474{number:08d}"}, "content": {"text": "perhaps"}}
            async with session.post(f"{region.url}/v1/notifications", json=body) as answer:
                assert answer.status == 202
                message_id = (await answer.json())["messages"][0]["id"]
            await asyncio.sleep(chance.random() * 0.5)
            path = f"{region.url}/v1/messages/{message_id}/cancel"
            async with session.post(path) as answer:
                assert answer.status == 200, await answer.text()
                told[message_id] = (await answer.json())["status"]

        await asyncio.gather(*(one(number) for number in range(count)))
    return told


def test_of_many_recipients_each_has_its_own_outcome(region: Region) -> None:
    before = audit.run(region.data)
    wrong = random.Random(37).sample(range(MANY), WRONG)
    to = [{"phone": f"+4475{number:08d}"} for number in range(MANY)]
    for place, index in enumerate(wrong):
        to[index] = [{"phone": "12345"}, {"email": "no"}, {}][place % 3]
    told = region.notify({"to": to, "content": {"text": "all of you"}, "channel": "sms"})
    assert told.status == 202, told.body[:500]
    outcomes = told.json()["messages"]
    assert [one["index"] for one in outcomes] == list(range(MANY))
    rejected = [one for one in outcomes if one["status"] == "rejected"]
    assert sorted(one["index"] for one in rejected) == sorted(wrong)
    for one in rejected:
        assert one["errors"][0]["pointer"].startswith(f"/to/{one['index']}")
        assert one["errors"][0]["hint"]
    ids = {one["id"] for one in outcomes if one["status"] != "rejected"}
    assert len(ids) == MANY - WRONG
    after = all_ended(region)
    assert after["accepted"] - before["accepted"] == len(ids)
    count = sends(region.history())
    assert {count[message_id] for message_id in ids} == {1}


def line(number: int) -> bytes:
    if number % BROKEN_EVERY == 7:
        return b'{"to": {"phone": "+4476'
    body = {"to": {"phone": f"+4476{number:08d}"}, "content": {"text": f"line {number}"}}
    return json.dumps(body).encode()


def test_a_batch_over_a_crash_has_an_outcome_for_each_line(region: Region) -> None:
    """What was answered 202 is sent once or marked; the same batch again brings in the rest."""
    first = asyncio.run(batch(region, kill_after=KILL_AFTER))
    again = asyncio.run(batch(region))
    good = [number for number in range(LINES) if number % BROKEN_EVERY != 7]
    for outcomes in (first, again):
        assert [one["index"] for one in outcomes] == list(range(LINES))
        broken = [one for one in outcomes if one["index"] % BROKEN_EVERY == 7]
        assert {one["status"] for one in broken} == {400}
    assert {first[number]["status"] for number in good} <= {202, 503}
    assert {again[number]["status"] for number in good} == {202}
    ids = {number: again[number]["body"]["messages"][0]["id"] for number in good}
    for number in good:
        if first[number]["status"] == 202:
            assert first[number]["body"]["messages"][0]["id"] == ids[number]
    reckon(region, ids.values(), "delivered", "sent")
    texts = Counter(e["text"] for e in region.history() if e["effective"])
    assert all(texts[f"line {number}"] in (1, 2) for number in good)


async def batch(region: Region, kill_after: int = 0) -> list[dict[str, Any]]:
    """The lines, and their outcomes as they come; the core is killed after so many of them."""
    headers = {
        "Authorization": f"Bearer {region.api_key}",
        "Content-Type": "application/x-ndjson",
        "Idempotency-Key": "the-batch",
    }
    body = b"\n".join(line(number) for number in range(LINES))
    url = f"{region.url}/v1/notifications/batch"
    outcomes = []
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        async for one in answer.content:
            outcomes.append(json.loads(one))
            if len(outcomes) == kill_after:
                kill_core(region)
    return outcomes


def kill_core(region: Region) -> None:
    processes = json.loads((region.data / "processes.json").read_text())["processes"]
    [pid] = [each["pid"] for each in processes if each["role"] == "core"]
    os.kill(pid, signal.SIGKILL)
