"""`goutong up` as a user starts it: a process of its own, known by what it prints."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.wait import until


def alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and was not collected yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


class Up:
    """One running `goutong up --json`."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path) -> None:
        self.process = process
        self.data = data
        self.line: dict[str, Any] = {}

    @classmethod
    async def begin(cls, data: Path, *arguments: str, env: Mapping[str, str] | None = None) -> "Up":
        """Start it without waiting for anything."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "core.cli", "up", "--json", "--data", str(data), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        return cls(process, data)

    @classmethod
    async def start(
        cls,
        data: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> "Up":
        """Start it and wait for its first line."""
        up = await cls.begin(data, *arguments, env=env)
        assert up.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = await up.process.stdout.readline()
        if not line:
            raise AssertionError(f"goutong up ended: {await up.ended()}")
        up.line = json.loads(line)
        return up

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def region(self) -> dict[str, Any]:
        """The only region, as the first line showed it."""
        (region,) = self.line["regions"].values()
        return dict(region)

    def processes(self) -> list[dict[str, Any]]:
        """The processes of now."""
        return list(json.loads((self.data / "processes.json").read_text())["processes"])

    def process_of(self, role: str, index: int = 0) -> dict[str, Any]:
        """The process with this role now; it may be away."""
        found = [each for each in self.processes() if each["role"] == role]
        return next((each for each in found if each.get("index", 0) == index), {})

    def send(self, number: int) -> None:
        """Signal the launcher alone."""
        self.process.send_signal(number)

    async def ended(self, timeout_s: float = 30.0) -> tuple[int, str]:
        """Wait for its end: the exit code and what it said on standard error."""
        async with asyncio.timeout(timeout_s):
            _, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()

    async def end(self) -> None:
        """End it however it stands; for the end of a test."""
        if self.process.returncode is None:
            self.send(signal.SIGINT)
            with contextlib.suppress(TimeoutError):
                await self.ended()
        if self.process.returncode is None:
            self.send(signal.SIGKILL)
            await self.process.wait()


async def all_gone(pids: list[int], timeout_s: float = 10.0) -> None:
    """Wait until none of these processes runs."""
    assert pids
    await until(lambda: not [pid for pid in pids if alive(pid)], timeout_s)
