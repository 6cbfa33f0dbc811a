"""One local Cassandra process: started, asked whether it is ready, frozen, ended.

It dies with the process that started it and runs once on its folder (see `tether`).
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from core.supervisor import tether
from core.supervisor.cassandra.config import Place, command_of, files_of
from core.supervisor.cassandra.programs import CassandraError

_LOCK_WAIT_MS = 10_000
_TAIL_LINES = 12
_TAIL_BYTES = 65_536
_LOOK_EVERY_S = 0.05


class NodeError(CassandraError):
    """A node died or did not become ready; the text has what it said last."""


class Node:
    """One node of a local cluster."""

    def __init__(self, place: Place, java: str, jars: Path) -> None:
        self.place = place
        self._command = command_of(place, java, jars)
        self._process: subprocess.Popen[bytes] | None = None
        self._logged_before = 0

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process else None

    def start(self) -> None:
        """Start it, also again; what it stored before is there again."""
        place = self.place
        place.conf.mkdir(parents=True, exist_ok=True)
        for name, text in files_of(place).items():
            (place.conf / name).write_text(text)
        self._logged_before = _size_of(place.log)
        tie = (os.getpid(), int(signal.SIGKILL), place.folder / "node.lock", _LOCK_WAIT_MS)
        with place.out.open("wb") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, "-I", "-S", tether.__file__, *map(str, tie), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def check_alive(self) -> None:
        """Raise NodeError, with what it said last, when it has died."""
        process = self._process
        if process is not None and process.poll() is not None:
            raise NodeError(
                f"the Cassandra node of {self.place.datacenter} ended with code "
                f"{process.returncode}. It said last:\n{self.last_words()}",
                f"All that it said is in {self.place.log} and {self.place.out}.",
            )

    def send(self, number: int) -> None:
        """Signal it: SIGSTOP freezes it, SIGCONT lets it go on."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """End it now, as power loss to a process would."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """Ask it to end in order, without waiting; a frozen node is let go on for that."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)

    def stop(self, grace_s: float) -> None:
        """Ask it to end in order, which takes a node seconds; kill it when the grace is over."""
        until = time.monotonic() + grace_s
        self.terminate()
        while self.pid is not None and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
        self.kill()

    def last_words(self) -> str:
        """The end of what it logged since its start, or of what its JVM said beside that."""
        log, before = self.place.log, self._logged_before
        # The log was begun anew meanwhile where it is shorter.
        said = _tail(log, before if _size_of(log) >= before else 0) or _tail(self.place.out, 0)
        return said or "nothing"


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tail(path: Path, begin: int) -> str:
    with suppress(OSError):
        text = path.read_bytes()[begin:][-_TAIL_BYTES:].decode(errors="replace")
        # A stack trace hides the sentence that says what is wrong.
        told = [line for line in text.splitlines() if line.strip() and not line.startswith("\t")]
        return "\n".join(told[-_TAIL_LINES:])
    return ""
