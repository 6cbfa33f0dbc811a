"""What every part of a simulated core stands on: its clocks, the store, waiting, and its end."""

from collections.abc import Callable, Coroutine
from random import Random
from typing import TYPE_CHECKING, Any

from sync.lease import Holder
from sync.owner.owner import Owner
from sync.store.memory_journal import MemoryTables
from sync.store.port import Answer, StoreError, Write
from tests.support.world.history import History
from tests.support.world.loop import CrashError, Loop, Process, Resume, Wait, drive
from tests.support.world.plan import Plan
from tests.support.world.provider import Provider
from tests.support.world.store import SimStore

if TYPE_CHECKING:
    from tests.support.world.behind import SimBehind
    from tests.support.world.dispatch import SimDispatcher
    from tests.support.world.logs import SimLogs
    from tests.support.world.ownership import SimOwnership
    from tests.support.world.receipts import SimReceipts
    from tests.support.world.shell import SimShell


class Core(Process):
    """One incarnation. Its parts are put together in `world.start_core`."""

    behind: "SimBehind"
    logs: "SimLogs"
    dispatcher: "SimDispatcher"
    shell: "SimShell"
    receipts: "SimReceipts"
    ownership: "SimOwnership"

    def __init__(
        self,
        incarnation: str,
        loop: Loop,
        plan: Plan,
        chance: Random,
        store: SimStore,
        providers: dict[str, Provider],
        history: History,
        owner: Owner,
        holder: Holder,
    ) -> None:
        super().__init__()
        self.incarnation = incarnation
        self.loop = loop
        self.plan = plan
        self.chance = chance
        self.store = store
        self.providers = providers
        self.history = history
        self.owner = owner
        self.holder = holder
        self.ready = False
        self.others: Callable[[], list[Core]] = list
        self._skew_ms = chance.randint(-plan.skew_ms, plan.skew_ms)

    def boot(self) -> float:
        """CLOCK_BOOTTIME."""
        return self.loop.now

    def wall_ms(self) -> int:
        """The wall clock, within the clock bound of the others'."""
        return self.plan.start_ms + int(self.loop.now * 1000) + self._skew_ms

    def lease_left_s(self) -> float:
        """How long the right to act still lasts."""
        return self.holder.left_s(self.boot())

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """An event of this process."""
        self.loop.after(seconds, do, self)

    def submit(self, write: Write, done: Callable[[Answer], None]) -> None:
        """Hand a write to the store."""
        self.store.submit(self, write, done)

    def read(self, look: Callable[[MemoryTables], Any]) -> Wait:
        """Await a read of the store."""
        return self.store.read(self, look)

    def sleep(self, seconds: float) -> Wait:
        """Await time."""

        def start(resume: Resume) -> None:
            self.later(seconds, resume)

        return Wait(start)

    async def read_forever(self, look: Callable[[MemoryTables], Any]) -> Any:
        """Read until it works."""
        while True:
            try:
                return await self.read(look)
            except StoreError:
                await self.sleep(0.05)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside; it begins in the next turn."""
        self.unborn.add(work)

        def begin() -> None:
            self.unborn.discard(work)
            drive(work)

        self.later(0.0, begin)

    def command(self) -> None:
        """Between two commands: the process may end here."""
        if self.store.faulty and self.chance.random() < self.plan.crash_at_command:
            raise CrashError

    def end(self, why: str) -> None:
        """The process ends itself, as when its lease is lost."""
        self.history.trail.append((self.loop.now, self.incarnation, f"ended: {why}"))
        raise CrashError
