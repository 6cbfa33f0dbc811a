"""Whatever is done to a template: versions never change, and the one in force is one of them."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.templates import TemplateBody, TemplateIn
from core.templates.drafts import DraftStore
from core.templates.store import KIND, OLD_KIND, NoSuchVersion, TemplateStore
from core.templates.versions import Pin, Stamp
from sync.store.entities import StaleVersion
from sync.store.entities_memory import MemoryEntities


def otp(text: str) -> TemplateIn:
    return TemplateIn("otp", {"sms": {"en": TemplateBody(text=text)}})


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 3)),
        st.tuples(st.just("rollback"), st.integers(1, 8)),
        st.tuples(st.just("delete"), st.just(0)),
    ),
    max_size=15,
)


@given(STEPS)
def test_versions_never_change_and_one_of_them_is_in_force(steps: list[tuple[str, int]]) -> None:
    asyncio.run(walk(steps))


async def walk(steps: list[tuple[str, int]]) -> None:
    store = TemplateStore(MemoryEntities())
    known: dict[int, TemplateIn] = {}
    for action, number in steps:
        before = await store.get("t", "otp")
        if action == "publish":
            stored = await store.publish("t", otp(f"text {number}"), None)
            assert stored.template == otp(f"text {number}")
            if before and before.template == stored.template:
                assert stored.version == before.version
            else:
                assert stored.version not in known
                assert stored.version == before.latest + 1 if before else True
            known[stored.version] = stored.template
        elif action == "rollback":
            try:
                back = await store.rollback("t", "otp", number, None, Stamp())
            except NoSuchVersion:
                assert number not in known
            else:
                assert (back is None) == (before is None)
                assert back is None or (back.version, back.template) == (number, known[number])
        else:
            assert await store.delete("t", "otp", None) == (before is not None)
        current = await store.get("t", "otp")
        if current is not None:
            assert current.template == known[current.version]
            assert current.latest == max(known)
            listed = await store.versions("t", "otp", 0, 100)
            assert {at: content.template for at, content in listed} == known
            assert [at for at, _ in listed] == sorted(known)
        for version, template in known.items():
            assert await store.version("t", "otp", version) == template


async def test_history_says_who_moved_what_is_in_force() -> None:
    store = TemplateStore(MemoryEntities())
    await store.publish("t", otp("one"), None, stamp=Stamp(1, "ada"))
    await store.publish("t", otp("two"), None, stamp=Stamp(2, "bob"))
    await store.rollback("t", "otp", 1, None, Stamp(3, "eve"))
    current = await store.get("t", "otp")
    assert current is not None
    told = [(m.stamp.at_ms, m.stamp.by, m.action, m.version) for m in current.moves]
    assert told == [
        (1, "ada", "publish", 1),
        (2, "bob", "publish", 2),
        (3, "eve", "rollback", 1),
    ]
    # The version keeps who published it, also after it was put in force again.
    assert current.stamp == Stamp(1, "ada")
    assert (current.version, current.latest, current.revision) == (1, 2, 3)
    assert (await store.publish("t", otp("three"), None)).version == 3


async def test_history_is_bounded() -> None:
    store = TemplateStore(MemoryEntities())
    for n in range(120):
        await store.publish("t", otp(f"{n}"), None)
    current = await store.get("t", "otp")
    assert current is not None and len(current.moves) == 100
    assert current.moves[-1].version == 120


async def test_rollback_refuses_a_stale_caller_and_what_never_was() -> None:
    store = TemplateStore(MemoryEntities())
    assert await store.rollback("t", "otp", 1, None, Stamp()) is None
    await store.publish("t", otp("one"), None)
    await store.publish("t", otp("two"), None)
    with pytest.raises(StaleVersion):
        await store.rollback("t", "otp", 1, 1, Stamp())
    with pytest.raises(NoSuchVersion) as error:
        await store.rollback("t", "otp", 7, None, Stamp())
    assert error.value.latest == 2
    assert (await store.get("t", "otp")).template == otp("two")  # type: ignore[union-attr]


async def test_pins_belong_to_the_version() -> None:
    store = TemplateStore(MemoryEntities())

    def pins(version: int) -> dict[str, Pin]:
        return {"foot": Pin(version, "partial", {"sms": {"en": TemplateBody(text="x")}})}

    first = await store.publish("t", otp("one"), None, pins(1))
    again = await store.publish("t", otp("one"), None, pins(1))
    assert again.version == first.version == 1
    second = await store.publish("t", otp("one"), None, pins(2))
    assert second.version == 2
    old = await store.published("t", "otp", 1)
    assert old is not None and old.pins["foot"].version == 1
    back = await store.rollback("t", "otp", 1, None, Stamp())
    assert back is not None and back.pins["foot"].version == 1


async def test_what_earlier_releases_stored_goes_on() -> None:
    entities = MemoryEntities()

    def bare(text: str) -> bytes:
        body: dict[str, Any] = {"text": text, "subject": None, "html": None}
        return msgspec.json.encode(
            {"name": "otp", "bodies": {"sms": {"en": body}}, "default_locale": "en"}
        )

    await entities.put(KIND, "t/otp", bare("one"), 0)
    await entities.put(OLD_KIND, "t/otp/0000000001", bare("one"), None)
    await entities.put(KIND, "t/otp", bare("two"), 1)
    store = TemplateStore(entities)
    current = await store.get("t", "otp")
    assert current is not None
    assert (current.version, current.latest, current.template) == (2, 2, otp("two"))
    assert await store.version("t", "otp", 1) == otp("one")
    assert [at for at, _ in await store.versions("t", "otp", 0, 10)] == [1, 2]
    assert await store.put("t", otp("two"), 2) == 2
    back = await store.rollback("t", "otp", 1, 2, Stamp(5, "ada"))
    assert back is not None and (back.version, back.template) == (1, otp("one"))
    assert await store.put("t", otp("three"), None) == 3
    assert await store.version("t", "otp", 2) == otp("two")


async def test_publishers_and_rollbacks_at_once_lose_nothing() -> None:
    class Slow(MemoryEntities):
        async def put(self, *args: Any) -> int:
            await asyncio.sleep(0)
            return await super().put(*args)

    store = TemplateStore(Slow())
    await store.publish("t", otp("first"), None)
    work = [store.publish("t", otp(f"text {n}"), None) for n in range(4)]
    backs = [store.rollback("t", "otp", 1, None, Stamp()) for _ in range(2)]
    done = await asyncio.gather(*work, *backs)
    assert sorted(one.version for one in done[:4] if one) == [2, 3, 4, 5]
    for n, one in enumerate(done[:4]):
        assert one is not None
        assert await store.version("t", "otp", one.version) == otp(f"text {n}")


async def test_a_draft_is_one_and_knows_its_readers() -> None:
    drafts = DraftStore(MemoryEntities())
    assert await drafts.get("t", "otp") is None
    saved = await drafts.save("t", otp("one"), Stamp(1, "ada"), 0, 0)
    with pytest.raises(StaleVersion):
        await drafts.save("t", otp("two"), Stamp(), 0, 0)
    again = await drafts.save("t", otp("two"), Stamp(2, "bob"), 4, saved.version)
    assert await drafts.get("t", "otp") == again
    assert [one.template for one in await drafts.list("t", "", 10)] == [otp("two")]
    assert await drafts.list("t-2", "", 10) == []
    with pytest.raises(StaleVersion):
        await drafts.drop("t", "otp", saved.version)
    assert await drafts.drop("t", "otp", again.version)
    assert not await drafts.drop("t", "otp", None)
    anew = await drafts.save("t", otp("three"), Stamp(), 0, 0)
    assert anew.version > again.version
