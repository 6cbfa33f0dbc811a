"""The configuration's store of several regions: answers, answers that are lost, and copies."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sim.network import NetworkRates
from core.sim.store.entities import EntityView
from core.sim.store.faults import StoreFaults
from sync.store.entities import Entity, EntityStore, StaleVersion
from sync.store.entities_memory import MemoryEntities
from sync.store.port import StoreError
from tests.unit.sim.store.stage import REGIONS, Stage

ONE = Entity("k", "a", 1, b"one")


def views(stage: Stage) -> dict[str, EntityView]:
    return {r: stage.store.entities.view(stage.processes[r]) for r in REGIONS}


def put(stage: Stage, region: str, body: bytes, expect: int | None = None) -> Any:
    return stage.read(region, views(stage)[region].put("k", "a", body, expect))


def get(stage: Stage, region: str) -> Any:
    return stage.read(region, views(stage)[region].get("k", "a"))


def changes(stage: Stage, region: str, since: int = 0) -> Any:
    return stage.read(region, views(stage)[region].changes(since, 10))


def test_what_is_written_is_in_its_region_at_once_and_in_the_others_later() -> None:
    stage = Stage(rates=NetworkRates(far_min_s=0.1, far_max_s=0.1, jitter=0.0))
    stage.store.faulty = False
    assert put(stage, "a", b"one") == 1
    assert get(stage, "a") == ONE
    stage.run(0.3)
    assert [get(stage, region) for region in REGIONS] == [ONE] * 3
    assert [changes(stage, region) for region in REGIONS] == [(1, [("k", "a")])] * 3


def test_of_two_regions_that_write_at_once_one_is_refused_whatever_its_copy_says() -> None:
    stage = Stage()
    stage.network.cut_one_way("a", "b")
    put(stage, "a", b"one")
    assert get(stage, "b") is None
    stage.network.heal()
    with pytest.raises(StaleVersion) as stale:
        put(stage, "b", b"two", 0)
    assert stale.value.current == 1


def test_a_region_that_is_cut_off_reads_what_it_had_writes_nothing_and_hears_of_it_later() -> None:
    stage = Stage()
    stage.network.isolate("c")
    assert put(stage, "a", b"one") == 1
    with pytest.raises(StoreError):
        put(stage, "c", b"two")
    stage.run(5.0)
    assert get(stage, "c") is None
    assert changes(stage, "c") == (0, [])
    stage.network.heal()
    stage.run(3.0)
    assert get(stage, "c") == ONE
    assert changes(stage, "c") == (1, [("k", "a")])


def test_a_datacentre_that_is_away_answers_nobody_and_misses_nothing() -> None:
    stage = Stage()
    stage.store.outages.take_down(1, 4.0)
    put(stage, "a", b"one")
    with pytest.raises(StoreError):
        get(stage, "b")
    stage.run(6.0)
    assert get(stage, "b") == ONE


@pytest.mark.parametrize("seed", range(20))
def test_a_lost_answer_says_nothing_and_no_two_writes_have_one_version(seed: int) -> None:
    stage = Stage(StoreFaults(swap_lost=0.3, swap_late=0.3), seed=seed)
    told: dict[int, bytes] = {}
    for number in range(12):
        body = b"%d" % number
        try:
            told[put(stage, REGIONS[number % 3], body)] = body
        except StoreError:
            continue
    stage.store.faulty = False
    stage.run(10.0)
    written = stage.store.entities.written["k", "a"]
    assert [one.version for one in written] == list(range(1, len(written) + 1))
    assert all(written[version - 1].body == body for version, body in told.items())
    assert [get(stage, region) for region in REGIONS] == [written[-1]] * 3


step = st.tuples(
    st.sampled_from(["put", "delete"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([b"x", b"y"]),
    st.one_of(st.none(), st.integers(0, 4)),
)


async def carried_out(store: EntityStore, steps: list[tuple[str, str, bytes, int | None]]) -> Any:
    """All answers of a store, and what it shows in the end."""
    answers: list[Any] = []
    for what, name, body, expect in steps:
        write = store.put("k", name, body, expect) if what == "put" else None
        try:
            answers.append(await (write or store.delete("k", name, expect)))
        except StaleVersion as stale:
            answers.append(("stale", stale.current))
    shown = [await store.get("k", "a"), await store.list("k"), await store.changes(0, 9)]
    return answers, shown, await store.changes(1, 1), await store.head()


@given(st.lists(step, max_size=12))
@settings(max_examples=30, deadline=None)
async def test_one_region_alone_answers_as_every_entity_store_does(
    steps: list[tuple[str, str, bytes, int | None]],
) -> None:
    wanted = await carried_out(MemoryEntities(), steps)
    stage = Stage()
    stage.store.faulty = False
    found: list[Any] = []

    async def ask() -> None:
        found.append(await carried_out(views(stage)["a"], steps))

    stage.processes["a"].start(ask)
    stage.run(20.0)
    assert found == [wanted]
