"""Forced ownership as one process has it, and as an operator changes it."""

import asyncio
from collections.abc import Collection

import pytest

from core.contract.log import silent
from core.engine import force as module
from core.engine.force import Force, ruling_at_start
from sync.agreed import Refusal
from sync.forced import PLAIN, Forced, Ruling, ruling
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, PutForced, StoreError, Write

RIGHT_S = 4.25


class Rows:
    """The rows of regions that can be cut off from each other."""

    def __init__(self) -> None:
        self.rows: list[Forced] = []
        self.majority = True
        self.refused = 0

    async def forced(self, here: bool) -> list[Forced]:
        if not here and not self.majority:
            raise StoreError("no majority")
        return list(self.rows)

    def under(self, ruling: Ruling) -> MemoryJournal:
        raise NotImplementedError

    async def submit(self, write: Write) -> Answer:
        assert isinstance(write, PutForced)
        if self.refused or (write.at_quorum and not self.majority):
            self.refused = max(0, self.refused - 1)
            return "unknown"
        if write.row not in self.rows:
            self.rows.append(write.row)
        return "ok"


class Clock:
    """Stands where it is put."""

    now_s = 100.0

    def boot(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return int(self.now_s * 1000)

    def wall_us(self) -> int:
        return self.wall_ms() * 1000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)


def core(rows: Rows, region: str = "us", right_s: float = RIGHT_S) -> Force:
    """As a process has it that starts now."""
    return Force(
        rows,  # type: ignore[arg-type]
        rows.submit,
        Clock(),
        silent(),
        region,
        ruling(rows.rows),
        right_s,
        1.0,
    )


async def everything() -> Collection[str]:
    return ["eu", "us", "ap"]


async def test_a_region_that_is_alone_begins_when_no_right_of_before_lasts() -> None:
    rows = Rows()
    rows.majority = False
    assert await core(rows).force() == Forced(1, ("us",), alone=True)
    mine = core(rows)
    assert mine.alone
    assert not mine.may_own
    mine._clock.now_s += RIGHT_S  # type: ignore[attr-defined]
    assert mine.may_own
    assert not core(rows, "eu").may_own


async def test_a_process_whose_ruling_is_another_now_must_end() -> None:
    rows, told = Rows(), []
    mine = core(rows, "eu")
    mine.on_changed = lambda: told.append("changed")
    assert await mine.holds()
    rows.rows.append(Forced(1, ("us",), alone=True))
    assert not await mine.holds()
    assert told == ["changed"]


async def test_a_region_that_was_forced_while_it_is_cut_off_hears_of_it() -> None:
    """No renewal could tell: it needs a majority."""
    rows, told = Rows(), asyncio.Event()
    rows.majority = False
    mine = core(rows)
    mine.on_changed = told.set
    mine._every_s = 0.0
    watching = asyncio.create_task(mine.watch_forever())
    await asyncio.sleep(0)
    assert not told.is_set()
    await mine.force()
    await asyncio.wait_for(told.wait(), 1.0)
    watching.cancel()


async def test_who_cannot_read_the_rows_does_not_know_that_its_ruling_holds() -> None:
    rows = Rows()
    mine = core(rows)
    rows.majority = False
    with pytest.raises(StoreError):
        await mine.holds()


async def test_regions_join_over_a_pause_after_a_repair() -> None:
    rows, order = Rows(), []
    await core(rows).force()
    assert await core(rows).join(everything) == Forced(2, ())
    mine = core(rows, right_s=0.0)
    assert not mine.may_own

    async def repaired() -> Collection[str]:
        order.append("repaired")
        return await everything()

    async def settle() -> None:
        assert not ruling(rows.rows).regions
        order.append("settled")

    mine.settle = settle
    assert await mine.join(repaired) == Forced(2, ("ap", "eu", "us"))
    assert order == ["repaired", "settled"]
    assert await mine.holds()
    assert mine.may_own
    assert not mine.alone


async def test_only_the_region_that_was_alone_lets_the_others_join_and_once_at_a_time() -> None:
    rows = Rows()
    await core(rows).force()
    other = await core(rows, "eu").join(everything)
    assert isinstance(other, Refusal)
    assert other.rule == "ask_there"
    await core(rows).join(everything)
    mine, waiting = core(rows, right_s=0.0), asyncio.Event()

    async def slowly() -> Collection[str]:
        await waiting.wait()
        return await everything()

    first = asyncio.create_task(mine.join(slowly))
    await asyncio.sleep(0)
    second = await mine.join(everything)
    assert isinstance(second, Refusal)
    assert second.rule == "one_at_a_time"
    waiting.set()
    assert isinstance(await first, Forced)


async def test_who_is_forced_while_others_join_goes_before() -> None:
    rows = Rows()
    await core(rows).force()
    await core(rows).join(everything)
    mine = core(rows, right_s=0.0)

    async def repaired() -> Collection[str]:
        await core(rows, "eu").force()
        return await everything()

    answer = await mine.join(repaired)
    assert isinstance(answer, Refusal)
    assert answer.rule == "forced_again"
    assert ruling(rows.rows).alone_in("eu")


async def test_a_row_that_does_not_come_to_stand_is_said() -> None:
    rows = Rows()
    rows.refused = module.PUT_TRIES - 1
    assert isinstance(await core(rows).force(), Forced)
    rows.refused = module.PUT_TRIES
    with pytest.raises(StoreError, match="ask again"):
        await core(rows).force()


async def test_a_store_of_one_region_has_nothing_to_force() -> None:
    store = MemoryJournal("eu", 2)
    assert await ruling_at_start(store, silent()) == PLAIN
    rows = Rows()
    alone = Force(None, rows.submit, Clock(), silent(), "eu", PLAIN, RIGHT_S, 1.0)
    assert await alone.holds()
    assert alone.may_own
    for answer in (await alone.force(), await alone.join(everything)):
        assert isinstance(answer, Refusal)


async def test_a_process_that_starts_cut_off_goes_by_its_own_region() -> None:
    rows = Rows()
    rows.rows.append(Forced(1, ("us",), alone=True))
    rows.majority = False
    store = MemoryJournal("us", 2)
    store.forces = rows  # type: ignore[assignment]
    assert (await ruling_at_start(store, silent())).alone_in("us")
