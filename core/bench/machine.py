"""The machine that the figures are of: one line that belongs beside every one of them."""

import os
import platform
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from core.bench.stats import median

FSYNC_SAMPLES = 100
FSYNC_BYTES = 4_096


class Machine(Struct, frozen=True):
    """What influences the figures. `fsync_ms` was measured in the folder of the data."""

    cores: int
    python: str
    kernel: str
    file_system: str
    fsync_ms: float
    load_1m: float


def fsync_ms(folder: Path, samples: int = FSYNC_SAMPLES) -> float:
    """The median of what appending 4 KiB and fdatasync cost in this folder, in milliseconds."""
    took_s = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(samples):
            begin = time.perf_counter()
            os.write(file.fileno(), bytes(FSYNC_BYTES))
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - begin)
    return 1_000 * median(took_s)


def file_system(folder: Path) -> str:
    """The type of the file system that a folder lies on, "?" if the kernel does not say."""
    best, kind = "", "?"
    resolved = str(folder.resolve())
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, this_kind, *_ = line.split()
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, this_kind
    return kind


def machine(folder: Path) -> Machine:
    """Look at this machine."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        kernel=platform.release(),
        file_system=file_system(folder),
        fsync_ms=fsync_ms(folder),
        load_1m=os.getloadavg()[0],
    )
