"""The log port without HTTP: grouped appends against one transaction a record.

Both write the rows that a core writes, with the store's own settings (WAL, `synchronous=FULL`),
in files of their own. Grouped: the log writer's machine, `depth` callers that each append their
next record when the last one stands. One by one: each record is a row in a transaction of its own.
"""

import asyncio
import time
from functools import partial
from pathlib import Path

import uvloop

from core.bench.plan import BenchError
from core.clock import SystemClock
from sync.log_writer import Command, Durable, LogWriter, WriteRow
from sync.naming import accept_log
from sync.records import Message, Record, encode
from sync.store.port import Answer, JournalStore, PutRow
from sync.store.sqlite_journal import SQLiteJournal
from sync.store.sqlite_schema import connect, create
from sync.store.sqlite_writes import Transaction

HOME = "bench"
SHARDS = 64
PAYLOAD_BYTES = 250  # about what a short text message's record holds
ROW_RECORDS_MAX = 1_000
ROW_BYTES_MAX = 1_048_576
RUN_TIMEOUT_S = 120.0
BUSY_TIMEOUT_MS = 5_000


def record(number: int) -> Message:
    """One accepted message, as large as a usual one."""
    return Message(
        id=f"{HOME}-u{number % SHARDS:03x}0000000{number:016d}",
        shard=number % SHARDS,
        body_hash=number.to_bytes(16, "big"),
        stamp=number,
        urgent=False,
        at_most_once=False,
        expires_ms=86_400_000,
        accepted_ms=1,
        payload=bytes(PAYLOAD_BYTES),
    )


class GroupedRun:
    """`depth` callers that append through one log writer until `count` records stand."""

    def __init__(self, store: JournalStore, name: str, count: int, depth: int) -> None:
        self._store = store
        self._writer = LogWriter(name, ROW_RECORDS_MAX, ROW_BYTES_MAX, depth)
        self._next = 0
        self._count = count
        self._durable = 0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._append(min(depth, count))

    def _append(self, number: int) -> None:
        for _ in range(min(number, self._count - self._next)):
            if not self._writer.append(record(self._next), None):
                raise BenchError("the log writer took fewer records than it has room for")
            self._next += 1
        self._carry_out(self._writer.flush())

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, WriteRow):
                write = PutRow(command.log, command.row, command.body)
                self._store.submit(write, partial(self._written, command.row))
            elif isinstance(command, Durable):
                self._durable += len(command.tickets)
                self._append(len(command.tickets))
        if self._durable >= self._count and not self.finished.done():
            self.finished.set_result(None)

    def _written(self, row: int, answer: Answer) -> None:
        if answer == "ok":
            self._carry_out(self._writer.written(row))
        elif answer == "unknown":
            self._carry_out(self._writer.unknown(row))
        elif not self.finished.done():
            self.finished.set_exception(BenchError(f"the journal answered {answer}"))


async def grouped_rate(path: Path, count: int, depth: int) -> float:
    """Records a second, grouped."""
    store = SQLiteJournal(path, HOME, SHARDS, SystemClock().wall_ms)
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            begin = time.perf_counter()
            await GroupedRun(store, fresh_log(), count, depth).finished
            return count / (time.perf_counter() - begin)
    finally:
        await store.close()


def single_rate(path: Path, count: int) -> float:
    """Records a second, one transaction each, without even a thread in between."""
    db = connect(path, BUSY_TIMEOUT_MS)
    create(db, [HOME], SHARDS)
    name = fresh_log()
    begin = time.perf_counter()
    for number in range(count):
        alone: list[Record] = [record(number)]
        db.execute("BEGIN IMMEDIATE")
        transaction = Transaction(db, 0)
        answer = transaction.apply(PutRow(name, number + 1, encode(alone)))
        transaction.finish()
        db.execute("COMMIT")
        if answer != "ok":
            raise BenchError(f"the journal answered {answer}")
    took_s = time.perf_counter() - begin
    db.close()
    return count / took_s


def fresh_log() -> str:
    """A log that no earlier run wrote."""
    return accept_log(HOME, "normal_local", f"{time.time_ns():x}", 1)


def measure_log_port(folder: Path, grouped: int, single: int, depth: int) -> tuple[float, float]:
    """(grouped, one by one), records a second, one after the other in this process."""
    rate = uvloop.run(grouped_rate(folder / "grouped.db", grouped, depth))
    return rate, single_rate(folder / "single.db", single)
