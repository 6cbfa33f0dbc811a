"""What can go wrong in the simulated store, and how often."""

from random import Random

from msgspec import Struct


class StoreFaults(Struct, frozen=True):
    """Rates of faults: of each write, read or swap, and for replicas of each second.

    * `write_lost`: it reached nobody; `write_unheard`: it stands, its answer is lost;
      `write_late`: it is applied after its answer was given up; `write_torn`: it stands on a
      minority of replicas, or, of several partitions, with some of them left out;
      `write_slow`, `write_full`; `write_alone`, of rows of local lanes: it reaches no other region,
      and no hint of it is kept;
    * `read_fails`, `read_slow`;
    * `swap_lost`: a compare-and-set's answer is lost, applied or not; `swap_late`: the answer is
      lost and the swap is executed later;
    * `crash_at_write`: the process ends just before or just after it hands a write over;
    * `freeze_at_write`, `cut_at_write`: just after it handed a write over the process stands
      still for up to `struck_max_s`, or its region is cut off from the others for so long: the
      write is under way, its answer comes late or goes astray;
    * `replica_down`: a replica is away for up to `down_max_s`; `replica_lost`: one loses its
      data, and is replaced and rebuilt after up to `down_max_s`;
    * `repair_short`: a rebuild or a repair for a change of replication leaves out half of what it
      is about, and says that it is done; `freeze_at_alter`: who drives such a change stands still
      for up to `driver_max_s` just when it has read that the configuration is to be altered.
    """

    write_lost: float = 0.0
    write_unheard: float = 0.0
    write_late: float = 0.0
    write_torn: float = 0.0
    write_slow: float = 0.0
    write_full: float = 0.0
    write_alone: float = 0.0
    read_fails: float = 0.0
    read_slow: float = 0.0
    swap_lost: float = 0.0
    swap_late: float = 0.0
    crash_at_write: float = 0.0
    freeze_at_write: float = 0.0
    cut_at_write: float = 0.0
    replica_down: float = 0.0
    replica_lost: float = 0.0
    repair_short: float = 0.0
    freeze_at_alter: float = 0.0
    late_max_s: float = 3.0
    slow_max_s: float = 2.0
    down_max_s: float = 10.0
    struck_max_s: float = 8.0
    driver_max_s: float = 35.0


class Fates:
    """Draws what happens to an operation: the name of a fault, or ""."""

    def __init__(self, faults: StoreFaults, random: Random) -> None:
        self._random = random.random
        writes = ("lost", "unheard", "late", "torn", "slow", "full")
        self._ladders = {
            "write": _ladder(faults, writes, "write_"),
            "read": _ladder(faults, ("fails", "slow"), "read_"),
            "swap": _ladder(faults, ("lost", "late"), "swap_"),
        }

    def draw(self, kind: str) -> str:
        """Of a `write`, a `read` or a `swap`."""
        ladder = self._ladders[kind]
        if ladder:
            drawn = self._random()
            if drawn < ladder[-1][0]:
                return next(name for below, name in ladder if drawn < below)
        return ""


def _ladder(faults: StoreFaults, names: tuple[str, ...], prefix: str) -> list[tuple[float, str]]:
    steps, total = [], 0.0
    for name in names:
        rate: float = getattr(faults, prefix + name)
        if rate:
            total += rate
            steps.append((total, name))
    return steps
