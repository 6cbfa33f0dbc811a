"""What the kernel says of processes: CPU taken and memory held, from /proc.

Linux only. A process that is gone raises ProcessGoneError: a run in which a part died is not
measured.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from core.bench.plan import BenchError


class ProcessGoneError(BenchError):
    """A process ended while it was being measured."""


class Process(Struct, frozen=True):
    """A process and the name under which it is reported."""

    role: str
    pid: int


class Memory(Struct, frozen=True):
    """Resident memory of one process now, and the highest it ever was."""

    role: str
    pid: int
    resident_mib: float
    peak_mib: float


_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of all threads of a process since it began."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(f"process {pid} ended during the bench") from None
    # The name in brackets may hold blanks; what follows its last bracket does not.
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def cpu_by_role(processes: Sequence[Process]) -> dict[str, float]:
    """CPU seconds so far, added up for each role."""
    used: dict[str, float] = {}
    for process in processes:
        used[process.role] = used.get(process.role, 0.0) + cpu_s(process.pid)
    return used


def memory(process: Process) -> Memory:
    """VmRSS and VmHWM of a process."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(f"process {process.pid} ended during the bench") from None
    kib = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if name in ("VmRSS", "VmHWM")
    }
    return Memory(
        process.role, process.pid, kib.get("VmRSS", 0) / 1_024, kib.get("VmHWM", 0) / 1_024
    )
