"""The set of serving regions, changed by several cores at once over a store that loses answers."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from core.contract.log import silent
from core.engine.maps import Maps
from core.engine.serving import Serving
from sync.agreed import Refusal
from sync.maps import MapRow
from sync.placement import Kept, world_map
from sync.serving import ServingSet
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, StoreError, SwapMaps, Write, ignore
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

REGIONS = ("eu", "us")


class Clock:
    """Stands where it is put."""

    now_s = 100.0

    def boot(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return 0

    def wall_us(self) -> int:
        return 0


@pytest.fixture
async def store() -> MemoryJournal:
    return MemoryJournal(REGIONS, 2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def core(
    store: MemoryJournal,
    clock: Clock,
    region: str,
    seed: int,
    lose: Callable[[Write], bool] = lambda _: False,
) -> Serving:
    """Answers of writes that `lose` names are not heard, though the write is made."""

    async def submit(write: Write) -> Answer:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        store.submit(write, told.set_result)
        answer = await told
        return "unknown" if lose(write) else answer

    maps = Maps(store, submit, clock, Random(seed), silent(), world_map(REGIONS, 2), REGIONS, 1_000)
    return Serving(store, submit, clock, Random(seed), silent(), region, REGIONS, 1.0, 10.0, maps)


def states(row: ServingSet | Refusal | None) -> dict[str, str]:
    assert isinstance(row, ServingSet)
    return {name: one.state for name, one in row.regions.items()}


async def test_two_drains_at_once_leave_one_region(store: MemoryJournal, clock: Clock) -> None:
    eu, us = core(store, clock, "eu", 1), core(store, clock, "us", 2)
    answers = await asyncio.gather(eu.drain("eu", "a"), us.drain("us", "b"))
    refused = [one for one in answers if isinstance(one, Refusal)]
    assert [one.rule for one in refused] == ["last_serving_region"]
    assert sorted(states(await store.serving()).values()) == ["draining", "serving"]


async def test_the_last_one_of_a_group_is_not_drained_also_where_the_map_was_just_published(
    store: MemoryJournal, clock: Clock
) -> None:
    world = world_map(REGIONS, 2)
    narrowed = replace(world, version=2, groups={"world": ("eu",)}, homes={"eu": world.homes["eu"]})
    store.submit(SwapMaps(None, MapRow("n", (Kept(world), Kept(narrowed)))), ignore)
    await asyncio.sleep(0)
    us = core(store, clock, "us", 2)
    refused = await us.drain("eu", "a")
    assert isinstance(refused, Refusal)
    assert refused.rule == "last_serving_of_group"
    assert states(await us.lost("eu", "b")) == {"eu": "drained", "us": "serving"}


async def test_a_lost_answer_is_found_to_have_been_applied(
    store: MemoryJournal, clock: Clock
) -> None:
    lost = iter([False, True])  # of the first row nothing, then the drain's answer
    eu = core(store, clock, "eu", 1, lambda _: next(lost, False))
    row = await eu.drain("eu", "a")
    assert row == await store.serving()
    assert states(row) == {"eu": "draining", "us": "serving"}
    assert eu.out == ["eu"]
    assert not eu.serves("eu")
    assert eu.shares() == {"us": 100}


async def test_a_write_that_never_arrived_is_made_again(store: MemoryJournal, clock: Clock) -> None:
    eu = core(store, clock, "eu", 1)
    await eu.look()
    refused = iter(["unknown"])
    store.refuse = lambda _: next(refused, "")
    assert states(await eu.drain("eu", "a")) == {"eu": "draining", "us": "serving"}
    assert states(await store.serving())["eu"] == "draining"


async def test_a_region_is_drained_when_it_owns_nothing(store: MemoryJournal, clock: Clock) -> None:
    eu = core(store, clock, "eu", 1)
    await eu.drain("eu", "a")
    for owning in ({"eu", "us"}, {"", "us"}):
        await eu.go_on(owning)
        assert states(await store.serving())["eu"] == "draining"
    await eu.go_on({"us"})
    assert states(await store.serving())["eu"] == "drained"


async def test_a_region_returns_in_steps(store: MemoryJournal, clock: Clock) -> None:
    eu, us = core(store, clock, "eu", 1), core(store, clock, "us", 2)
    await us.lost("eu", "gone")
    await us.begin_return("eu")
    shares = []
    for _ in range(5):
        clock.now_s += 5.0
        await eu.look()
        await eu.go_on(set())
        shares.append(eu.shares()["eu"])
    assert shares == [5, 5, 25, 25, 50]
    clock.now_s += 10.0
    await eu.go_on(set())
    assert states(await store.serving()) == {"eu": "serving", "us": "serving"}


async def test_no_look_before_the_row_was_read_once(store: MemoryJournal, clock: Clock) -> None:
    eu = core(store, clock, "eu", 1)
    assert eu.serves("eu")
    await eu.look()
    await store.close()
    clock.now_s += 2.0
    await eu.look()
    assert eu.shares() == {"eu": 100, "us": 100}
    with pytest.raises(StoreError):
        await core(store, clock, "us", 2).look()
    with pytest.raises(StoreError):
        await eu.drain("eu", "a")


async def test_the_last_region_stays_at_work() -> None:
    rig = Rig(MemoryJournal((HOME, OTHER), SHARDS))
    await rig.start()
    await until(lambda: rig.owned() == {HOME: SHARDS, OTHER: SHARDS})
    serving = rig.engine.membership.serving
    assert isinstance(await serving.drain(OTHER, "a"), ServingSet)
    refused = await serving.drain(HOME, "b")
    assert isinstance(refused, Refusal)
    assert refused.rule == "last_serving_region"
    assert rig.owned() == {HOME: SHARDS, OTHER: SHARDS}
    await rig.end()
