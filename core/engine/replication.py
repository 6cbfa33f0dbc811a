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

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from core.clock import Clock
from core.contract.log import Log
from sync.agreed import Refusal, settled
from sync.replication import ReplicationChange, next_step, takeovers_frozen
from sync.store.port import Answer, JournalStore, StoreError, Swapped, SwapReplication, Write

AGAIN_S = 0.1
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
        """Set the row; whether this very change was applied. It is never left open: the same swap
        is made again as long as it may still be applied."""
        while True:
            answer = await self._submit(SwapReplication(expect, wanted))
            if isinstance(answer, Swapped):
                shown = answer.replication
            else:
                shown = await self._store.replication()
            there = (shown.version, shown.nonce) if shown is not None else (0, "")
            became = settled((wanted.version, wanted.nonce), there)
            if became != "open":
                self._see(shown)
                return became == "applied"
            await asyncio.sleep(AGAIN_S)

    def _see(self, row: ReplicationChange | None) -> None:
        """Answers of changes under way at once may come in any order: the newest row counts."""
        if row is not None and (self.row is None or self.row.version <= row.version):
            self.row = row
