"""The log: one JSON object a line, soon written, never failing its caller."""

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

from core.contract.log import Log, hashed
from tests.support.wait import until


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_line_has_time_level_event_and_fields() -> None:
    stream = io.BytesIO()
    log = Log(stream, role="core").bind(message="m1")
    log.info("sent", account="a", ms=3)
    log.close()
    (line,) = lines(stream.getvalue())
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info",
        "event": "sent",
        "role": "core",
        "message": "m1",
        "account": "a",
        "ms": 3,
    }


def test_levels_below_are_left_out() -> None:
    stream = io.BytesIO()
    log = Log(stream, "warning")
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    log.close()
    assert [line["event"] for line in lines(stream.getvalue())] == ["c", "d"]


async def test_lines_come_by_themselves_soon(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = Log(path, flush_ms=20)
    log.info("first")
    assert path.read_bytes() == b""
    await until(path.read_bytes, 2)
    log.info("second")
    await until(lambda: len(lines(path.read_bytes())) == 2, 2)
    log.close()


def test_warnings_are_written_at_once_with_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = Log(path, flush_ms=10_000)
    log.info("before")
    log.warning("now")
    assert [line["event"] for line in lines(path.read_bytes())] == ["before", "now"]
    log.close()


def test_what_has_no_json_form_is_shown_as_text() -> None:
    stream = io.BytesIO()
    log = Log(stream)
    log.info("odd", error=ValueError("why"), keys={1: object()}, text="\ud800")
    log.close()
    (line,) = lines(stream.getvalue())
    assert line["event"] == "odd"
    assert "object" in line["keys"]


def test_file_is_rotated_with_one_backup(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = Log(path, rotate_bytes=2000)
    for number in range(100):
        log.warning("line", number=number)
    log.close()
    kept = lines((tmp_path / "x.log.1").read_bytes()) + lines(path.read_bytes())
    assert [line["number"] for line in kept] == list(range(100 - len(kept), 100))
    assert len(list(tmp_path.iterdir())) == 2
    assert all(file.stat().st_size <= 2000 for file in tmp_path.iterdir())


def test_full_disk_loses_lines_and_says_so_later() -> None:
    class Full(io.BytesIO):
        full = True

        def write(self, data: Any) -> int:
            if self.full:
                raise OSError(28, "No space left on device")
            return super().write(data)

    stream = Full()
    log = Log(stream)
    log.warning("one")
    log.warning("two")
    stream.full = False
    log.warning("three")
    log.close()
    lost, line = lines(stream.getvalue())
    assert (lost["event"], lost["count"]) == ("lines lost", 2)
    assert line["event"] == "three"


def test_threads_lose_no_line() -> None:
    stream = io.BytesIO()
    log = Log(stream, flush_ms=1)

    def work(name: int) -> None:
        for number in range(500):
            log.info("line", name=name, number=number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len(lines(stream.getvalue())) == 2000


def test_a_stuck_target_does_not_hold_the_caller() -> None:
    entered, let_go = threading.Event(), threading.Event()

    class Stuck(io.BytesIO):
        def write(self, data: Any) -> int:
            entered.set()
            let_go.wait(10)
            return super().write(data)

    stream = Stuck()
    log = Log(stream, flush_ms=1)
    log.info("stuck")
    assert entered.wait(5)
    began = time.monotonic()
    log.warning("meanwhile")
    assert time.monotonic() - began < 1
    let_go.set()
    log.close()
    assert [line["event"] for line in lines(stream.getvalue())] == ["stuck", "meanwhile"]


def test_recipients_are_hashed_with_a_key() -> None:
    log = Log(io.BytesIO(), hash_key=b"one")
    phone = "+447700900123"
    assert log.hashed(phone) == hashed(phone, b"one") == log.bind(x=1).hashed(phone)
    assert hashed(phone, b"one") != hashed(phone, b"two")
    assert phone not in log.hashed(phone)
    log.close()
