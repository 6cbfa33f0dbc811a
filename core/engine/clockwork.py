"""What happens in one home as time goes by: due messages, reading, floors, by-id rows, expiry."""

import asyncio
from collections.abc import Awaitable, Callable

from core.clock import Clock
from core.engine.dispatch import Dispatcher
from core.engine.logs import Logs
from core.engine.ownership import Ownership
from core.engine.pace import Pace
from core.engine.shell import Shell
from core.engine.signals import Beat
from sync.owner.owner import Owner


class Clockwork:
    """Runs the owner's clocked work until cancelled. `on_late` hears how late each tick came."""

    def __init__(
        self,
        owner: Owner,
        shell: Shell,
        ownership: Ownership,
        dispatcher: Dispatcher,
        logs: Logs,
        clock: Clock,
        seal_s: float,
        floor_s: float,
        spawn: Callable[[Awaitable[None]], None],
        pace: Pace,
    ) -> None:
        self._owner = owner
        self._shell = shell
        self._dispatcher = dispatcher
        self._logs = logs
        self._clock = clock
        self._pace = pace
        self.on_late: Callable[[float], None] = lambda _: None
        self._heard: dict[str, int] = {}
        self._sweeping = False
        self._every: list[tuple[float, Callable[[], None]]] = [
            (seal_s, shell.seal),
            (floor_s, lambda: spawn(ownership.write_floor())),
            (pace.second_s, self._second),
            (pace.poll_silent_s, lambda: shell.read_wanted(logs.accept_rows(owner.home))),
            (pace.poll_former_s, shell.read_former),
        ]

    async def run(self) -> None:
        """Until cancelled."""
        start = self._clock.boot()
        due = [start + every_s for every_s, _ in self._every]
        while True:
            self._tick()
            now = self._clock.boot()
            for index, (every_s, work) in enumerate(self._every):
                if now >= due[index]:
                    due[index] = now + every_s
                    work()
            await asyncio.sleep(self._pace.tick_s)
            self.on_late(self._clock.boot() - now - self._pace.tick_s)

    def heard(self, beat: Beat) -> None:
        """Another core said how far its logs are: read what is new."""
        known = {log for group in self._owner.groups for log in group.cursors}
        self._heard = {log: row for log, row in self._heard.items() if log in known}
        for log, row in beat.rows.items():
            if log in known:
                self._heard[log] = max(row, self._heard.get(log, 0))
        if known:
            self._shell.read_wanted(self._known_rows())

    def told_row(self, log: str) -> int:
        """How far other cores said that the log goes, 0 if they said nothing."""
        return self._heard.get(log, 0)

    def behind(self) -> dict[str, int]:
        """How many rows of each log others told of that are yet to be read here."""
        read: dict[str, int] = {}
        for group in self._owner.groups:
            for log, at in group.cursors.items():
                read[log] = min(at, read.get(log, at))
        return {log: max(0, row - read[log]) for log, row in self._heard.items() if log in read}

    def _tick(self) -> None:
        now_ms = self._clock.wall_ms()
        self._owner.tick(now_ms)
        if self._sweeping:
            self._sweeping = not self._owner.sweep(now_ms, self._pace.swept_at_once)
        self._shell.drain()
        if self._owner.groups:
            self._shell.read_wanted(self._known_rows())
        if self._dispatcher.waiting:
            self._dispatcher.arm()

    def _second(self) -> None:
        self._sweeping = True
        self._shell.take_up_due(self._pace.open_lead_ms)
        self._shell.drain()

    def _known_rows(self) -> dict[str, int]:
        """How far each log is, as far as somebody told; no news counts as nothing new."""
        rows = {log: at for group in self._owner.groups for log, at in group.cursors.items()}
        rows.update(self._heard)
        rows.update(self._logs.accept_rows(self._owner.home))
        return rows
