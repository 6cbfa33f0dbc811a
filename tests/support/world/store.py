"""The store of a walk: the real tables in memory, with slow, lost, late and unknown answers.

A write is applied at a moment of its own and answered later; in times of faults it may be lost,
applied though its answer is lost, or applied long after its answer was given up. Writes carry the
stamp of their submission, so a late one never goes over a later one of the same floor or entry.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from sync.records import Place, Record, decode_row
from sync.store.memory_journal import MemoryTables
from sync.store.port import (
    Answer,
    Done,
    OpenRow,
    PutFloor,
    PutOpen,
    PutRow,
    StoreError,
    Write,
)
from tests.support.world.loop import Loop, Process, Resume, Wait
from tests.support.world.plan import HOME, SHARDS, Plan


class SimStore:
    """See the module's docstring. `checks` is asked after each write that was applied."""

    def __init__(self, loop: Loop, plan: Plan, chance: Random) -> None:
        self.tables = MemoryTables(HOME, SHARDS)
        self.records: dict[str, dict[int, list[Record]]] = {}
        self.faulty = True
        self.on_applied: Callable[[Write], None] = lambda _: None
        self._loop = loop
        self._plan = plan
        self._chance = chance
        self._stamp = 0
        self._floors: dict[str, int] = {}
        self._entries: dict[tuple[int, str, int], int] = {}
        self._by_shard: dict[tuple[str, int], list[tuple[Place, Record]]] = {}

    @property
    def now(self) -> float:
        """Virtual time, for checkers."""
        return self._loop.now

    @property
    def wall_ms(self) -> int:
        """The true wall time, for checkers."""
        return self._plan.start_ms + int(self._loop.now * 1000)

    # Writing

    def submit(self, process: Process, write: Write, done: Done) -> None:
        """As in the port; the answer is an event of the process."""
        self._stamp += 1
        stamp, chance = self._stamp, self._chance
        fate = chance.choice(("lost", "late", "unheard", "full")) if self._fails() else "ok"
        applied_in = chance.uniform(0.001, 0.02)
        answered_in = applied_in + chance.uniform(0.001, 0.02)
        if self.faulty and chance.random() < self._plan.read_slow:
            answered_in += chance.uniform(0.1, 2.0)
        if fate == "late":
            applied_in = answered_in + chance.uniform(0.05, 3.0)
        answer: list[Answer] = ["full" if fate == "full" else "unknown"]

        def apply() -> None:
            found = self._apply(write, stamp)
            if fate == "ok":
                answer[0] = found

        if fate in ("ok", "unheard", "late"):
            self._loop.after(applied_in, apply)
        self._loop.after(answered_in, lambda: done(answer[0]), process)

    def _fails(self) -> bool:
        return self.faulty and self._chance.random() < self._plan.write_fault

    def _apply(self, write: Write, stamp: int) -> Answer:
        if isinstance(write, PutFloor):
            if self._floors.get(write.owner, 0) > stamp:
                return "ok"
            self._floors[write.owner] = stamp
        if isinstance(write, PutOpen):
            write = PutOpen([row for row in write.rows if self._is_newer(row, stamp)])
        answer = self.tables.apply(write)
        if isinstance(write, PutRow) and answer == "ok":
            rows = self.records.setdefault(write.log, {})
            if write.row not in rows:
                rows[write.row] = decode_row(write.body)
                self._index(write)
        if answer == "ok":
            self.on_applied(write)
        return answer

    def _is_newer(self, row: OpenRow, stamp: int) -> bool:
        key = (row.bucket, row.id, row.epoch)
        newer = self._entries.get(key, 0) <= stamp
        if newer:
            self._entries[key] = stamp
        return newer

    # Reading

    def read(self, process: Process, look: Callable[[MemoryTables], Any]) -> Wait:
        """Await what `look` sees at some moment from now; StoreError when the read fails."""
        chance, plan = self._chance, self._plan
        fails = self.faulty and chance.random() < plan.read_fault
        seen_in = chance.uniform(0.001, 0.01)
        if self.faulty and chance.random() < plan.read_slow:
            seen_in += chance.uniform(0.1, 2.0)
        back_in = seen_in + chance.uniform(0.001, 0.01)

        def start(resume: Resume) -> None:
            seen: list[Any] = []
            if fails:
                error = StoreError("a read failed")
                self._loop.after(back_in, lambda: resume(error=error), process)
                return
            self._loop.after(seen_in, lambda: seen.append(look(self.tables)))
            self._loop.after(back_in, lambda: resume(seen[0]), process)

        return Wait(start)

    # For checkers

    def _index(self, write: PutRow) -> None:
        kind = write.log.partition(".")[0]
        for index, record in enumerate(self.records[write.log][write.row]):
            place = Place(write.log, write.row, index)
            self._by_shard.setdefault((kind, record.shard), []).append((place, record))

    def of_shard(self, kind: str, shard: int) -> list[tuple[Place, Record]]:
        """Every record of a shard that stands in logs of this kind."""
        return self._by_shard.get((kind, shard), [])
