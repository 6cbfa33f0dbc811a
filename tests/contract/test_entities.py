"""Every implementation of the entity store keeps the same promises."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.supervisor.cassandra.cluster import LocalCluster
from sync.store.entities import (
    BODY_BYTES_MAX,
    Entity,
    EntityStore,
    StaleVersion,
    live,
)
from sync.store.entities_memory import MemoryEntities
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.port import StoreError
from tests.support.cassandra_entities import entities_in, make_tables


@pytest.fixture(params=["memory", "sqlite", pytest.param("cassandra", marks=pytest.mark.cassandra)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EntityStore]:
    if request.param == "cassandra":
        nodes = request.getfixturevalue("cassandra")
        async with entities_in(nodes, "eu", make_tables(nodes)) as opened:
            yield opened
        return
    made: EntityStore = (
        MemoryEntities() if request.param == "memory" else SQLiteEntities(tmp_path / "config.db")
    )
    yield made
    await made.close()


async def test_what_was_put_is_there_with_rising_versions(store: EntityStore) -> None:
    assert await store.get("template", "t/otp") is None
    assert await store.put("template", "t/otp", b"one", None) == 1
    assert await store.put("template", "t/otp", b"two", None) == 2
    assert await store.get("template", "t/otp") == Entity("template", "t/otp", 2, b"two")
    assert await store.get("key", "t/otp") is None


async def test_an_expected_version_is_kept_to(store: EntityStore) -> None:
    assert await store.put("k", "a", b"1", 0) == 1
    with pytest.raises(StaleVersion) as stale:
        await store.put("k", "a", b"2", 0)
    assert stale.value.current == 1
    assert await store.put("k", "a", b"2", 1) == 2
    with pytest.raises(StaleVersion) as stale:
        await store.put("k", "a", b"3", 1)
    assert stale.value.current == 2
    with pytest.raises(StaleVersion):
        await store.delete("k", "a", 1)
    with pytest.raises(StaleVersion) as stale:
        await store.put("k", "nothing", b"", 4)
    assert stale.value.current == 0
    assert await store.get("k", "a") == Entity("k", "a", 2, b"2")
    assert await store.head() == 2


async def test_a_deletion_leaves_a_tombstone_and_versions_go_on(store: EntityStore) -> None:
    await store.put("k", "a", b"1", None)
    assert await store.delete("k", "a", 1) == 2
    assert await store.get("k", "a") == Entity("k", "a", 2, b"", deleted=True)
    assert await live(store, "k", "a") is None
    assert await store.list("k") == []
    assert await store.delete("k", "a", None) == 0
    assert await store.delete("k", "never", None) == 0
    with pytest.raises(StaleVersion) as stale:
        await store.put("k", "a", b"x", 2)
    assert stale.value.current == 0
    assert await store.put("k", "a", b"again", 0) == 3
    again = await live(store, "k", "a")
    assert again is not None and again.body == b"again"


async def test_lists_go_in_order_of_id_page_by_page(store: EntityStore) -> None:
    names = ["b", "a/2", "a/1", "ä", "Z", "a-1/x", "a0"]
    for name in names:
        await store.put("k", name, name.encode(), None)
    await store.put("other", "a/3", b"", None)
    await store.delete("k", "b", None)
    seen: list[str] = []
    while page := await store.list("k", after=seen[-1] if seen else "", limit=2):
        assert len(page) <= 2
        seen += [entity.id for entity in page]
    assert seen == sorted(set(names) - {"b"})


async def test_the_feed_names_each_change_once_at_its_latest(store: EntityStore) -> None:
    assert await store.changes(0, 10) == (0, [])
    for name in ("a", "b", "c", "a"):
        await store.put("k", name, b"", None)
    await store.delete("k", "b", None)
    seq, names = await store.changes(0, 10)
    assert (seq, names) == (5, [("k", "c"), ("k", "a"), ("k", "b")])
    assert await store.changes(seq, 10) == (5, [])
    first, some = await store.changes(0, 2)
    assert some == [("k", "c"), ("k", "a")]
    assert await store.changes(first, 2) == (5, [("k", "b")])
    assert await store.head() == 5


async def test_a_feed_read_with_a_foreign_number_goes_back(store: EntityStore) -> None:
    await store.put("k", "a", b"", None)
    assert await store.changes(99, 10) == (1, [])


async def test_a_refused_write_changes_nothing(store: EntityStore) -> None:
    await store.put("k", "a", b"1", None)
    for attempt in (store.put("k", "a", b"2", 7), store.delete("k", "a", 7)):
        with pytest.raises(StaleVersion):
            await attempt
    for kind, name, body in (
        ("", "a", b""),
        ("k", "", b""),
        ("k", "x" * 401, b""),
        ("k", "a", bytes(BODY_BYTES_MAX + 1)),
    ):
        with pytest.raises(ValueError, match=r"at most|need"):
            await store.put(kind, name, body, None)
    assert await store.head() == 1


async def test_of_many_at_once_with_the_same_expectation_one_wins(store: EntityStore) -> None:
    results = await asyncio.gather(
        *(store.put("k", "a", b"%d" % n, 0) for n in range(20)), return_exceptions=True
    )
    assert results.count(1) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 19


async def test_a_closed_store_says_so(store: EntityStore) -> None:
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.get("k", "a")
    with pytest.raises(StoreError, match="closed"):
        await store.put("k", "a", b"", None)


step = st.tuples(
    st.sampled_from(["put", "delete"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["x", "y", "z"]),
    st.one_of(st.none(), st.integers(0, 4)),
)


Steps = list[tuple[str, str, str, int | None]]


async def answers_of(store: EntityStore, steps: Steps) -> list[object]:
    answers: list[object] = []
    for action, kind, name, expect in steps:
        try:
            if action == "put":
                answers.append(await store.put(kind, name, b"%d" % len(answers), expect))
            else:
                answers.append(await store.delete(kind, name, expect))
        except StaleVersion as stale:
            answers.append(("stale", stale.current))
        answers.append(await store.get(kind, name))
        answers.append(await store.changes(0, 3))
        answers.append(await store.list("a", "", 2))
    await store.close()
    return answers


@given(st.lists(step, max_size=25))
@settings(max_examples=30, deadline=None)
async def test_memory_and_sqlite_answer_alike(
    tmp_path_factory: pytest.TempPathFactory, steps: Steps
) -> None:
    path = tmp_path_factory.mktemp("db") / "config.db"
    assert await answers_of(SQLiteEntities(path), steps) == await answers_of(
        MemoryEntities(), steps
    )


@given(st.lists(step, min_size=10, max_size=25))
@settings(max_examples=6, deadline=None)
async def test_cassandra_answers_alike(cassandra: LocalCluster, steps: Steps) -> None:
    async with entities_in(cassandra, "eu", make_tables(cassandra)) as store:
        assert await answers_of(store, steps) == await answers_of(MemoryEntities(), steps)
