"""The disk of a simulated edge: what its spool keeps, and what of it is left after a crash.

One thing is written at a time, in order. What was under way when the process died may have
happened, or not, or half: an entry half written is torn, and whoever reads it sees that. What
waited behind it did not happen. What was written once stays: no fault loses a whole disk.
"""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from msgspec import Struct

from core.sim.door import Asked
from core.sim.plan import EdgeRates
from core.sim.process import Process
from sync.spool import Entry, KeepRefusal


class Stored(Struct, frozen=True):
    """An entry with its body."""

    entry: Entry
    asked: Asked


class Disk:
    """What is on it: entries by id, None for a torn one, and the reasons of refusals."""

    def __init__(self) -> None:
        self.entries: dict[str, Stored | None] = {}
        self.refusals: dict[str, KeepRefusal] = {}

    def whole(self) -> Iterable[Stored]:
        """What a start finds; the torn ones are thrown away."""
        self.entries = {key: each for key, each in self.entries.items() if each is not None}
        return [each for each in self.entries.values() if each is not None]


class DiskWork(Struct):
    """Something to be done on the disk, and whom to tell whether it was."""

    do: Stored | KeepRefusal | str
    then: Callable[[bool], None] = lambda _: None


class DiskQueue:
    """The one thread of an edge that writes to its disk. `torn` counts entries half written."""

    def __init__(
        self, disk: Disk, process: Process, rates: Callable[[], EdgeRates], chance: Random
    ) -> None:
        self.torn = 0
        self._disk = disk
        self._process = process
        self._rates = rates
        self._chance = chance
        self._waiting: deque[DiskWork] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._waiting

    def add(self, work: DiskWork) -> None:
        """Do it after everything that was asked for before."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            self._begin()

    def crashed(self) -> None:
        """The process died: of what was under way anything may be there."""
        if self._waiting:
            self._anything(self._waiting[0].do)
        self._waiting.clear()

    def _begin(self) -> None:
        rates, process = self._rates(), self._process
        slow = self._chance.random() < rates.disk_slow
        took_s = self._chance.uniform(0.1, 1.5) if slow else self._chance.uniform(0.001, 0.02)
        if self._chance.random() < rates.crash:
            process.later(took_s / 2, lambda: process.die("killed while it wrote"))
        process.later(took_s, self._ended)

    def _ended(self) -> None:
        work = self._waiting.popleft()
        failed = type(work.do) is Stored and self._chance.random() < self._rates().disk_fails
        if failed:
            self._anything(work.do)
        else:
            self._happens(work.do)
        if self._waiting:
            self._begin()
        work.then(not failed)

    def _anything(self, do: Stored | KeepRefusal | str) -> None:
        drawn = self._chance.random()
        if type(do) is Stored and drawn < 0.5:
            self._disk.entries[do.entry.id] = None
            self.torn += 1
        elif drawn < 0.75:
            self._happens(do)

    def _happens(self, do: Stored | KeepRefusal | str) -> None:
        if isinstance(do, str):
            self._disk.entries.pop(do, None)
        elif isinstance(do, KeepRefusal):
            self._disk.refusals[do.id] = do
            self._disk.entries.pop(do.id, None)
        else:
            self._disk.entries[do.entry.id] = do
