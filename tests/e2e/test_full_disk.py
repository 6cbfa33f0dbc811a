"""A disk without room: nothing new is taken in, what was taken in ends, and room heals it."""

import asyncio
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core import audit
from tests.support.load import Client
from tests.support.problems import refused
from tests.support.reckon import reckon
from tests.support.region import Region, running, wait_for

BODY = {"to": {"phone": "+447700900700"}, "content": {"text": "no room"}}
DISK_BYTES = 48 << 20
RESERVE_BYTES = 8 << 20


def test_with_less_than_the_reserve_nothing_is_taken_in(tmp_path: Path) -> None:
    beyond = str(shutil.disk_usage(tmp_path).total)
    with running(tmp_path / "data", env={"GOUTONG_STORE_RESERVE_BYTES": beyond}) as region:
        told = region.notify(BODY, idempotency_key="full")
        refused(told, 503, "storage_full")
        assert int(told.headers["retry-after"]) > 0
        assert audit.run(region.data)["accepted"] == 0
        # Reading goes on.
        assert region.call("GET", "/v1/templates").status == 200
    with running(tmp_path / "data") as region:
        assert region.notify(BODY, idempotency_key="full").status == 202


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to be filled."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", *options], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs to mount a small file system: run the tests as root")
    try:
        yield place
    finally:
        # Lazily: a process that is just ending must not make the next run fail.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, leave_bytes: int) -> Path:
    """Take all room but this with one file."""
    ballast = place / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while (room := shutil.disk_usage(place).free - leave_bytes) > 0:
            file.write(b"x" * min(room, 1 << 20))
    return ballast


@pytest.mark.slow
def test_a_disk_that_is_filled_and_emptied_again(small_disk: Path) -> None:
    reserve = {"GOUTONG_STORE_RESERVE_BYTES": str(RESERVE_BYTES)}
    with running(small_disk / "data", env=reserve) as region:
        region.switch("sandbox-sms-http", False)
        with region.behaving("sandbox-smsc", down=True):
            accepted = load(region, 300, 0)
            ballast = fill(small_disk, RESERVE_BYTES // 2)
            accepted += until_refused(region)
            refused(region.notify(BODY), 503, "storage_full")
            assert audit.run(region.data)["open"] == len(accepted)
        # The reserve is for this: what was taken in goes out, and its outcomes are written.
        found = reckon(region, accepted, "delivered")
        assert not found.twice
        refused(region.notify(BODY), 503, "storage_full")
        ballast.unlink()
        wait_for(lambda: region.notify(BODY).status == 202)


@pytest.mark.slow
def test_a_disk_without_a_single_byte_left(small_disk: Path) -> None:
    """The reserve was eaten by somebody else: everything stands still, and goes on afterwards."""
    reserve = {"GOUTONG_STORE_RESERVE_BYTES": str(RESERVE_BYTES)}
    with running(small_disk / "data", env=reserve) as region:
        with region.behaving("sandbox-smsc", latency_ms=[50, 100]):
            accepted = load(region, 300, 1000)
            fill(small_disk, 0)
            accepted += until_refused(region)
            ballast = fill(small_disk, 0)
            wait_for(lambda: stands_still(region), 15)
        ballast.unlink()
        wait_for(lambda: region.notify(BODY).status == 202, 30)
        reckon(region, accepted)
        message = region.sms("+447700900701", "room again")
        region.ended(message, "delivered")


def until_refused(region: Region) -> list[str]:
    """Send until nothing more is taken in; what was taken in till then."""
    accepted: list[str] = []

    def full() -> bool:
        told = region.notify(BODY)
        if told.status == 202:
            accepted.extend(message["id"] for message in told.json()["messages"])
        return told.status == 503

    wait_for(full)
    return accepted


def stands_still(region: Region) -> bool:
    """Longer than a lease without a byte: whoever owned may own no longer."""
    before = audit.run(region.data)
    time.sleep(5)
    return audit.run(region.data) == before


def load(region: Region, count: int, first: int) -> list[str]:
    client = Client(region)  # type: ignore[arg-type]
    asyncio.run(client.post(count, first))
    assert client.answers == Counter({"202": count})
    return list(client.accepted)
