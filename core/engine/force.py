"""Forced ownership, as this process has it and as an operator changes it (PROTOCOL.md 7).

Carries out what `sync.forced` decides. A process is under one ruling for its whole life; when it
reads another number it must end (`on_changed`), and whoever supervises it starts a new incarnation
under that one. The rows are read before each renewal of the lease, and every now and then in all
regions that can be asked, or in the own one where it is cut off. Where a store has one region there
is nothing to force, and nothing is read.

`force` and `join` are for an operator; asking again does no harm. `StoreError` is raised when the
rows cannot be read, or a row does not come to stand: it may still come to stand later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from core.clock import Clock
from core.contract.log import Log
from sync.agreed import Refusal
from sync.forced import PLAIN, Forced, Ruling, forced, joined, pause, paused, ruling
from sync.store.port import Answer, Forces, JournalStore, PutForced, StoreError, Write

PUT_TRIES = 5
AGAIN_S = 0.2


async def ruling_at_start(store: JournalStore, log: Log) -> Ruling:
    """What holds as a process starts: by all regions, or by the own one where it is cut off."""
    forces = store.forces
    if forces is None:
        return PLAIN
    while True:
        for here in (False, True):
            try:
                return ruling(await forces.forced(here))
            except StoreError as error:
                log.warning("forced ownership cannot be read", here=here, error=str(error))
        await asyncio.sleep(AGAIN_S)


class Force:
    """See the module's docstring. `right_s` is how long a right lasts at most: a lease's length
    and epsilon. `under` is the ruling of this process's life, `now` the same as it was read last:
    regions may have joined. `settle` is awaited before they do: what was written here and there."""

    def __init__(
        self,
        forces: Forces | None,
        submit: Callable[[Write], Awaitable[Answer]],
        clock: Clock,
        log: Log,
        region: str,
        under: Ruling,
        right_s: float,
        every_s: float,
    ) -> None:
        self._forces = forces
        self._submit = submit
        self._clock = clock
        self._log = log
        self._region = region
        self._right_s = right_s
        self._every_s = every_s
        self._began = clock.boot()
        self._joining = False
        self.under = self.now = under
        self.on_changed: Callable[[], None] = lambda: None
        self.settle: Callable[[], Awaitable[None]] = _nothing

    # What is so

    @property
    def alone(self) -> bool:
        """Whether the own region owns by itself, at its own levels."""
        return self.under.alone_in(self._region)

    @property
    def may_own(self) -> bool:
        """Whether this process may own anything now.

        A region that owns alone begins when no right that was given before can last: its cores
        read the rows before each renewal, and ours stood there when this process began.
        """
        if self.alone and self._clock.boot() - self._began < self._right_s:
            return False
        return self.now.may_own(self._region)

    @property
    def anybody(self) -> bool:
        """Whether shards may have had owners that no shard row names."""
        return self.under.number > 0

    @property
    def apart(self) -> frozenset[int]:
        """The force numbers whose floors count for nothing here; see `sync.forced`."""
        return self.now.apart

    # Reading

    async def holds(self) -> bool:
        """Read the rows; whether this process's ruling still holds."""
        return self._forces is None or self._see(await self._forces.forced(self.alone))

    async def watch_forever(self) -> None:
        """Ask all regions now and then: some may hear of a force that others did not.

        Where they are out of reach the own one says whether it was forced itself: that is what it
        was forced for, and no renewal could tell.
        """
        assert self._forces is not None
        while True:
            await asyncio.sleep(self._every_s)
            try:
                self._see(await self._known(self._forces))
            except StoreError:
                continue

    def _see(self, rows: Collection[Forced]) -> bool:
        found = ruling(rows)
        if found.number < self.under.number:
            return True  # the region that has the row was not among those that answered
        if (found.number, found.alone) != (self.under.number, self.under.alone):
            self.on_changed()
            return False
        self.now = found
        return True

    # What an operator asks

    async def force(self) -> Forced | Refusal:
        """The own region owns alone from now on, whoever else lives."""
        if self._forces is None:
            what = "the store has one region, which is a majority by itself"
            return Refusal("one_region", "regions", what, "There is nothing to force.")
        row = forced(await self._known(self._forces), self._region)
        await self._put(row, at_quorum=False)
        return row

    async def join(self, repaired: Callable[[], Awaitable[Collection[str]]]) -> Forced | Refusal:
        """The usual levels again, for the regions that `repaired` brings together and names.

        Only in the region that was alone, one at a time. Asked of one that is, its answer is the
        pause, under which all processes start anew; asked of one under the pause, it waits until no
        right of before lasts, has the store repaired, and lets the regions join.
        """
        if self._joining:
            what = "regions are joining"
            return Refusal("one_at_a_time", self._region, what, "Wait for the answer to that.")
        self._joining = True
        try:
            return await self._join(repaired)
        finally:
            self._joining = False

    async def _join(self, repaired: Callable[[], Awaitable[Collection[str]]]) -> Forced | Refusal:
        if self._forces is None:
            return joined(PLAIN, ())
        rows = await self._known(self._forces)
        was = max((row for row in rows if row.alone), key=lambda r: r.number, default=None)
        if was is not None and was.regions != (self._region,):
            what = f"{was.regions[0]} was alone"
            return Refusal("ask_there", self._region, what, f"Ask {was.regions[0]}.")
        if not paused(rows, self.under.number):
            row = pause(rows)
            if isinstance(row, Forced):
                await self._stop(row)
            return row
        await self._stop(Forced(self.under.number, ()))
        await asyncio.sleep(self._right_s)
        regions = await repaired()
        now = ruling(await self._known(self._forces))
        if now.number != self.under.number:
            what = f"force {now.number} was given meanwhile"
            return Refusal("forced_again", "regions", what, "Ask again.")
        await self.settle()
        row = joined(now, regions)
        if isinstance(row, Forced):
            await self._put(row, at_quorum=True)
        return row

    async def _stop(self, row: Forced) -> None:
        """Nobody owns: first in the region that was alone, then wherever a majority is asked."""
        await self._put(row, at_quorum=False)
        await self._put(row, at_quorum=True)

    @staticmethod
    async def _known(forces: Forces) -> list[Forced]:
        try:
            return await forces.forced(here=False)
        except StoreError:
            return await forces.forced(here=True)

    async def _put(self, row: Forced, at_quorum: bool) -> None:
        for _ in range(PUT_TRIES):
            if await self._submit(PutForced(row, at_quorum)) == "ok":
                self._log.warning("ownership forced", number=row.number, regions=list(row.regions))
                return
            await asyncio.sleep(AGAIN_S)
        raise StoreError("a row of forced ownership does not come to stand: ask again")


async def _nothing() -> None:
    """There is nothing to settle."""
