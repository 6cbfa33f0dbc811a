"""core/engine/logs.py in virtual time: the process's own logs, driven by the real `LogWriter`."""

from collections.abc import Callable

from sync.log_writer import Command, Durable, LogWriter, Refused, WriteRow
from sync.naming import accept_log, effect_log, lane
from sync.records import AcceptRecord, EffectRecord, Place, Record
from sync.store.port import Answer, PutRow
from tests.support.world.plan import HOME
from tests.support.world.process import Core

AGAIN_S = 0.05


class Ticket:
    """Somebody who waits for a record: `told(place)`, or `told(None)` when the log is closed."""

    def __init__(self, told: Callable[[Place | None], None]) -> None:
        self.told = told


class SimLogs:
    """Accept and effect logs, urgent and normal."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._armed = False
        self.revoked = False
        self.on_row: Callable[[str, int, list[Record]], None] = lambda *_: None
        self.on_effect: Callable[[list[Place], list[Record]], None] = lambda *_: None
        self._accept: dict[bool, LogWriter] = {}
        self._effect: dict[bool, LogWriter] = {}
        for urgent in (True, False):
            name = effect_log(HOME, "urgent" if urgent else "normal", core.incarnation, 0)
            self._effect[urgent] = LogWriter(name, 4, 4_000, 1 << 30)
            name = accept_log(HOME, lane(urgent, False), core.incarnation, 0)
            self._accept[urgent] = LogWriter(name, 3, 4_000, 20)
        self._writers = {w.log: w for w in (*self._accept.values(), *self._effect.values())}

    @property
    def names(self) -> list[str]:
        """All logs, for the registry."""
        return list(self._writers)

    def last_rows(self) -> dict[str, int]:
        """How far each log is: its last durable row."""
        return {log: writer.last_row for log, writer in self._writers.items()}

    def effect_rows(self) -> dict[str, int]:
        """How far the effect logs are."""
        return {writer.log: writer.last_row for writer in self._effect.values()}

    def accept(self, record: AcceptRecord, urgent: bool, ticket: Ticket) -> bool:
        """Append to an accept log; False when it is closed or too much waits."""
        if not self._accept[urgent].append(record, ticket):
            return False
        self._arm()
        return True

    def effect(self, record: EffectRecord, urgent: bool) -> None:
        """Append to an effect log; `on_effect` tells when it stands."""
        if self._effect[urgent].append(record, None):
            self._arm()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._core.later(0.0, self._flush)

    def _flush(self) -> None:
        self._armed = False
        for writer in self._writers.values():
            self._carry_out(writer, writer.flush())

    def _carry_out(self, writer: LogWriter, commands: list[Command]) -> None:
        for command in commands:
            self._core.command()
            if type(command) is WriteRow:
                self._write(writer, command)
            elif type(command) is Durable:
                self._durable(writer, command)
            elif type(command) is Refused:
                for ticket in command.tickets:
                    if ticket is not None:
                        ticket.told(None)

    def _write(self, writer: LogWriter, command: WriteRow) -> None:
        self._core.submit(
            PutRow(command.log, command.row, command.body),
            lambda answer: self._answered(writer, command, answer),
        )

    def _answered(self, writer: LogWriter, command: WriteRow, answer: Answer) -> None:
        if answer == "ok":
            self._carry_out(writer, writer.written(command.row))
        elif answer == "revoked":
            self._revoke()
        else:
            row = command.row
            again = lambda: self._carry_out(writer, writer.unknown(row))  # noqa: E731
            self._core.later(AGAIN_S, again)

    def _durable(self, writer: LogWriter, command: Durable) -> None:
        for ticket, place in zip(command.tickets, command.places, strict=True):
            if ticket is not None:
                ticket.told(place)
        if writer.log.startswith("accept"):
            self.on_row(writer.log, command.places[0].row, command.records)
        else:
            self.on_effect(command.places, command.records)

    def _revoke(self) -> None:
        if self.revoked:
            return
        self.revoked = True
        for writer in self._writers.values():
            self._carry_out(writer, writer.revoked())
        self._core.end("a row was refused: revoked")
