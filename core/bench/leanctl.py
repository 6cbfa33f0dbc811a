"""The parent's side of the lean process."""

import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from core.bench.lean.wire import Armed, Ports, RunResult, RunSpec
from core.bench.plan import BenchError
from core.bench.processes import start, stop


class LeanError(BenchError):
    """The lean process ended or said something else than its protocol."""


class Lean:
    """The lean process as a context: started on entry, ended on exit."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.ports = Ports(0, 0, 0, 0, 0)

    def __enter__(self) -> Self:
        self._process = start([sys.executable, "-m", "core.bench.lean"], pipes=True)
        self.ports = msgspec.json.decode(self._line(), type=Ports)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            stop(self._process, grace_s=0.5)

    def run(self, spec: RunSpec, load: Callable[[], object] | None = None) -> RunResult:
        """Carry out one run and wait for its result; the run's own time-out bounds the wait.

        `load` is called as soon as the counters are set: it starts the load of a run that the
        lean process only counts.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(spec) + b"\n")
        self._process.stdin.flush()
        msgspec.json.decode(self._line(), type=Armed)
        if load is not None:
            load()
        return msgspec.json.decode(self._line(), type=RunResult)

    def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LeanError(f"the lean process ended with {self._process.wait()}")
        return line
