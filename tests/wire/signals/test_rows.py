"""Questions for rows between two regions whose cores share a NATS server."""

import asyncio
import io
import shutil
import socket
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import orjson
import pytest

from core.contract.log import Log
from core.contract.sections.common import NatsSettings
from core.engine.signals import QUESTIONS_MAX, Beat, Signals
from tests.support.wait import until

LOG = "accept.eu.normal_local.us1.0"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    program = str(installed) if installed.exists() else shutil.which("nats-server")
    assert program is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        program, "-a", "127.0.0.1", "-p", str(port), stderr=asyncio.subprocess.DEVNULL
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    await until(listens)
    yield f"nats://127.0.0.1:{port}"
    server.terminate()
    await server.wait()


class Core:
    """Signals of one core, and what they brought."""

    def __init__(self, url: str, region: str, name: str) -> None:
        self.beats: list[Beat] = []
        self.asked: list[tuple[str, int]] = []
        self._lines = io.BytesIO()
        self._log = Log(self._lines)
        self.signals = Signals(
            NatsSettings(url=url, reconnect_wait_ms=50),
            region,
            name,
            lambda: (1, {}, False),
            self.beats.append,
            lambda log, first: self.asked.append((log, first)),
            self._log,
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self.signals.run())
        await until(lambda: self.signals.connected)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def lines(self) -> list[dict[str, Any]]:
        self._log.flush()
        return [orjson.loads(line) for line in self._lines.getvalue().splitlines()]


@pytest.fixture
async def cores(url: str) -> AsyncIterator[dict[str, Core]]:
    made = {name: Core(url, name[:2], name) for name in ("eu1", "us1", "us2", "ap1")}
    for core in made.values():
        await core.start()
    await until(lambda: made["us1"].beats and made["us2"].beats)  # each has subscribed by now
    yield made
    for core in made.values():
        await core.stop()


async def test_one_core_of_the_writers_region_gets_the_question(cores: dict[str, Core]) -> None:
    for row in range(1, 21):
        cores["eu1"].signals.ask_row("us", LOG, row)
    us = [cores["us1"], cores["us2"]]
    await until(lambda: sum(len(core.asked) for core in us) >= 20)
    heard = len(us[0].beats)
    await until(lambda: len(us[0].beats) > heard)
    assert sorted(us[0].asked + us[1].asked) == [(LOG, row) for row in range(1, 21)]
    assert cores["ap1"].asked == cores["eu1"].asked == []


async def test_questions_wait_for_the_next_beat_up_to_a_bound(cores: dict[str, Core]) -> None:
    for row in range(1, QUESTIONS_MAX + 11):
        cores["eu1"].signals.ask_row("ap", LOG, row)
    await until(lambda: len(cores["ap1"].asked) >= QUESTIONS_MAX)
    assert cores["ap1"].asked == [(LOG, row) for row in range(11, QUESTIONS_MAX + 11)]


async def test_what_is_no_question_is_refused_with_its_reason(
    url: str, cores: dict[str, Core]
) -> None:
    stranger = await nats.connect(url)
    for bad in (b"", b"nonsense", b"\x92\x01\x01", b"\x92\xd9\xff" + b"x" * 255 + b"\x01"):
        await stranger.publish("goutong.eu.missing.ap", bad)
    await stranger.flush()
    await until(lambda: len(cores["ap1"].lines()) == 4)
    assert all(line["why"] and line["level"] == "warning" for line in cores["ap1"].lines())
    cores["eu1"].signals.ask_row("ap", LOG, 1)
    await until(lambda: cores["ap1"].asked == [(LOG, 1)])
    await stranger.close()


async def test_without_a_connection_nothing_is_kept(url: str) -> None:
    lonely = Core(url, "eu", "eu9")
    lonely.signals.ask_row("us", LOG, 1)
    other = Core(url, "us", "us9")
    await other.start()
    await lonely.start()

    def heard() -> bool:
        lonely.signals.ask_row("us", LOG, 2)
        return bool(other.asked)

    await until(heard)
    assert (LOG, 1) not in other.asked
    await lonely.stop()
    await other.stop()
