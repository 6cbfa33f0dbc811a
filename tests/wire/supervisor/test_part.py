"""One part and its keeper, without a region around it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from core.contract.log import silent
from core.supervisor import tether
from core.supervisor.folder import DataFolder
from core.supervisor.part import Pace, Part, PartSpec
from tests.support.wait import until

PACE = Pace(first_ms=10, longest_ms=40, steady_ms=30_000, lock_wait_ms=200, trim_every_ms=50)


def part(folder: DataFolder, *argv: str, restart: bool = True, pace: Pace = PACE) -> Part:
    spec = PartSpec(role="thing", argv=argv, probe="", restart=restart)
    return Part(spec, folder, pace, silent(), lambda: None)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


async def test_part_that_dies_is_started_again_and_again(folder: DataFolder) -> None:
    kept = part(folder, *python("import sys; sys.exit(3)"))
    kept.start()
    await until(lambda: kept.restarts >= 3)
    assert kept.deaths_in_a_row >= 3
    await kept.stop(1)
    assert kept.pid is None


async def test_steady_life_makes_the_pause_short_again(folder: DataFolder) -> None:
    pace = Pace(first_ms=1, longest_ms=1, steady_ms=100, lock_wait_ms=200)
    kept = part(folder, *python("import time; time.sleep(60)"), pace=pace)
    kept.start()
    for number in range(3):
        await until(lambda number=number: kept.pid is not None and kept.restarts == number)
        await asyncio.sleep(0.15)
        assert kept.pid is not None
        os.kill(kept.pid, signal.SIGKILL)
        await until(lambda number=number: kept.restarts == number + 1)
        assert kept.deaths_in_a_row == 1
    await kept.stop(1)


async def test_program_that_does_not_exist(folder: DataFolder) -> None:
    kept = part(folder, "no-such-program-anywhere", restart=False)
    kept.start()
    assert await kept.ended() == tether.NOT_STARTED
    assert "cannot start no-such-program-anywhere: No such file" in kept.last_words()


async def test_part_never_runs_twice_on_one_folder(folder: DataFolder) -> None:
    first = part(folder, *python("import time; time.sleep(60)"), restart=False)
    first.start()
    await until(lambda: "thing" in folder.held())
    second = part(folder, *python("pass"), restart=False)
    second.start()
    assert await second.ended() == tether.LOCK_HELD
    await first.stop(1)
    third = part(folder, *python("pass"), restart=False)
    third.start()
    assert await third.ended() == 0


async def test_lock_lives_as_long_as_the_program(folder: DataFolder) -> None:
    kept = part(folder, *python("import time; time.sleep(60)"))
    kept.start()
    await until(lambda: "thing" in folder.held())
    await kept.stop(1)
    assert folder.held() == []


async def test_endless_words_are_cut(folder: DataFolder) -> None:
    told = folder.path / "told"
    code = f"""
import os, pathlib, time
written = os.write(2, b"x" * 2_000_000)
pathlib.Path({str(told)!r}).write_text(str(written))
time.sleep(60)
"""
    kept = part(folder, *python(code))
    kept.start()
    await until(told.exists)
    assert told.read_text() == "2000000"
    await until(lambda: (folder.logs / "thing.err").stat().st_size == 0)
    assert kept.restarts == 0
    await kept.stop(1)
