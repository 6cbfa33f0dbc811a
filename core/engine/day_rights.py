"""How many messages an account may be given on one day (UTC), over restarts and processes.

Rights are taken from the store in chunks before they are used: one entity for each account holds
how many were taken on which day, and is changed by compare-and-set, so that all processes together
never send more than the limit. What a process that dies held is lost for the day, at most a chunk
each time; what one holds that stops in order is given back. While the store cannot be asked there
are no new rights. A clock that jumps finds the days' counts as they were.
"""

from collections.abc import Awaitable, Callable

import msgspec

from core.clock import Clock
from core.contract.log import Log
from sync.store.entities import EntityStore, StaleVersion, live
from sync.store.port import StoreError

KIND = "account_day"
DAY_MS = 86_400_000
CHUNKS = 50  # so many chunks make a day's limit
CHUNK_MAX = 1000
DAYS_KEPT = 8
AGAIN_S = 1.0
TRIES_MAX = 20

_decode = msgspec.json.Decoder(dict[str, int]).decode
_encode = msgspec.json.Encoder().encode


class DayRights:
    """The rights of one account in this process. `on_rights` is called when some have come."""

    def __init__(
        self,
        account_id: str,
        per_day: int,
        entities: EntityStore,
        clock: Clock,
        log: Log,
        spawn: Callable[[Awaitable[None]], None],
        on_rights: Callable[[], None],
    ) -> None:
        self._per_day = per_day
        self._id = account_id
        self._entities = entities
        self._clock = clock
        self._log = log
        self._spawn = spawn
        self._on_rights = on_rights
        self._day = -1
        self._held = 0
        self._asking = False
        self._not_before = 0.0
        self.used_up = False

    @property
    def chunk(self) -> int:
        """How many are taken at once."""
        return max(1, min(CHUNK_MAX, self._per_day // CHUNKS))

    def limit(self, per_day: int) -> None:
        """The limit was edited; what is held of a higher one is lost."""
        if per_day < self._per_day:
            self._held = 0
        self._per_day, self.used_up = per_day, False

    def room(self) -> int:
        """How many may be used now; what runs short is asked for."""
        day = self._clock.wall_ms() // DAY_MS
        if day != self._day:
            self._day, self._held, self.used_up = day, 0, False
        if self._held <= self.chunk // 2 and not self.used_up:
            self._ask()
        return self._held

    def take(self) -> int:
        """Use one; `room` was asked in the same turn. The day that it is of."""
        self._held -= 1
        return self._day

    def give_back(self, day: int) -> None:
        """One of that day was not used after all."""
        if day == self._day:
            self._held += 1

    async def stop(self) -> None:
        """Give back what is held; without the store it is lost."""
        held, self._held, self.used_up = self._held, 0, True
        if held > 0:
            try:
                await self._change(self._day, -held)
            except StoreError as error:
                self._log.error("a day's rights are lost", account=self._id, error=str(error))

    def _ask(self) -> None:
        if not self._asking and self._clock.boot() >= self._not_before:
            self._asking = True
            self._spawn(self._fetch(self._day))

    async def _fetch(self, day: int) -> None:
        try:
            got = await self._change(day, self.chunk)
        except StoreError as error:
            self._log.error("a day's rights cannot be had", account=self._id, error=str(error))
            self._not_before = self._clock.boot() + AGAIN_S
            return
        finally:
            self._asking = False
        if day != self._day:
            return  # they were of a day that is over
        if got:
            self._held += got
        else:
            self.used_up = True
        self._on_rights()

    async def _change(self, day: int, wanted: int) -> int:
        """Take so many, or as many as are left, or give some back; how many it were."""
        for _ in range(TRIES_MAX):
            found = await live(self._entities, KIND, self._id)
            days = _decode(found.body) if found else {}
            taken = days.pop(str(day), 0)
            got = max(-taken, min(wanted, self._per_day - taken))
            if got == 0 or (got < 0 < wanted):
                return 0
            kept = dict(list(days.items())[1 - DAYS_KEPT :])
            body = _encode({**kept, str(day): taken + got})
            try:
                await self._entities.put(KIND, self._id, body, found.version if found else 0)
            except StaleVersion:
                continue  # another process was faster
            return got
        raise StoreError("the count of the day is contended")
