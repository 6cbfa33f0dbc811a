"""An edge whose own cores can take nothing passes on to those of other regions, ids unchanged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from core.contract.frames import AcceptReply
from sync.placement import world_map
from tests.support.fake_core import FakeCore, accepted
from tests.support.wait import until
from tests.wire.edge.support import SMS, Running, edge

MAP = world_map(("eu", "us", "ap"), 64)


class Cores:
    """A core in each region; the edge under test is in eu."""

    def __init__(self) -> None:
        self.eu, self.us, self.ap = (FakeCore(name, 64, MAP) for name in ("eu", "us", "ap"))
        self.key = self.eu.add_key()
        self.us.keys = self.ap.keys = self.eu.keys

    @property
    def all(self) -> tuple[FakeCore, ...]:
        return self.eu, self.us, self.ap


@pytest.fixture
async def cores() -> AsyncIterator[Cores]:
    made = Cores()
    async with AsyncExitStack() as stack:
        for core in made.all:
            await stack.enter_async_context(core)
        yield made


def started(cores: Cores, **settings: Any) -> Any:
    far = f"us={cores.us.address};ap={cores.ap.address}"
    return edge(cores.eu, far=far, region="eu", connected=False, **settings)


async def all_linked(running: Running, count: int = 3) -> None:
    await until(lambda: running.app.connected_cores == count)


async def post(running: Running, key: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{running.url}/v1/notifications"
    async with aiohttp.ClientSession() as http, http.post(url, json=SMS, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_the_own_region_takes_all_while_it_can(cores: Cores) -> None:
    async with started(cores) as running:
        await all_linked(running)
        for _ in range(6):
            assert (await post(running, cores.key))[0] == 202
    assert [len(core.calls) for core in cores.all] == [6, 0, 0]


async def test_a_call_that_the_own_core_may_have_seen_keeps_its_ids_elsewhere(cores: Cores) -> None:
    cores.eu.reply = lambda _: None
    async with started(cores, same_core_wait_ms=50) as running:
        await all_linked(running)
        asked = asyncio.create_task(post(running, cores.key))
        await until(lambda: cores.eu.calls)
        await cores.eu.stop_link()
        await cores.eu.stop_http()
        status, told = await asked
        assert status == 202
        (first,), (second,) = cores.eu.calls, cores.us.calls
        assert first.ids == second.ids == [told["messages"][0]["id"]]
        assert second.repeat and not cores.ap.calls
        assert (await post(running, cores.key))[0] == 202  # without a wait: nobody is at home
        await cores.us.stop_link()
        assert (await post(running, cores.key))[0] == 202
        assert len(cores.ap.calls) == 1


async def test_a_silent_own_core_is_left_for_another_region(cores: Cores) -> None:
    cores.eu.reply = lambda _: None
    async with started(cores, try_timeout_ms=100) as running:
        await all_linked(running)
        assert (await post(running, cores.key))[0] == 202
        assert cores.eu.calls[0].ids == cores.us.calls[0].ids
        assert (await post(running, cores.key))[0] == 202
        assert len(cores.eu.calls) == 1


async def test_an_edge_that_starts_beside_dead_cores_works(cores: Cores) -> None:
    await cores.eu.stop_link()
    await cores.eu.stop_http()
    async with started(cores) as running:
        await all_linked(running, 2)
        status, told = await post(running, cores.key)
        assert status == 202
        assert told["messages"][0]["id"].startswith("eu")  # by the map: the first home
        await cores.eu.start_link()
        await all_linked(running, 3)
        assert (await post(running, cores.key))[0] == 202
    assert [len(core.calls) for core in cores.all] == [1, 1, 0]


async def test_a_refusal_of_another_region_is_the_answer(cores: Cores) -> None:
    await cores.eu.stop_link()
    body = b'{"code":"rate_limited"}'
    cores.us.reply = lambda call: AcceptReply(call.seq, 429, body)
    async with started(cores) as running:
        await all_linked(running, 2)
        assert (await post(running, cores.key))[0] == 429


async def test_a_core_under_another_regions_name_gets_nothing(cores: Cores) -> None:
    cores.us.region = "ap"
    await cores.eu.stop_link()
    cores.ap.reply = accepted
    async with started(cores) as running:
        await until(lambda: running.app.connected_cores == 1)
        assert (await post(running, cores.key))[0] == 202
        assert any("another region" in str(line) for line in running.lines())
    assert not cores.us.calls and len(cores.ap.calls) == 1
