"""The rows that cores agree on are changed under compare-and-set by every implementation."""

from msgspec.structs import replace

from sync.lease import Lease
from sync.maps import MapRow
from sync.placement import Kept, world_map
from sync.replication import ReplicationChange, done, next_step, plan
from sync.serving import ServingSet, drain, first_set
from sync.store.port import (
    JournalStore,
    SwapLease,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
)
from tests.contract.conftest import Do


async def test_serving_regions_are_set_only_from_what_was_expected(
    store: JournalStore, do: Do
) -> None:
    assert await store.serving() is None
    first = first_set(["h", "i"], "n1")
    one, two = drain(first, "h", "why", "n2"), drain(first, "i", "why", "n3")
    assert isinstance(one, ServingSet)
    assert isinstance(two, ServingSet)
    assert await do(SwapServing(first, one)) == Swapped(False, serving=None)
    assert await do(SwapServing(None, first)) == Swapped(True, serving=first)
    assert await do(SwapServing(None, first)) == Swapped(False, serving=first)
    assert await do(SwapServing(first, one)) == Swapped(True, serving=one)
    assert await do(SwapServing(first, two)) == Swapped(False, serving=one)
    assert await store.serving() == one


async def test_the_placement_map_is_set_only_from_what_was_expected(
    store: JournalStore, do: Do
) -> None:
    assert await store.maps() is None
    world = world_map(["h", "i"], 4)
    row = MapRow("n1", (Kept(world),))
    second = MapRow("n2", (Kept(world, 7), Kept(replace(world, version=2, countries={"DE": "i"}))))
    assert await do(SwapMaps(row, second)) == Swapped(False, maps=None)
    assert await do(SwapMaps(None, row)) == Swapped(True, maps=row)
    assert await do(SwapMaps(None, second)) == Swapped(False, maps=row)
    assert await do(SwapMaps(row, second)) == Swapped(True, maps=second)
    assert await do(SwapMaps(row, row)) == Swapped(False, maps=second)
    assert await store.maps() == second


async def test_a_change_of_replication_is_set_only_from_what_was_expected(
    store: JournalStore, do: Do
) -> None:
    assert await store.replication() is None
    row = plan("k", {"h": 1}, {"h": 2, "i": 1}, "n1")
    assert isinstance(row, ReplicationChange)
    first = next_step(row)
    assert first is not None
    second = done(row, first, "n2")
    assert isinstance(second, ReplicationChange)
    assert await do(SwapReplication(row, second)) == Swapped(False, replication=None)
    assert await do(SwapReplication(None, row)) == Swapped(True, replication=row)
    assert await do(SwapReplication(None, second)) == Swapped(False, replication=row)
    assert await do(SwapReplication(row, second)) == Swapped(True, replication=second)
    assert await do(SwapReplication(row, row)) == Swapped(False, replication=second)
    assert await store.replication() == second


async def test_a_lease_keeps_what_it_names(store: JournalStore, do: Do) -> None:
    held = Lease("c1", 1, "n1", "active", 3, {"a": 2}, 7)
    await do(SwapLease(None, held))
    assert await store.lease("c1") == held
    assert await store.leases() == [held]
