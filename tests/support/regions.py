"""Several regions as a user starts them, and what can be done to one of them."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.up import Up
from tests.support.wait import until

ROLES = ["cassandra", "core", "edge", "nats", "supervisor"]


class Regions(Up):
    """One running `goutong up --regions`, or a stand-in for it."""

    said = ""

    @classmethod
    async def standing_in(cls, data: Path, *names: str) -> "Regions":
        """Without Cassandra; see tests.support.standin."""
        words = (sys.executable, "-m", "tests.support.standin", str(data), ",".join(names))
        return await cls.spawned(data, words, {}, 60.0)

    @classmethod
    async def spawned(
        cls, data: Path, words: tuple[str, ...], env: Mapping[str, str], timeout_s: float
    ) -> "Regions":
        """Start this program and wait for its first line."""
        up = await cls.launched(data, words, env)
        assert up.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = await up.process.stdout.readline()
        if not line:
            raise AssertionError(f"it ended: {await up.ended()}")
        up.line = json.loads(line)
        return up

    @classmethod
    async def launched(
        cls, data: Path, words: tuple[str, ...], env: Mapping[str, str]
    ) -> "Regions":
        """Start this program without waiting for anything."""
        process = await asyncio.create_subprocess_exec(
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **env},
            start_new_session=True,
        )
        up = cls(process, data)
        up.listening = asyncio.create_task(up.listen())
        return up

    listening: asyncio.Task[None]

    async def listen(self) -> None:
        """Keep what it says on standard error."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said += line.decode()

    async def ended(self, timeout_s: float = 60.0) -> tuple[int, str]:
        """Wait for its end: the exit code and what it said on standard error."""
        async with asyncio.timeout(timeout_s):
            code = await self.process.wait()
            await self.listening
        return code, self.said

    def url(self, region: str) -> str:
        """Where this region's edge answers."""
        return str(self.line["regions"][region]["url"])

    def processes_of(self, region: str) -> list[dict[str, Any]]:
        """The processes of this region now."""
        text = (self.data / region / "processes.json").read_text()
        return list(json.loads(text)["processes"])

    def pids_of(self, region: str) -> list[int]:
        return [each["pid"] for each in self.processes_of(region)]

    def supervisor_of(self, region: str) -> int:
        (pid,) = [p["pid"] for p in self.processes_of(region) if p["role"] == "supervisor"]
        return int(pid)

    def all_pids(self) -> list[int]:
        return [pid for region in self.line["regions"] for pid in self.pids_of(region)]

    def kill(self, region: str) -> list[int]:
        """Kill exactly this region by its pids, the supervisor first."""
        pids = self.pids_of(region)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it died with its supervisor
        return pids

    async def start_again(self, region: str, timeout_s: float = 60.0) -> None:
        """Have the launcher start what is gone, and wait until the region is ready."""
        before = self.supervisor_of(region)
        self.send(signal.SIGUSR1)

        def is_ready() -> bool:
            try:
                text = (self.data / region / "processes.json").read_text()
            except FileNotFoundError:
                return False
            state = json.loads(text)
            return bool(state["ready"]) and self.supervisor_of(region) != before

        await until(is_ready, timeout_s, 0.05)
