"""A region of small fakes (and the real nats-server) that starts in half a second."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.up import Up
from tests.support.wait import until

FAKE = Path(__file__).with_name("fake_part.py")


class Bench:
    """Starts `goutong up` with fakes on one folder, and ends whatever it started."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.config = folder / "fakes.toml"
        self.journal = folder / "journal"
        self.journal.touch()
        commands = [
            f"{role}_command = ['{sys.executable}', '{FAKE}', '{role}']"
            for role in ("core", "edge", "sandbox")
        ]
        self.config.write_text("\n".join(["[supervisor]", "restart_max_ms = 200", *commands]))
        self.started: list[Up] = []

    def env(self, **more: str) -> dict[str, str]:
        return {"FAKE_JOURNAL": str(self.journal), **more}

    async def begin(self, *arguments: str, **env: str) -> Up:
        up = await Up.begin(
            self.data, "--config", str(self.config), *arguments, env=self.env(**env)
        )
        self.started.append(up)
        return up

    async def up(self, *arguments: str, **env: str) -> Up:
        up = await Up.start(
            self.data, "--config", str(self.config), *arguments, env=self.env(**env)
        )
        self.started.append(up)
        return up

    def told(self, word: str) -> list[list[str]]:
        """What the fakes wrote down about their starts or ends."""
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return [line[1:] for line in lines if line[0] == word]

    def pids(self, up: Up) -> list[int]:
        """Every process of the region and the sandbox's."""
        fakes = [int(pid) for _, pid, *_ in self.told("start")]
        return sorted({*(each["pid"] for each in up.processes()), *fakes})

    async def again(self, up: Up, role: str, old_pid: int) -> int:
        """Wait until the part of this role is another process."""
        return int(
            await until(
                lambda: (
                    (now := up.process_of(role).get("pid")) is not None and now != old_pid and now
                )
            )
        )


Start = Callable[..., Awaitable[Up]]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for up in made.started:
        await up.end()
