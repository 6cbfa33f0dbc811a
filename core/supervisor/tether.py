"""Starts one program tied to the process that asked for it.

`tether.py PARENT SIGNAL LOCK WAIT_MS PROGRAM ARGUMENT...`: the program is sent SIGNAL by the kernel
when its parent dies, however it dies, and it holds the file lock LOCK as long as it lives: so the
same part never runs twice on one data folder, and whoever starts it again waits until the last one
is really gone. Run as a script in a bare interpreter (`python -I -S`) that becomes the program;
nothing of it remains. Exits with 75 when the lock is not free in time, with 127 when the program
cannot be started.
"""

import ctypes
import fcntl
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
LOCK_HELD = 75
NOT_STARTED = 127


def tie(parent: int, death_signal: int) -> None:
    """Die with the parent. It may have died before the kernel was told: then end at once."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _hold(path: str, wait_ms: int) -> None:
    """Lock the file for the life of the program; the descriptor goes with it through exec."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + wait_ms / 1000
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                sys.stderr.write(f"{path} is still held by an earlier process\n")
                sys.exit(LOCK_HELD)
            time.sleep(0.01)
    os.set_inheritable(descriptor, True)


def main() -> None:
    parent, death_signal, lock, wait_ms, *command = sys.argv[1:]
    tie(int(parent), int(death_signal))
    _hold(lock, int(wait_ms))
    try:
        os.execvp(command[0], command)  # noqa: S606 - this is what it is for
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        sys.exit(NOT_STARTED)


if __name__ == "__main__":
    main()
