"""The versions of the placement map as this core knows, uses and publishes them.

Carries out what `sync.placement` and `sync.maps` decide. The row is read when the process starts,
once more after the first lease was applied, and whenever a lease of another core names a version
that is not known here; so with one version nothing is read beside the work. A version with a home
that this process does not work for is not loaded, and so does not serve before the process was
started anew.

Publishing is read, check, compare-and-set, until it is known what became of it. `StoreError` is
raised when the row cannot be read: the version may then have been published, or be published late;
asking again does no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.submitting import swapped
from sync.agreed import Refusal
from sync.maps import MapRow, published
from sync.placement import Kept, MapBook, PlacementMap
from sync.store.port import Answer, JournalStore, StoreError, SwapMaps, Write


class Maps:
    """See the module's docstring. `first` holds where the store has no row; `homes` are those that
    this process works for; a region that is `alone` (see `sync.forced`) publishes nothing.
    `on_changed` is told when what is kept, or what serves, changed; `read_out` reads which regions
    are out."""

    def __init__(
        self,
        store: JournalStore,
        submit: Callable[[Write], Awaitable[Answer]],
        clock: Clock,
        random: Random,
        log: Log,
        first: PlacementMap,
        homes: Collection[str],
        keys_kept_ms: int,
        alone: bool = False,
    ) -> None:
        self._store = store
        self._submit = submit
        self._clock = clock
        self._random = random
        self._log = log
        self._homes = frozenset(homes)
        self._keys_kept_ms = keys_kept_ms
        self._alone = alone
        self._loaded = False
        self.book = MapBook([Kept(first)], keys_kept_ms)
        self.on_changed: Callable[[], None] = lambda: None
        self.read_out: Callable[[], Awaitable[Collection[str]]] = _none

    async def read(self) -> None:
        """Load what the row has; raises StoreError."""
        self._load(await self._store.maps())

    async def read_at_start(self, wait_s: float) -> None:
        """Before edges are told by which map to mint; where it cannot be read the first one holds,
        so that a core can start in a region that is cut off."""
        try:
            async with asyncio.timeout(wait_s):
                await self.read()
        except (StoreError, TimeoutError) as error:
            self._log.warning("the placement map cannot be read", error=str(error))

    async def saw_leases(self, versions: Iterable[int]) -> None:
        """All active leases were read. What they name that is not known here is read first: it was
        published before they were."""
        named = list(versions)
        if max(named, default=0) > self.book.lease_version:
            await self.read()
        now_ms = self._clock.wall_ms()
        if self.book.saw_leases(named, now_ms):
            self._log.info("placement map serves", version=self.book.accepting.version)
            self.on_changed()
        if len(self.book.kept) > 1 and self.book.forget(now_ms):
            self.on_changed()

    async def publish(self, placement: PlacementMap) -> MapRow | list[Refusal]:
        """Make it the next version, or say what speaks against it. One that stands already is
        answered as published."""
        if self._alone:
            what = "this region owns alone, and cannot ask the others for their leases"
            return [Refusal("alone", f"version {placement.version}", what, "Join regions first.")]
        while True:
            row = await self._store.maps()
            self._load(row)
            if row is not None and any(one.placement == placement for one in row.kept):
                return row
            # What is kept here says when versions were replaced, too; a row only did once.
            known = row is None or row.version == self.book.lease_version
            kept = self.book.kept if row is None or known else row.kept
            out = await self.read_out()
            wanted = published(kept, placement, f"{self._random.getrandbits(64):016x}", out)
            if isinstance(wanted, list):
                return wanted
            if await self._made(row, wanted):
                self._log.info("placement map published", version=wanted.version)
                return wanted

    async def _made(self, expect: MapRow | None, wanted: MapRow) -> bool:
        """Set the row; whether this very change was applied."""
        write, read = SwapMaps(expect, wanted), self._store.maps
        applied, shown = await swapped(
            self._submit, write, wanted, lambda answer: answer.maps, read
        )
        self._load(shown)
        return applied

    def _load(self, row: MapRow | None) -> None:
        if row is None:
            return
        known = [one for one in row.kept if one.placement.homes.keys() <= self._homes]
        if not self._loaded and known:
            self._loaded = True
            self.book = MapBook(known, self._keys_kept_ms)
            self.on_changed()
        before = self.book.lease_version
        for one in row.kept:
            if one not in known or self.book.learn(one.placement):
                self._log.error("placement map cannot be loaded", version=one.placement.version)
                break
        if self.book.lease_version > before:
            self._log.info("placement map loaded", version=self.book.lease_version)
            self.on_changed()


async def _none() -> Collection[str]:
    return ()
