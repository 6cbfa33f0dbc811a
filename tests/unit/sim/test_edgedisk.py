"""An edge's disk: in order, slow, and torn when the edge dies in the middle of a write."""

from random import Random

import pytest

from core.sim.door import Asked
from core.sim.edgedisk import Disk, DiskQueue, DiskWork, Stored
from core.sim.plan import EdgeRates
from core.sim.process import Process
from core.sim.scheduler import Scheduler
from sync.spool import Entry, KeepRefusal


def rates(disk_fails: float = 0.0, crash: float = 0.0) -> EdgeRates:
    return EdgeRates(0.0, disk_fails, crash, 0.0, 0.0, 0.0, 0.0, 9, 9_000, 9, 9_000)


def stored(name: str) -> Stored:
    return Stored(Entry(name, "normal", 10, "local", 1_000, 1), Asked(name, False))


class Machine:
    """A process with a disk."""

    def __init__(self, given: EdgeRates, seed: int = 1) -> None:
        self.scheduler = Scheduler()
        self.process = Process("eue1", "eu", self.scheduler)
        self.disk = Disk()
        self.queue = DiskQueue(self.disk, self.process, lambda: given, Random(seed))
        self.process.on_died = lambda _: self.queue.crashed()
        self.heard: list[tuple[str, bool]] = []

    def write(self, name: str) -> None:
        work = DiskWork(stored(name), lambda done: self.heard.append((name, done)))
        self.queue.add(work)


def test_what_was_written_is_there_and_told_in_order() -> None:
    machine = Machine(rates())
    machine.write("a")
    machine.write("b")
    assert not machine.heard and not machine.queue.idle
    machine.scheduler.run_until(1.0)
    assert machine.heard == [("a", True), ("b", True)]
    assert [each.entry.id for each in machine.disk.whole()] == ["a", "b"]


def test_an_erased_entry_is_gone_and_a_refusal_stays_in_its_place() -> None:
    machine = Machine(rates())
    for name in ("a", "b", "c"):
        machine.write(name)
    machine.queue.add(DiskWork("a"))
    machine.queue.add(DiskWork(KeepRefusal("b", "limits", False)))
    machine.scheduler.run_until(1.0)
    assert [each.entry.id for each in machine.disk.whole()] == ["c"]
    assert machine.disk.refusals["b"].reason == "limits"


@pytest.mark.parametrize("seed", range(20))
def test_a_crash_leaves_what_was_told_and_nothing_that_waited(seed: int) -> None:
    machine = Machine(rates(), seed)
    machine.write("told")
    machine.scheduler.run_until(1.0)
    machine.write("under way")
    machine.write("waiting")
    machine.process.die("killed")
    machine.scheduler.run_until(2.0)
    found = {each.entry.id for each in machine.disk.whole()}
    assert "told" in found and "waiting" not in found
    assert machine.heard == [("told", True)]


def test_a_crash_may_leave_nothing_or_half_or_all_of_what_was_under_way() -> None:
    kinds = set()
    for seed in range(40):
        machine = Machine(rates(crash=1.0), seed)
        machine.write("a")
        machine.scheduler.run_until(1.0)
        assert machine.process.dead and not machine.heard
        kinds.add(str(machine.disk.entries.get("a", "nothing"))[:7])
        whole = [each.entry.id for each in machine.disk.whole()]
        assert whole in ([], ["a"])
    assert len(kinds) == 3


def test_a_write_that_failed_is_told() -> None:
    machine = Machine(rates(disk_fails=1.0))
    machine.write("a")
    machine.scheduler.run_until(1.0)
    assert machine.heard == [("a", False)]
