"""The placement map's versions: published by one core, learned by all, served once all name it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from random import Random

import pytest
from msgspec.structs import replace

from core.contract.log import silent
from core.engine.logs import Ticket
from core.engine.maps import Maps
from sync.lease import Lease
from sync.maps import VERSIONS_MAX, MapRow
from sync.placement import Home, Kept, PlacementMap, world_map
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, StoreError, SwapLease, SwapMaps, Write, ignore
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

REGIONS = ("eu", "us")
WORLD = world_map(REGIONS, 2)
SECOND = replace(WORLD, version=2, countries={"DE": "us"})
KEPT_MS = 1_000


class Clock:
    """Stands where it is put."""

    now_ms = 5_000

    def boot(self) -> float:
        return self.now_ms / 1000

    def wall_ms(self) -> int:
        return self.now_ms

    def wall_us(self) -> int:
        return self.now_ms * 1000


@pytest.fixture
async def store() -> MemoryJournal:
    return MemoryJournal(REGIONS, 2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def core(
    store: MemoryJournal,
    clock: Clock,
    seed: int,
    lose: Callable[[Write], bool] = lambda _: False,
    homes: tuple[str, ...] = REGIONS,
    first: PlacementMap = WORLD,
) -> Maps:
    """Answers of writes that `lose` names are not heard, though the write is made."""

    async def submit(write: Write) -> Answer:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        store.submit(write, told.set_result)
        answer = await told
        return "unknown" if lose(write) else answer

    return Maps(store, submit, clock, Random(seed), silent(), first, homes, KEPT_MS)


def rules(answer: object) -> list[str]:
    assert isinstance(answer, list)
    return [one.rule for one in answer]


async def test_a_version_serves_once_all_leases_name_it(store: MemoryJournal, clock: Clock) -> None:
    maps = core(store, clock, 1)
    row = await maps.publish(SECOND)
    assert row == await store.maps()
    assert (maps.book.lease_version, maps.book.accepting) == (2, WORLD)
    await maps.saw_leases([2, 1])
    assert maps.book.accepting == WORLD
    await maps.saw_leases([2, 2])
    assert maps.book.accepting == SECOND


async def test_what_another_lease_names_is_read(store: MemoryJournal, clock: Clock) -> None:
    one, other = core(store, clock, 1), core(store, clock, 2)
    await one.publish(SECOND)
    await other.saw_leases([1, 1])
    assert other.book.lease_version == 1
    await other.saw_leases([2, 1])
    assert (other.book.lease_version, other.book.accepting) == (2, WORLD)


async def test_of_two_at_once_one_is_published(store: MemoryJournal, clock: Clock) -> None:
    one, other = core(store, clock, 1), core(store, clock, 2)
    third = replace(SECOND, countries={"DE": "eu"})
    answers = await asyncio.gather(one.publish(SECOND), other.publish(third))
    made = [answer for answer in answers if isinstance(answer, MapRow)]
    assert made == [await store.maps()]
    assert [rules(answer) for answer in answers if isinstance(answer, list)] == [["next_version"]]


async def test_a_lost_answer_is_found_to_have_been_applied(
    store: MemoryJournal, clock: Clock
) -> None:
    lost = iter([True])
    row = await core(store, clock, 1, lambda _: next(lost, False)).publish(SECOND)
    assert row == await store.maps()
    assert await core(store, clock, 2).publish(SECOND) == row


async def test_what_was_replaced_is_forgotten_with_its_keys(
    store: MemoryJournal, clock: Clock
) -> None:
    maps = core(store, clock, 1)
    await maps.publish(SECOND)
    await maps.saw_leases([2])
    third = replace(SECOND, version=3, countries={})
    await maps.publish(third)
    row = await store.maps()
    assert row is not None
    assert [one.replaced_at_ms for one in row.kept] == [5_000, None, None]
    clock.now_ms += KEPT_MS + 1
    await maps.saw_leases([3])
    assert [one.placement.version for one in maps.book.kept] == [2, 3]


def out_are(*regions: str) -> Callable[[], Awaitable[Collection[str]]]:
    async def read_out() -> Collection[str]:
        return regions

    return read_out


async def test_no_group_is_left_to_regions_that_are_out(store: MemoryJournal, clock: Clock) -> None:
    maps = core(store, clock, 1, homes=(*REGIONS, "de"))
    maps.read_out = out_are("eu")
    unused = replace(WORLD, version=2, groups={"world": REGIONS, "own": ("eu",)})
    own = replace(unused, homes=WORLD.homes | {"de": Home("eu", "own")})
    assert rules(await maps.publish(own)) == ["group_serves"]
    assert isinstance(await maps.publish(unused), MapRow)


async def test_a_group_that_no_region_served_before_holds_no_change_back(
    store: MemoryJournal, clock: Clock
) -> None:
    own = replace(WORLD, groups={"world": REGIONS, "own": ("us",)})
    own = replace(own, homes=WORLD.homes | {"de": Home("us", "own")})
    maps = core(store, clock, 1, homes=(*REGIONS, "de"), first=own)
    maps.read_out = out_are("us")
    assert isinstance(await maps.publish(replace(own, version=2, default="us")), MapRow)


async def test_a_core_asks_which_regions_are_out_before_it_publishes() -> None:
    rig = Rig(MemoryJournal((HOME, OTHER), SHARDS))
    await rig.start()
    await until(lambda: sum(rig.owned().values()) > 0)
    membership = rig.engine.membership
    first = membership.maps.book.accepting
    await membership.serving.lost(OTHER, "burnt")
    groups = first.groups | {"own": (OTHER,)}
    left = replace(first, version=2, groups=groups, homes=first.homes | {"x": Home(OTHER, "own")})
    assert rules(await membership.maps.publish(left)) == ["group_serves"]
    await rig.end()


async def test_versions_kept_are_bounded(store: MemoryJournal, clock: Clock) -> None:
    maps = core(store, clock, 1)
    for version in range(2, VERSIONS_MAX + 1):
        assert isinstance(await maps.publish(replace(SECOND, version=version)), MapRow)
    refused = await maps.publish(replace(SECOND, version=VERSIONS_MAX + 1))
    assert rules(refused) == ["versions_max"]


async def test_a_version_with_a_home_that_is_not_worked_for_is_not_named(
    store: MemoryJournal, clock: Clock
) -> None:
    maps = core(store, clock, 1)
    await maps.publish(replace(SECOND, homes={**WORLD.homes, "new": Home("eu", "world")}))
    await maps.saw_leases([2])
    assert (maps.book.lease_version, maps.book.accepting) == (1, WORLD)


async def test_edges_are_told_what_the_row_says_when_a_core_starts(
    store: MemoryJournal, clock: Clock
) -> None:
    store.submit(SwapMaps(None, MapRow("n1", (Kept(SECOND),))), ignore)
    await until(store.maps)
    maps = core(store, clock, 1)
    told: list[PlacementMap] = []
    maps.on_changed = lambda: told.append(maps.book.accepting)
    await maps.read_at_start(1.0)
    assert maps.book.accepting == SECOND
    assert SECOND in told


async def test_a_core_starts_by_the_first_map_where_none_can_be_read(
    store: MemoryJournal, clock: Clock
) -> None:
    maps = core(store, clock, 1)
    await store.close()
    await maps.read_at_start(1.0)
    assert maps.book.accepting == WORLD


async def test_a_store_that_cannot_be_read_says_so(store: MemoryJournal, clock: Clock) -> None:
    maps = core(store, clock, 1)
    await store.close()
    with pytest.raises(StoreError):
        await maps.publish(SECOND)


# In whole engines


async def test_the_stores_number_of_shards_counts_whatever_the_settings_say() -> None:
    store = MemoryJournal((HOME, OTHER), 2)
    assert Rig(store).engine.placement.shards == SHARDS
    assert Rig(store, shards=2).engine.placement.shards == 2


def following(rig: Rig) -> PlacementMap:
    newest = rig.engine.membership.maps.book.kept[-1].placement
    return replace(newest, version=newest.version + 1, countries={"DE": OTHER})


async def test_cores_learn_a_version_from_each_other_and_then_use_it() -> None:
    store = MemoryJournal((HOME, OTHER), SHARDS)
    one, two = Rig(store, "c1"), Rig(store, "c2")
    await one.start()
    await two.start()
    books = [rig.engine.membership.maps for rig in (one, two)]
    await until(lambda: len(store.tables.lease_rows) == 2)
    await books[0].publish(following(one))
    await until(lambda: [maps.book.accepting.version for maps in books] == [2, 2])
    assert {lease.map_version for lease in store.tables.lease_rows.values()} == {2}
    await one.end()
    await two.end()


async def test_nothing_is_owned_before_the_map_was_read_after_the_first_lease() -> None:
    store = MemoryJournal((HOME, OTHER), SHARDS)
    late = Rig(store, "c1")
    first = late.engine.membership.maps.book.accepting
    row = MapRow("n1", (Kept(first), Kept(following(late))))
    submit = store.submit

    def published_meanwhile(write: Write, done: Callable[[Answer], None]) -> None:
        """By then the core has read the map for its first lease."""
        if isinstance(write, SwapLease) and write.expect is None:
            submit(SwapMaps(None, row), ignore)
        submit(write, done)

    store.submit = published_meanwhile  # type: ignore[method-assign]
    await late.start()
    await until(lambda: sum(late.owned().values()) > 0)
    assert late.engine.membership.maps.book.lease_version == 2
    await late.end()


async def test_another_core_that_knows_nothing_newer_holds_a_version_back() -> None:
    store = MemoryJournal((HOME, OTHER), SHARDS)
    store.tables.lease_rows["old"] = Lease("old", 1, "n", "active", 1)
    rig = Rig(store, "c1")
    await rig.start()
    maps = rig.engine.membership.maps
    await until(lambda: sum(rig.owned().values()) > 0)
    await maps.publish(following(rig))
    await until(lambda: store.tables.lease_rows["c1"].map_version == 2)
    assert maps.book.accepting.version == 1
    store.tables.lease_rows["old"] = Lease("old", 1, "n", "revoked", 1)
    await until(lambda: maps.book.accepting.version == 2)
    await rig.end()


async def test_a_region_out_of_a_homes_group_neither_journals_nor_owns_it() -> None:
    store = MemoryJournal((HOME, OTHER), SHARDS)
    first = Rig(store, "c1").engine.membership.maps.book.accepting
    groups = {"world": (HOME, OTHER), "alone": (OTHER,)}
    homes = first.homes | {OTHER: Home(OTHER, "alone")}
    row = MapRow("n1", (Kept(replace(first, groups=groups, homes=homes)),))
    store.submit(SwapMaps(None, row), ignore)
    rig = Rig(store, "c1")
    await rig.start()
    await until(lambda: rig.owned()[HOME] == SHARDS)
    assert rig.owned()[OTHER] == 0
    assert not rig.engine.logs.takes([rig.message(OTHER).id], True, False)
    assert not rig.engine.logs.accept(rig.message(OTHER), True, False, Ticket(lambda _: None))
    await rig.accept(rig.message(HOME))
    await rig.engine.membership.maps.publish(
        replace(row.kept[0].placement, version=2, groups=groups | {"alone": (OTHER, HOME)})
    )
    await until(lambda: rig.owned()[OTHER] == SHARDS)
    await rig.accept(rig.message(OTHER))
    await rig.end()
