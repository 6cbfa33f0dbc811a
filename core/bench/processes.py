"""Starting programs so that they end for sure, whatever becomes of the bench.

Each child is told by the kernel to end when its parent dies; `stop` asks first and then kills.
The kernel means the thread that started the child: call `start` from the main thread only.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent(signal_number: int) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the request stood
            os._exit(1)

    return prepare


def start(
    argv: Sequence[str],
    *,
    log: Path | None = None,
    pipes: bool = False,
    env: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a program whose standard error (and output, without `pipes`) goes to `log`.

    Without a log, a program with pipes shares our standard error; one without says nothing.
    """
    sink: IO[bytes] | int | None = None if pipes else subprocess.DEVNULL
    if log is not None:
        sink = log.open("ab")
    try:
        return subprocess.Popen(  # noqa: S603 - fixed programs, no shell
            list(argv),
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else sink,
            stderr=sink,
            env=dict(env) if env is not None else None,
            preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509 - this process has no threads
        )
    finally:
        if sink is not None and not isinstance(sink, int):
            sink.close()


def stop(process: subprocess.Popen[bytes], grace_s: float = 5.0) -> None:
    """End a child: SIGTERM, then SIGKILL after the grace; its pipes are closed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
