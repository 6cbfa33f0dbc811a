"""What somebody does on the first day: the demo, a message of their own, a second start."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import Up, all_gone
from tests.support.wait import until


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Up]]]:
    """Starts `goutong up` on one folder, and ends what the test left running."""
    started: list[Up] = []

    async def begin(*words: str) -> Up:
        started.append(await Up.start(tmp_path / "data", *words))
        return started[-1]

    yield begin
    for up in started:
        await up.end()


Start = Callable[..., Awaitable[Up]]


async def goutong(*words: str, timeout_s: float = 90.0) -> tuple[int, str, str]:
    """Run one command to its end: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "core.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(timeout_s):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def traced(data: Path, message_id: str) -> dict[str, Any]:
    code, out, err = await goutong("trace", message_id, "--data", str(data), "--json")
    assert code == 0, err
    return dict(json.loads(out))


async def test_demo_sends_both_and_leaves_nothing() -> None:
    code, out, err = await goutong("demo", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["ok"] is True
    assert {message["channel"]: message["status"] for message in told["messages"]} == {
        "email": "sent",
        "sms": "delivered",
    }
    assert {entry["wire"] for entry in told["history"]} == {"smtp", "smpp"}
    assert "Both arrived." in err


async def test_up_with_demo_prints_the_line_first_and_stays(start: Start) -> None:
    up = await start("--demo")
    assert up.line["ready"] is True
    assert up.process.stderr is not None
    async with asyncio.timeout(60):
        while b"Both arrived." not in await up.process.stderr.readline():
            pass
    assert up.process.returncode is None
    pids = [each["pid"] for each in up.processes()]
    up.send(signal.SIGINT)
    assert (await up.ended())[0] == 0
    await all_gone(pids, 0)


async def test_second_start_goes_on_where_the_first_stopped(start: Start) -> None:
    first = await start()
    data = first.data
    words = ["send", "--data", str(data), "--to", "+447700900123", "--text", "Once", "--wait"]
    code, out, err = await goutong(*words, "--json")
    assert code == 0, err
    (message,) = json.loads(out)["messages"]
    first.send(signal.SIGTERM)
    assert await first.ended() == (0, "")
    assert (await goutong("trace", message["id"], "--data", str(data)))[0] == 3

    second = await start()
    assert second.line["api_key"] == first.line["api_key"]
    assert second.region["url"] == first.region["url"]

    async def same() -> bool:
        return (await traced(data, message["id"]))["attempts"] == message["attempts"]

    await until(same)
    code, out, _ = await goutong("audit", "--data", str(data), "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["accepted"], told["lost"], told["violations"]) == (1, [], [])


@pytest.mark.slow
@pytest.mark.parametrize("role", ["edge", "core", "nats"])
async def test_messages_go_on_after_a_part_was_killed(start: Start, role: str) -> None:
    up = await start()
    before = up.process_of(role)
    os.kill(before["pid"], signal.SIGKILL)
    await until(lambda: up.process_of(role).get("restarts") == 1)

    async def sent() -> dict[str, Any] | None:
        words = ("send", "--data", str(up.data), "--to", "+447700900123", "--text", "After")
        code, out, _ = await goutong(*words, "--wait", "--json")
        return json.loads(out)["messages"][0] if code == 0 else None

    message = await until(sent, 30)
    assert message["status"] in ("sent", "delivered")
    assert up.process_of(role)["url"] == before["url"]
