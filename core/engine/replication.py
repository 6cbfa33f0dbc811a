"""The change of the keyspace's replication, as this core reads, heeds and writes its row
(PROTOCOL.md 11).

Carries out what `sync.replication` decides. The row is read before the first lease, once more
after it was applied, and around the looks at the leases. When it cannot be read later, what was
read last still holds: a core that has not seen a freeze does not say so in its lease, and the
freeze waits for it; one that has seen it goes on heeding it.

A change of the row is read, transition, compare-and-set, until it is known what became of it. A
rule that says no answers with its `Refusal`. `StoreError` is raised when the row cannot be read:
the change may then have been made, or be made late; asking again does no harm.
"""

from collections.abc import Awaitable, Callable
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.submitting import swapped
from sync.agreed import Refusal
from sync.replication import ReplicationChange, next_step, takeovers_frozen
from sync.store.port import Answer, JournalStore, StoreError, SwapReplication, Write

# (the row as read, nonce) -> the row to write, the same row again, or why not.
Transition = Callable[[ReplicationChange | None, str], ReplicationChange | Refusal]


class Replication:
    """See the module's docstring. `row` is the newest one seen; None where there was none yet."""

    def __init__(
        self,
        store: JournalStore,
        submit: Callable[[Write], Awaitable[Answer]],
        clock: Clock,
        random: Random,
        log: Log,
        every_s: float,
    ) -> None:
        self._store = store
        self._submit = submit
        self._clock = clock
        self._random = random
        self._log = log
        self._every_s = every_s
        self._read_at = float("-inf")
        self._heeded = 0
        self.row: ReplicationChange | None = None

    @property
    def frozen(self) -> bool:
        """Whether the row as it was read last forbids takeovers."""
        return takeovers_frozen(self.row)

    def heeded(self, moving: bool) -> int:
        """The version that the own lease may name. `moving`: a takeover is under way here."""
        if self.row is not None and not moving:
            self._heeded = self.row.version
        return self._heeded

    async def look(self) -> None:
        """Read the row when it is time."""
        if self._clock.boot() - self._read_at < self._every_s:
            return
        try:
            await self.read()
        except StoreError as error:
            self._log.warning("the change of replication cannot be read", error=str(error))

    async def read(self) -> ReplicationChange | None:
        """The row at SERIAL; raises StoreError."""
        row = await self._store.replication()
        self._read_at = self._clock.boot()
        self._see(row)
        return row

    async def change(self, transition: Transition) -> ReplicationChange | Refusal:
        """Until the row is as the transition wants it, or a rule says no."""
        while True:
            row = await self.read()
            wanted = transition(row, f"{self._random.getrandbits(64):016x}")
            if isinstance(wanted, Refusal) or wanted is row:
                return wanted
            if await self._made(row, wanted):
                step = next_step(wanted)
                name = step.name if step else "none"
                self._log.info("replication changes", unit=wanted.unit, next_step=name)
                return wanted

    async def _made(self, expect: ReplicationChange | None, wanted: ReplicationChange) -> bool:
        """Set the row; whether this very change was applied."""
        write, read = SwapReplication(expect, wanted), self._store.replication
        applied, shown = await swapped(
            self._submit, write, wanted, lambda answer: answer.replication, read
        )
        self._see(shown)
        return applied

    def _see(self, row: ReplicationChange | None) -> None:
        """Answers of changes under way at once may come in any order: the newest row counts."""
        if row is not None and (self.row is None or self.row.version <= row.version):
            self.row = row
