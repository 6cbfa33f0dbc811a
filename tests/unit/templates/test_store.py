"""Templates keep their versions, refuse a stale writer, and belong to their tenant alone."""

import asyncio
from typing import Any

import pytest

from core.contract.templates import TemplateBody, TemplateIn
from core.templates.store import TemplateStore
from sync.store.entities import StaleVersion
from sync.store.entities_memory import MemoryEntities


def otp(text: str, name: str = "otp") -> TemplateIn:
    return TemplateIn(name, {"sms": {"en": TemplateBody(text=text)}})


async def test_versions_rise_and_stay_readable() -> None:
    store = TemplateStore(MemoryEntities())
    assert await store.put("t", otp("one"), 0) == 1
    assert await store.put("t", otp("two"), 1) == 2
    assert await store.put("t", otp("three"), None) == 3
    current = await store.get("t", "otp")
    assert current is not None and (current.version, current.template) == (3, otp("three"))
    assert await store.version("t", "otp", 1) == otp("one")
    assert await store.version("t", "otp", 2) == otp("two")
    assert await store.version("t", "otp", 3) == otp("three")
    assert await store.version("t", "otp", 4) is None


async def test_the_same_content_again_is_no_new_version() -> None:
    store = TemplateStore(MemoryEntities())
    await store.put("t", otp("one"), None)
    assert await store.put("t", otp("one"), None) == 1
    assert await store.put("t", otp("one"), 1) == 1
    with pytest.raises(StaleVersion):
        await store.put("t", otp("one"), 0)


async def test_a_stale_writer_is_refused() -> None:
    store = TemplateStore(MemoryEntities())
    await store.put("t", otp("one"), None)
    await store.put("t", otp("two"), None)
    for write in (store.put("t", otp("x"), 1), store.delete("t", "otp", 1)):
        with pytest.raises(StaleVersion) as stale:
            await write
        assert stale.value.current == 2
    with pytest.raises(StaleVersion):
        await store.delete("t", "nothing", 1)


async def test_what_was_deleted_stays_readable_by_version() -> None:
    store = TemplateStore(MemoryEntities())
    await store.put("t", otp("one"), None)
    assert await store.delete("t", "otp", None) is True
    assert await store.get("t", "otp") is None
    assert await store.delete("t", "otp", None) is False
    assert await store.version("t", "otp", 1) == otp("one")
    again = await store.put("t", otp("new"), 0)
    assert again > 1
    assert await store.version("t", "otp", 1) == otp("one")


async def test_a_list_shows_a_tenant_s_own() -> None:
    store = TemplateStore(MemoryEntities())
    for tenant in ("t", "t-2", "t2", "s"):
        for name in ("b", "a", "c.d"):
            await store.put(tenant, otp(tenant, name), None)
    listed = await store.list("t", "", 10)
    assert [one.template.name for one in listed] == ["a", "b", "c.d"]
    assert {one.template.bodies["sms"]["en"].text for one in listed} == {"t"}
    assert [one.template.name for one in await store.list("t", "a", 1)] == ["b"]
    assert await store.list("nobody", "", 10) == []


async def test_writers_at_once_lose_no_version() -> None:
    class Slow(MemoryEntities):
        """Gives way between reading and writing, as a store in a thread does."""

        async def put(self, *args: Any) -> int:
            await asyncio.sleep(0)
            return await super().put(*args)

    store = TemplateStore(Slow())
    versions = await asyncio.gather(*(store.put("t", otp(f"text {n}"), None) for n in range(5)))
    assert sorted(versions) == [1, 2, 3, 4, 5]
    for n, version in enumerate(versions):
        assert await store.version("t", "otp", version) == otp(f"text {n}")
