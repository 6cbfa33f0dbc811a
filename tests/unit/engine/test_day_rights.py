"""An account's limit of a day holds over restarts, crashes, processes, edits and the clock."""

import asyncio
from io import BytesIO

import pytest

from core.contract.log import Log
from core.engine.day_rights import DAY_MS, DayRights
from sync.store.entities_memory import MemoryEntities
from sync.store.port import StoreError
from tests.unit.engine.stage import Clock

PER_DAY = 500
CHUNK = PER_DAY // 50


class Days:
    """Several processes on one store."""

    def __init__(self) -> None:
        self.store = MemoryEntities()
        self.clock = Clock()
        self.tasks: set[asyncio.Task[None]] = set()

    def process(self, per_day: int = PER_DAY) -> DayRights:
        def spawn(work) -> None:
            task = asyncio.ensure_future(work)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        return DayRights("a", per_day, self.store, self.clock, Log(BytesIO()), spawn, lambda: None)

    async def use(self, day: DayRights, most: int = 10**9) -> int:
        """Use rights until there are no more today."""
        used = 0
        while used < most:
            if day.room() > 0:
                day.take()
                used += 1
            elif day.used_up:
                return used
            else:
                await asyncio.gather(*self.tasks)
                await asyncio.sleep(0)
        return used


async def test_exactly_the_limit_can_be_used() -> None:
    days = Days()
    day = days.process()
    assert await days.use(day) == PER_DAY
    assert day.room() == 0


async def test_processes_share_one_limit() -> None:
    days = Days()
    used = await asyncio.gather(*(days.use(days.process()) for _ in range(3)))
    assert PER_DAY - 3 * 2 * CHUNK <= sum(used) <= PER_DAY


async def test_a_crash_wastes_a_few_rights_and_never_gives_more() -> None:
    days, used, crashes = Days(), 0, 5
    for _ in range(crashes):
        used += await days.use(days.process(), 53)
    used += await days.use(days.process())
    assert PER_DAY - crashes * 2 * CHUNK <= used <= PER_DAY


async def test_who_stops_in_order_wastes_nothing() -> None:
    days, used = Days(), 0
    for _ in range(5):
        day = days.process()
        used += await days.use(day, 53)
        await asyncio.gather(*days.tasks)
        await day.stop()
    assert used + await days.use(days.process()) == PER_DAY


async def test_the_next_day_has_rights_of_its_own_and_a_clock_that_jumps_back_none() -> None:
    days = Days()
    day = days.process()
    await days.use(day)
    days.clock.wall += DAY_MS
    assert await days.use(day, 10) == 10
    days.clock.wall -= DAY_MS
    assert await days.use(day) == 0


async def test_a_right_of_yesterday_is_not_given_back_to_today() -> None:
    days = Days()
    day = days.process()
    await days.use(day, 1)
    of = days.clock.wall // DAY_MS
    days.clock.wall += DAY_MS
    await days.use(day)
    day.give_back(of)
    assert day.room() == 0
    day.give_back(of + 1)
    assert day.room() == 1


async def test_a_limit_that_is_raised_or_lowered_holds_at_once() -> None:
    days = Days()
    day = days.process()
    used = await days.use(day, 100)
    day.limit(50)
    assert await days.use(day) == 0
    day.limit(200)
    assert used + await days.use(day) <= 200
    day.limit(10**9)
    assert await days.use(day, 1_000) == 1_000


async def test_without_the_store_there_are_no_new_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    days = Days()
    day = days.process()

    async def broken(*_: object) -> int:
        raise StoreError("away")

    with monkeypatch.context() as patched:
        patched.setattr(days.store, "put", broken)
        assert day.room() == 0
        await asyncio.gather(*days.tasks)
        assert day.room() == 0
        assert not days.tasks, "the store is not asked again at once"
    days.clock.go(2)
    assert await days.use(day) == PER_DAY
