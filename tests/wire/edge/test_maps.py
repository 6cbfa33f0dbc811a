"""The placement map over the link: edges mint by what serves, and no call loses its ids."""

import asyncio
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from core.contract.frames import AcceptCall, AcceptReply
from core.contract.ids import parse_id
from core.contract.problems import problem
from sync.placement import Home, PlacementMap, world_map
from tests.support.fake_core import FakeCore, Reply, accepted
from tests.support.wait import until
from tests.wire.edge.support import Running, edge

FIRST = world_map(("eu", "us", "ap"), 64)
SECOND = replace(FIRST, version=2, countries={"US": "us"})
THIRD = replace(FIRST, version=3, countries={"US": "ap"})
TO = [{"phone": "+4915123456789"}, {"phone": "+12025550123"}]
BODY = {"to": TO, "content": {"text": "x"}}


@pytest.fixture
async def core() -> Any:
    async with FakeCore("eu", 64, FIRST) as made:
        yield made


def homes(call: AcceptCall) -> list[str]:
    return [one.home for each in call.ids if (one := parse_id(each)) is not None]


def placement(running: Running) -> PlacementMap | None:
    placed = running.app._dispatcher.placement
    return None if placed is None else placed.placement


async def knows(running: Running, version: int) -> None:
    await until(lambda: (known := placement(running)) is not None and known.version == version)


async def post(
    running: Running, key: str, path: str = "", body: Any = BODY, **headers: str
) -> tuple[int, Any]:
    url = f"{running.url}/v1/notifications{path}"
    authorized = {"Authorization": f"Bearer {key}", **headers}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, json=body, headers=authorized) as answer,
    ):
        return answer.status, await answer.json()


def accepting(core: FakeCore) -> Reply:
    """What a core answers that takes what its own map minted."""

    def reply(call: AcceptCall) -> AcceptReply:
        assert core.placement is not None
        if call.map_version < core.placement.version and not call.repeat:
            refused = problem("map_outdated", "older")
            return AcceptReply(call.seq, refused.status, refused.body(call.trace))
        return accepted(call)

    return reply


async def test_recipients_of_one_request_have_homes_of_their_own(core: FakeCore) -> None:
    core.placement = SECOND
    key = core.add_key()
    async with edge(core) as running:
        status, told = await post(running, key)
        _, batch = await post(running, key, "/batch", [BODY, BODY])
    assert status == 202
    assert [homes(call) for call in core.calls] == [["eu", "us"]] * 3
    assert {call.map_version for call in core.calls} == {2}
    assert [one["id"] for one in told["messages"]] == core.calls[0].ids
    assert [one["status"] for one in batch] == [202, 202]


async def test_a_version_that_serves_is_minted_by_from_then_on(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        await post(running, key)
        core.serve(SECOND)
        await knows(running, 2)
        await post(running, key)
        status = await http_status(running)
    assert [homes(call) for call in core.calls] == [["eu", "eu"], ["eu", "us"]]
    assert (status["region"], status["map_version"]) == ("eu", 2)


async def http_status(running: Running) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{running.url}/status") as answer:
        return dict(await answer.json())


async def test_an_older_version_than_the_known_one_changes_nothing(core: FakeCore) -> None:
    """A core that has just started may not know yet what serves; owners look under all versions."""
    key = core.add_key()
    async with FakeCore("eu", 64, SECOND) as other:
        other.keys = core.keys
        async with edge(core, other) as running:
            await knows(running, 2)
            for _ in range(4):
                await post(running, key)
            core.serve(FIRST)
            await post(running, key)
            await post(running, key)
        assert core.calls
        assert other.calls
        assert {tuple(homes(call)) for call in (*core.calls, *other.calls)} == {("eu", "us")}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_what_crossed_with_a_new_version_is_minted_anew(
    core: FakeCore, headers: dict[str, str]
) -> None:
    key = core.add_key()
    held: list[AcceptCall] = []
    core.reply = held.append  # type: ignore[assignment]
    async with edge(core) as running:
        asked = asyncio.create_task(post(running, key, **headers))
        await until(lambda: held)
        core.serve(SECOND)
        core.reply = accepting(core)
        answer = core.reply(held[0])
        assert answer is not None
        core.answer_now(held[0], answer)
        status, told = await asked
        counts = (await http_status(running))["counts"]
    first, second = core.calls
    assert status == 202
    assert (homes(first), homes(second)) == (["eu", "eu"], ["eu", "us"])
    assert not second.repeat, "no core has counted it"
    assert told["id"] == first.ntf == second.ntf
    assert [one["id"] for one in told["messages"]] == second.ids
    assert (counts["minted_again"], counts["repeats"]) == (1, 0)


async def test_what_a_core_may_have_taken_keeps_its_ids_whatever_serves(core: FakeCore) -> None:
    """The link breaks after the call was written; by the time it is back another version serves."""
    key = core.add_key()
    core.reset_next = 1

    async with edge(core, request_deadline_ms=5000) as running:
        asked = asyncio.create_task(post(running, key))
        await until(lambda: core.calls)
        core.placement = SECOND
        core.reply = accepting(core)
        status, _ = await asked
        await knows(running, 2)
    assert status == 202
    assert [call.ids for call in core.calls] == [core.calls[0].ids] * 2
    assert [(call.repeat, call.map_version) for call in core.calls] == [(False, 1), (True, 1)]


async def test_a_repeat_that_is_refused_for_its_map_ends_unknown(core: FakeCore) -> None:
    """No core does that; if one did, nothing would be known of the first try."""
    key = core.add_key()
    core.reset_next = 1
    refused = problem("map_outdated", "older")
    core.reply = lambda call: AcceptReply(call.seq, refused.status, refused.body(call.trace))
    async with edge(core, request_deadline_ms=600, retry_pause_ms=20) as running:
        core.placement = SECOND
        status, told = await post(running, key)
    assert (status, told["code"]) == (503, "accept_unknown")
    assert len({tuple(call.ids) for call in core.calls}) == 1


async def test_a_batch_outlasts_a_map(core: FakeCore) -> None:
    key = core.add_key()

    def reply(call: AcceptCall) -> AcceptReply:
        if len(core.calls) == 1:
            core.serve(SECOND)
        return accepting(core)(call)

    core.reply = reply
    async with edge(core, batch_in_flight_max=1) as running:
        status, told = await post(running, key, "/batch", [BODY] * 5)
    assert status == 200
    assert [one["status"] for one in told] == [202] * 5
    taken = [call for call in core.calls if call.map_version == 2]
    assert [homes(call) for call in taken] == [["eu", "us"]] * 5


async def test_a_home_of_other_regions_is_refused_with_their_names(core: FakeCore) -> None:
    narrow = replace(
        SECOND,
        groups=FIRST.groups | {"far": ("us", "ap")},
        homes=FIRST.homes | {"us": Home("us", "far")},
    )
    core.placement = narrow
    key = core.add_key()
    inside = {"to": TO[0], "content": {"text": "x"}}
    async with edge(core) as running:
        status, told = await post(running, key)
        _, batch = await post(running, key, "/batch", [inside, BODY])
    assert (status, told["code"], told["regions"]) == (503, "home_elsewhere", ["us", "ap"])
    assert [one["status"] for one in batch] == [202, 503]
    assert [homes(call) for call in core.calls] == [["eu"]]


async def test_a_map_with_other_shards_is_not_taken(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        core.serve(replace(SECOND, shards=32))
        await until(lambda: any("other shards" in str(line) for line in running.lines()))
        await post(running, key)
        assert placement(running) == FIRST
