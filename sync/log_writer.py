"""The writer of one log: rows 1, 2, 3 ... without a gap, one under way (PROTOCOL.md 2).

What arrives while a row is under way becomes the next row: group commit by itself. A row whose
outcome is not known is written again under the same number with the same bytes until it is known;
nothing of it is told to anyone before. When the writer's incarnation is revoked the log is closed
for good: everything waiting is refused and every later append too.

`step(event) -> commands`, no I/O. Bounded: `records_max` and `bytes_max` for a row, `waiting_max`
for what waits behind the row under way (`append` says no beyond it).
"""

from collections import deque
from typing import Any

from msgspec import Struct

from sync.records import Intent, Message, Place, Record, encode


class WriteRow(Struct, frozen=True, gc=False):
    """Command: write this row, at the log's level, under this number."""

    log: str
    row: int
    body: bytes
    again: bool


class Durable(Struct, frozen=True, gc=False):
    """Command: tell the waiters that their records stand; `places` in the order of `tickets`."""

    places: list[Place]
    records: list[Record]
    tickets: list[Any]


class Refused(Struct, frozen=True, gc=False):
    """Command: tell the waiters that the log is closed. `maybe`: the row may have been written."""

    tickets: list[Any]
    maybe: bool


Command = WriteRow | Durable | Refused


class LogWriter:
    """One log's writer. `ticket` is whatever the caller wants back with the place."""

    def __init__(self, log: str, records_max: int, bytes_max: int, waiting_max: int) -> None:
        self.log = log
        self.closed = False
        self.last_row = 0
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._waiting_max = waiting_max
        self._waiting: deque[tuple[Record, Any]] = deque()
        self._under_way: tuple[int, bytes, list[Record], list[Any]] | None = None

    @property
    def idle(self) -> bool:
        """Nothing under way and nothing waiting."""
        return self._under_way is None and not self._waiting

    @property
    def under_way_tickets(self) -> list[Any]:
        """The waiters of the row under way."""
        return [] if self._under_way is None else self._under_way[3]

    @property
    def room(self) -> int:
        """How many more records may wait."""
        return 0 if self.closed else self._waiting_max - len(self._waiting)

    def append(self, record: Record, ticket: Any) -> bool:
        """Queue a record; False when the log is closed or too much waits. `flush` starts rows."""
        if self.closed or len(self._waiting) >= self._waiting_max:
            return False
        self._waiting.append((record, ticket))
        return True

    def flush(self) -> list[Command]:
        """Start the next row if none is under way and something waits."""
        if self._under_way is not None or not self._waiting or self.closed:
            return []
        records: list[Record] = []
        tickets: list[Any] = []
        size = 0
        for _ in range(min(len(self._waiting), self._records_max)):
            record, ticket = self._waiting.popleft()
            records.append(record)
            tickets.append(ticket)
            size += 200
            if type(record) is Message:
                size += len(record.payload)
            elif type(record) is Intent:
                size += len(record.note)
            if size >= self._bytes_max:
                break
        body = encode(records)
        self._under_way = (self.last_row + 1, body, records, tickets)
        return [WriteRow(self.log, self.last_row + 1, body, False)]

    def written(self, row: int) -> list[Command]:
        """The row stands. Tells its waiters and starts the next one."""
        under_way = self._under_way
        if under_way is None or under_way[0] != row:
            return []
        self._under_way = None
        self.last_row = row
        places = [Place(self.log, row, i) for i in range(len(under_way[2]))]
        done: list[Command] = [Durable(places, under_way[2], under_way[3])]
        return done + self.flush()

    def unknown(self, row: int) -> list[Command]:
        """It is not known whether the row was written: the same row again."""
        under_way = self._under_way
        if under_way is None or under_way[0] != row:
            return []
        return [WriteRow(self.log, row, under_way[1], True)]

    def revoked(self) -> list[Command]:
        """The incarnation was revoked: the log is closed, what waited is refused."""
        self.closed = True
        commands: list[Command] = []
        if self._under_way is not None:
            commands.append(Refused(self._under_way[3], maybe=False))
            self._under_way = None
        if self._waiting:
            commands.append(Refused([ticket for _, ticket in self._waiting], maybe=False))
            self._waiting.clear()
        return commands
