"""Cores of several regions that share one NATS server, as far as signals go."""

import asyncio
import io
import shutil
import socket
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.contract.log import Log
from core.contract.sections.common import NatsSettings
from core.engine.signals import Beat, Signals
from tests.support.wait import until


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
