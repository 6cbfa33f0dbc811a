"""A 202 means that the disk has it: seen from outside, by the system calls of a core.

The order is that of PROTOCOL.md 11: the row is written to the write-ahead log, the log is synced,
and only when that has returned do the bytes of the answer go out to the edge.
"""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from tests.support.region import Region, running, wait_for

CALLS = "pwrite64,write,writev,sendto,sendmsg,fsync,fdatasync"
LINE = re.compile(r"^(\d+\.\d+) (\w+)\(\d+<([^>]*)>(.*) = (-?\d+).* <(\d+\.\d+)>$")


class SystemCall(Struct):
    """One system call: when it began and when it had returned."""

    name: str
    file: str
    arguments: str
    answer: int
    began: float
    ended: float


@contextmanager
def traced(pid: int, into: Path) -> Iterator[None]:
    """The system calls of a process and its threads, each thread's in a file of its own."""
    words = ["strace", "-ff", "-ttt", "-T", "-y", "-s", "65536", "-e", f"trace={CALLS}"]
    tracer = subprocess.Popen(
        [*words, "-o", str(into), "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    try:
        attached = tracer.stderr.readline()
        if "attached" not in attached:
            pytest.skip(f"strace may not look at other processes here: {attached.strip()}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=20)


def calls(into: Path) -> list[SystemCall]:
    """Everything seen, in the order in which it began."""
    found = []
    for path in into.parent.glob(f"{into.name}.*"):
        for line in path.read_text(errors="replace").splitlines():
            match = LINE.match(line)
            if match is not None:
                began, took = float(match[1]), float(match[6])
                found.append(
                    SystemCall(match[2], match[3], match[4], int(match[5]), began, began + took)
                )
    return sorted(found, key=lambda call: call.began)


def threads(region: Region, pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.slow
@pytest.mark.needs("strace")
def test_the_answer_leaves_after_the_log_is_synced(tmp_path: Path) -> None:
    into = tmp_path / "calls"
    with running(tmp_path / "data") as region:
        state = region.call("GET", "/status").json()
        (core,) = [each["pid"] for each in state["processes"] if each["role"] == "core"]
        with traced(core, into):
            wait_for(lambda: len(list(tmp_path.glob("calls.*"))) >= threads(region, core))
            time.sleep(0.2)
            sent = [region.sms(f"+44770090080{number}", f"synced {number}") for number in range(5)]
            for message in sent:
                region.ended(message, "delivered")
        seen = calls(into)
    for number, message in enumerate(sent):
        _check(seen, message, f"synced {number}")


def _check(seen: list[SystemCall], message: str, text: str) -> None:
    """The row of this message, its sync, and the answer, in this order."""
    wal = [call for call in seen if call.file.endswith("journal.db-wal")]
    row = next(c for c in wal if c.name == "pwrite64" and message in c.arguments)
    assert text in row.arguments
    sync = synced_after(wal, row)
    answer = next(c for c in to_sockets(seen, message) if c.began > row.began)
    assert '"status":"accepted"' in answer.arguments.replace("\\", "")
    assert sync.ended <= answer.began, f"answered {sync.ended - answer.began:.6f} s too early"
    # The intent is on the disk before the first byte of the call to the provider.
    call = to_sockets(seen, text)[0]
    intents = [c for c in wal if c.name == "pwrite64" and message in c.arguments]
    intent = next(c for c in intents if c.began > sync.ended)
    synced = synced_after(wal, intent)
    assert synced.ended <= call.began, f"called {synced.ended - call.began:.6f} s too early"


def synced_after(wal: list[SystemCall], write: SystemCall) -> SystemCall:
    """The first sync that covers this write."""
    found = next(c for c in wal if "sync" in c.name and c.began >= write.ended)
    assert found.answer == 0
    return found


def to_sockets(seen: list[SystemCall], words: str) -> list[SystemCall]:
    return [c for c in seen if c.file.startswith("socket:") and words in c.arguments]
