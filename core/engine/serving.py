"""The set of serving regions, as this core reads and changes it (PROTOCOL.md 7).

Carries out what `sync.serving` decides, by the placement groups of `core.engine.maps`. The row is
read around the looks at the leases; until it was read once there is no look, so that a core that
starts in a drained region takes nothing there. Later, when it cannot be read, what was read last
still holds: nothing that decides a send hangs on it.

A change is read, transition, compare-and-set, until it is known what became of it. A rule that
says no answers with its `Refusal`. `StoreError` is raised when the row cannot be read: the change
may then have been made, or be made late; asking again does no harm.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.maps import Maps
from core.engine.submitting import swapped
from sync import serving as rules
from sync.agreed import Refusal
from sync.serving import Dwell, ServingSet
from sync.store.port import Answer, JournalStore, StoreError, SwapServing, Write

# (the row as read, nonce) -> the row to write, the same row again, or why not.
Transition = Callable[[ServingSet, str], ServingSet | Refusal]


class Serving:
    """See the module's docstring. `row` is the newest one seen, None before the first reading."""

    def __init__(
        self,
        store: JournalStore,
        submit: Callable[[Write], Awaitable[Answer]],
        clock: Clock,
        random: Random,
        log: Log,
        region: str,
        regions: Sequence[str],
        every_s: float,
        dwell_s: float,
        maps: Maps,
    ) -> None:
        self._store = store
        self._submit = submit
        self._clock = clock
        self._random = random
        self._log = log
        self._region = region
        self._regions = list(regions)
        self._every_s = every_s
        self._dwell_s = dwell_s
        self._maps = maps
        self._dwell = Dwell()
        self._read_at = float("-inf")
        self.row: ServingSet | None = None

    # What is so

    def serves(self, region: str) -> bool:
        """Whether the region takes new work; each does before the row was read."""
        return self.row is None or region in rules.shares(self.row)

    @property
    def age_s(self) -> float | None:
        """How long ago the row was read, None before it was."""
        return None if self.row is None else max(0.0, self._clock.boot() - self._read_at)

    def shares(self) -> dict[str, int]:
        """The regions that take new work, and how much of their usual part, in percent."""
        return dict.fromkeys(self._regions, 100) if self.row is None else rules.shares(self.row)

    @property
    def out(self) -> Collection[str]:
        """The regions that drain or are drained: they take no shards, and give theirs away."""
        return rules.out(self.row)

    async def read_out(self) -> Collection[str]:
        """The regions that are out, as the row says now; raises StoreError."""
        return rules.out(await self._read())

    # What people ask

    async def drain(self, region: str, reason: str) -> ServingSet | Refusal:
        """The region takes nothing new from now on and gives its shards away."""
        maps = self._maps
        await maps.read()  # a version that is published and does not serve yet counts, too
        return await self._change(
            lambda row, nonce: rules.drain(row, region, reason, nonce, maps.book.groups)
        )

    async def begin_return(self, region: str) -> ServingSet | Refusal:
        """The region comes back; its share then grows by itself."""
        return await self._change(lambda row, nonce: rules.begin_return(row, region, nonce))

    async def lost(self, region: str, reason: str) -> ServingSet | Refusal:
        """The region is gone: out at once, whatever it still owns."""
        maps = self._maps
        return await self._change(
            lambda row, nonce: rules.lost(row, region, reason, nonce, maps.book.groups)
        )

    # Around each look at the leases

    async def look(self) -> None:
        """Read the row when it is time, or make the first one; raises StoreError at first only."""
        if self._clock.boot() - self._read_at < self._every_s:
            return
        try:
            await self._read()
        except StoreError as error:
            if self.row is None:
                raise
            self._log.warning("serving regions cannot be read", error=str(error))

    async def go_on(self, owning: Collection[str]) -> None:
        """What follows for the own region, by who owns shards now (`owning`: their regions).

        "" among them is an owner whose region is not known, and might be ours. A region that
        drains is drained when it owns nothing; one that returns gets its next share in time.
        """
        own = None if self.row is None else self.row.regions.get(self._region)
        if own is None:
            return
        try:
            if own.state == "draining" and self._region not in owning and "" not in owning:
                await self._change(lambda row, nonce: rules.drained(row, self._region, nonce))
            elif own.state == "returning" and self._dwelt_s() >= self._dwell_s:
                await self._change(self._next_share)
        except StoreError as error:
            self._log.warning("serving regions cannot be changed", error=str(error))

    def _next_share(self, row: ServingSet, nonce: str) -> ServingSet | Refusal:
        return rules.next_share(row, self._region, self._dwelt_s(), self._dwell_s, nonce)

    def _dwelt_s(self) -> float:
        return self._dwell.dwelt_s(self._region, self._clock.boot())

    # Reading and changing

    async def _change(self, transition: Transition) -> ServingSet | Refusal:
        """Until the row is as the transition wants it, or a rule says no."""
        while True:
            row = await self._read()
            wanted = transition(row, self._nonce())
            if isinstance(wanted, Refusal) or wanted is row:
                return wanted
            if await self._made(row, wanted):
                self._log.info("serving regions changed", regions=_states(wanted))
                return wanted

    async def _made(self, expect: ServingSet | None, wanted: ServingSet) -> bool:
        """Set the row; whether this very change was applied."""
        write, read = SwapServing(expect, wanted), self._store.serving
        applied, shown = await swapped(
            self._submit, write, wanted, lambda answer: answer.serving, read
        )
        assert shown is not None
        self._see(shown)
        return applied

    async def _read(self) -> ServingSet:
        """The row at SERIAL. Where there is none, the first one is made: all regions serve."""
        row = await self._store.serving()
        while row is None:
            await self._made(None, rules.first_set(self._regions, self._nonce()))
            row = await self._store.serving()
        self._read_at = self._clock.boot()
        self._see(row)
        return row

    def _see(self, row: ServingSet) -> None:
        """Answers of changes under way at once may come in any order: the newest row counts."""
        if self.row is None or self.row.version <= row.version:
            self.row = row
            self._dwell.saw(row, self._clock.boot())

    def _nonce(self) -> str:
        return f"{self._random.getrandbits(64):016x}"


def _states(row: ServingSet) -> str:
    return ", ".join(f"{name} {one.state}" for name, one in sorted(row.regions.items()))
