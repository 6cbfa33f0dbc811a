"""This process's own logs: four accept lanes and two effect logs for each home.

Records are taken in for the homes alone that the placement map lets this region journal
(`open_to`). What an owner here writes for its own messages is not refused by that: it may still
have a shard to give away.

A record goes into a log of the home that its id names. Carries out what the log writers say. A row
whose write is `unknown` or finds the store `full` is written again until it stands; its waiters
wait (the acceptor's time-out tells callers 503). A row refused as `revoked` closes the process's
logs for good, and `on_revoked` ends the process.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from core.contract.log import Log
from sync.log_writer import Command, Durable, LogWriter, Refused, WriteRow
from sync.naming import accept_log, effect_log, home_of, lane
from sync.records import AcceptRecord, EffectRecord, Message, Place, Record
from sync.store.port import Answer, JournalStore, PutKey, PutRow

AGAIN_S = 0.05
Told = Callable[[Place | None], None]


class Ticket:
    """Somebody who waits for a record: `told(place)`, or `told(None)` when the log is closed."""

    __slots__ = ("_key_stands", "_place", "key_row", "told")

    def __init__(self, told: Told, key_row: PutKey | None = None) -> None:
        self.told = told
        self.key_row = key_row
        self._key_stands = key_row is None
        self._place: Place | None = None

    def key_answered(self, answer: Answer) -> None:
        """The key's row was written, or is written again together with the record's row."""
        if answer == "ok" and not self._key_stands:
            self._key_stands = True
            self._tell()

    def stands(self, place: Place) -> None:
        """The record's row is durable."""
        self._place = place
        self._tell()

    def _tell(self) -> None:
        if self._place is not None and self._key_stands:
            self.told(self._place)


class Logs:
    """See the module's docstring."""

    def __init__(
        self,
        store: JournalStore,
        homes: Sequence[str],
        incarnation: str,
        log: Log,
        records_max: int,
        bytes_max: int,
        waiting_max: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._log = log
        self._armed = False
        self.revoked = False
        self._shut = False
        self.trouble = ""
        self.on_row: Callable[[str, int, list[Record]], None] = lambda *_: None
        self.on_effect: Callable[[str, list[Place], list[Record]], None] = lambda *_: None
        self.on_durable: Callable[[str, int], None] = lambda *_: None
        self.on_revoked: Callable[[], None] = lambda: None
        self._accept: dict[tuple[str, bool, bool], LogWriter] = {}
        self._effect: dict[tuple[str, bool], LogWriter] = {}
        for home in homes:
            for urgent in (True, False):
                name = effect_log(home, "urgent" if urgent else "normal", incarnation, 0)
                self._effect[(home, urgent)] = LogWriter(name, records_max, bytes_max, 1 << 30)
                for globally in (True, False):
                    name = accept_log(home, lane(urgent, globally), incarnation, 0)
                    writer = LogWriter(name, records_max, bytes_max, waiting_max)
                    self._accept[(home, urgent, globally)] = writer
        self._accept_of = {
            home: [writer for (of, _, _), writer in self._accept.items() if of == home]
            for home in homes
        }
        self._taking = self._accept
        self._homes = frozenset(homes)
        self._globally = True
        self._waiting_max = waiting_max
        self._writers = {w.log: w for w in (*self._accept.values(), *self._effect.values())}
        self._held = [w for (_, _, globally), w in self._accept.items() if globally]

    @property
    def names(self) -> list[str]:
        """All logs, for the registry."""
        return list(self._writers)

    @property
    def idle(self) -> bool:
        """Nothing is under way or waiting."""
        return all(writer.idle for writer in self._writers.values())

    def last_rows(self) -> dict[str, int]:
        """How far each log is: its last durable row."""
        return {log: writer.last_row for log, writer in self._writers.items()}

    def accept_rows(self, home: str) -> dict[str, int]:
        """How far the home's accept logs are."""
        return {writer.log: writer.last_row for writer in self._accept_of.get(home, ())}

    def effect_rows(self, home: str) -> dict[str, int]:
        """How far the home's effect logs are."""
        both = (self._effect[(home, True)], self._effect[(home, False)])
        return {writer.log: writer.last_row for writer in both}

    def open_to(self, homes: Iterable[str], globally: bool) -> None:
        """Take in records of these homes and of no others from now on. Not `globally`: no message
        that asks for it, for its row would stand in one region only."""
        self._homes = frozenset(homes)
        self._taking = {key: log for key, log in self._accept.items() if key[0] in self._homes}
        self._globally = globally

    def has_home(self, record_id: str) -> bool:
        """Whether a record of this id has a home for which records are taken in here."""
        return home_of(record_id) in self._homes

    def takes(self, ids: Iterable[str], urgent: bool, globally: bool) -> bool:
        """Whether there is room in the accept lanes for a record of each of these ids."""
        if globally and not self._globally:
            return False
        counts: dict[str, int] = {}
        for one in ids:
            home = home_of(one)
            counts[home] = counts.get(home, 0) + 1
        for home, count in counts.items():
            writer = self._taking.get((home, urgent, globally))
            if writer is None or count > writer.room:
                return False
        return True

    @property
    def waiting_share(self) -> float:
        """What waits for a row, as a share of what may wait; of the fullest accept lane."""
        room = min(writer.room for writer in self._accept.values())
        return 1.0 - room / self._waiting_max

    def accept(self, record: AcceptRecord, urgent: bool, globally: bool, ticket: Ticket) -> bool:
        """Append to an accept log of the record's home; False when it is closed or too much
        waits, or when the home is none for which records are taken in here."""
        if globally and not self._globally and type(record) is Message:
            return False
        writer = self._taking.get((home_of(record.id), urgent, globally))
        if writer is None or self._shut or not writer.append(record, ticket):
            return False
        self._arm()
        return True

    def accept_own(self, record: Message, globally: bool, ticket: Ticket) -> bool:
        """Append what an owner here writes: what follows from a message of its home."""
        writer = self._accept[(home_of(record.id), record.urgent, globally)]
        if self._shut or not writer.append(record, ticket):
            return False
        self._arm()
        return True

    def effect(self, record: EffectRecord, home: str, urgent: bool) -> None:
        """Append to an effect log of the record's home; `on_effect` tells when it stands."""
        if not self._shut and self._effect[(home, urgent)].append(record, None):
            self._arm()

    def open_global(self) -> None:
        """This incarnation is registered at quorum: rows of global lanes may be written.

        Before that a reader of another region might not learn of the log; what is appended waits.
        """
        self._held = []
        self._arm()

    def shut(self) -> None:
        """Nothing is appended any more; what waits is still written. Before the logs' ends are
        named: a row behind the named end would be read by nobody."""
        self._shut = True

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._armed = False
        for writer in self._writers.values():
            if writer not in self._held:
                self._carry_out(writer, writer.flush())

    def _carry_out(self, writer: LogWriter, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is WriteRow:
                self._write(writer, command)
            elif type(command) is Durable:
                self._durable(writer, command)
            elif type(command) is Refused:
                for ticket in command.tickets:
                    if ticket is not None:
                        ticket.told(None)

    def _write(self, writer: LogWriter, command: WriteRow) -> None:
        def answered(answer: Answer) -> None:
            self._answered(writer, command, answer)

        for ticket in writer.under_way_tickets:
            if ticket is not None and ticket.key_row is not None:
                row = msgspec.structs.replace(ticket.key_row, log=command.log)
                self._store.submit(row, ticket.key_answered)
        self._store.submit(PutRow(command.log, command.row, command.body), answered)

    def _answered(self, writer: LogWriter, command: WriteRow, answer: Answer) -> None:
        if answer == "ok":
            self.trouble = ""
            self._carry_out(writer, writer.written(command.row))
        elif answer == "revoked":
            self._revoke()
        else:
            if not self.trouble:
                self._log.error("a row cannot be written", log=command.log, answer=answer)
            self.trouble = str(answer)
            self._loop.call_later(AGAIN_S, self._again, writer, command.row)

    def _again(self, writer: LogWriter, row: int) -> None:
        self._carry_out(writer, writer.unknown(row))

    def _durable(self, writer: LogWriter, command: Durable) -> None:
        self.on_durable(writer.log, len(command.records))
        for ticket, place in zip(command.tickets, command.places, strict=True):
            if ticket is not None:
                ticket.stands(place)
        if writer.log.startswith("accept"):
            self.on_row(writer.log, command.places[0].row, command.records)
        else:
            self.on_effect(writer.log, command.places, command.records)

    def _revoke(self) -> None:
        if self.revoked:
            return
        self.revoked = True
        for writer in self._writers.values():
            self._carry_out(writer, writer.revoked())
        self.on_revoked()
