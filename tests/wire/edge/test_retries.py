"""Links die, cores fall silent: a call keeps its ids, and nobody is told what is not known."""

import asyncio
from typing import Any

import aiohttp
import pytest

from core.contract.frames import AcceptReply
from tests.support.fake_core import FakeCore, accepted
from tests.support.wait import until
from tests.wire.edge.support import SMS, Running, edge


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


async def post(running: Running, key: str, **headers: str) -> tuple[int, dict[str, Any], Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{running.url}/v1/notifications",
            json=SMS,
            headers={"Authorization": f"Bearer {key}", **headers},
        ) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


async def test_a_reset_link_repeats_the_call_with_the_same_ids(core: FakeCore) -> None:
    key = core.add_key()
    core.reset_next = 2
    async with edge(core) as running:
        status, told, _ = await post(running, key)
    assert status == 202
    assert len(core.calls) == 3
    assert {tuple(call.ids) for call in core.calls} == {tuple(core.calls[0].ids)}
    assert {call.ntf for call in core.calls} == {told["id"]}
    assert len({call.body for call in core.calls}) == 1
    # A core may have counted it already, the second time.
    assert [call.repeat for call in core.calls] == [False, True, True]


async def test_the_same_core_gets_the_repeat_while_it_may_still_come_back(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other, same_core_wait_ms=5000) as running:
        key = core.add_key()
        other.keys = core.keys
        core.reset_next = other.reset_next = 1
        status, _, _ = await post(running, key)
        assert status == 202
        assert sorted([len(core.calls), len(other.calls)]) == [0, 2]


async def test_another_core_gets_it_when_the_first_stays_away(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other, same_core_wait_ms=100) as running:
        key = core.add_key()
        other.keys = core.keys
        core.reply = other.reply = lambda _: None
        asked = asyncio.create_task(post(running, key))
        await until(lambda: core.calls or other.calls)
        first, second = (core, other) if core.calls else (other, core)
        second.reply = accepted
        await first.stop_link()
        status, told, _ = await asked
        assert status == 202
        assert first.calls[0].ids == second.calls[0].ids == [told["messages"][0]["id"]]


async def test_a_silent_core_is_left_for_another(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other, try_timeout_ms=200) as running:
        key = core.add_key()
        other.keys = core.keys
        core.reply = other.reply = lambda _: None
        asked = asyncio.create_task(post(running, key))
        await until(lambda: core.calls or other.calls)
        first, second = (core, other) if core.calls else (other, core)
        second.reply = accepted
        status, _, _ = await asked
        assert status == 202
        assert first.calls[0].ids == second.calls[0].ids
        # From now on the silent one is avoided, until it says something.
        for _ in range(4):
            assert (await post(running, key))[0] == 202
        assert len(first.calls) == 1
        first.reply = accepted
        first.answer_now(first.calls[0], accepted(first.calls[0]))
        await until(lambda: first.calls[1:] or post(running, key))
        for _ in range(4):
            assert (await post(running, key))[0] == 202
        assert len(first.calls) > 1


async def test_a_lone_silent_core_is_not_sent_the_same_twice(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    limits = {"try_timeout_ms": 100, "request_deadline_ms": 1000}
    async with edge(core, **limits) as running:
        status, told, headers = await post(running, key)
        assert (status, told["code"]) == (503, "accept_unknown")
        assert headers["Retry-After"] == "1"
    (call,) = core.calls
    assert told["message_ids"] == call.ids
    assert told["notification_id"] == call.ntf


async def test_a_core_that_dies_and_stays_dead_leaves_it_unknown(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    async with edge(core, request_deadline_ms=1000) as running:
        asked = asyncio.create_task(post(running, key))
        await until(lambda: core.calls)
        await core.stop_link()
        status, told, _ = await asked
    assert (status, told["code"]) == (503, "accept_unknown")
    assert told["message_ids"] == core.calls[0].ids


async def test_what_was_never_written_is_never_unknown(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core, no_core_wait_ms=300) as running:
        assert (await post(running, key))[0] == 202
        await core.stop_link()
        await until(lambda: running.app.connected_cores == 0)
        status, told, headers = await post(running, key)
        assert (status, told["code"]) == (503, "no_core")
        assert "message_ids" not in told
        assert headers["Retry-After"] == "1"
    assert len(core.calls) == 1


async def test_a_core_that_comes_back_in_time_gets_what_waited(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core, no_core_wait_ms=5000) as running:
        assert (await post(running, key))[0] == 202
        await core.stop_link()
        await until(lambda: running.app.connected_cores == 0)
        asked = asyncio.create_task(post(running, key))
        await asyncio.sleep(0.1)
        await core.start_link()
        assert (await asked)[0] == 202


async def test_an_edge_without_any_core_from_the_start(core: FakeCore) -> None:
    key = core.add_key()
    await core.stop_link()
    async with edge(core, connected=False, no_core_wait_ms=200) as running:
        status, told, _ = await post(running, key)
        assert (status, told["code"]) == (503, "no_core")


@pytest.mark.parametrize("refusal", [409, 500, 503])
async def test_a_refused_repeat_says_nothing_about_the_first_try(
    core: FakeCore, refusal: int
) -> None:
    key = core.add_key()
    core.reset_next = 1
    answers = [refusal, 202]
    core.reply = lambda call: (
        accepted(call)
        if (status := answers.pop(0)) == 202
        else AcceptReply(call.seq, status, b"{}")
    )
    async with edge(core) as running:
        status, _, _ = await post(running, key, **{"Idempotency-Key": "k"})
    assert status == 202
    assert len(core.calls) == 3


async def test_a_refused_repeat_that_stays_refused_is_unknown(core: FakeCore) -> None:
    key = core.add_key()
    core.reset_next = 1
    core.reply = lambda call: AcceptReply(call.seq, 503, b'{"code":"storage_full"}')
    async with edge(core, request_deadline_ms=1500) as running:
        status, told, _ = await post(running, key)
    assert (status, told["code"]) == (503, "accept_unknown")


async def test_a_first_refusal_is_told_at_once(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda call: AcceptReply(call.seq, 503, b'{"code":"storage_full"}')
    async with edge(core) as running:
        status, told, _ = await post(running, key)
    assert (status, told["code"]) == (503, "storage_full")
    assert len(core.calls) == 1


async def test_keys_stay_with_their_core_and_others_take_turns(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other) as running:
        key = core.add_key()
        other.keys = core.keys
        for number in range(12):
            await post(running, key, **{"Idempotency-Key": f"k{number % 6}"})
        seen = {call.key: 1 for call in core.calls}.keys() & {c.key: 1 for c in other.calls}.keys()
        assert not seen
        assert {c.key for c in core.calls} | {c.key for c in other.calls} == {
            f"k{number}" for number in range(6)
        }
        core.calls.clear()
        other.calls.clear()
        for _ in range(6):
            await post(running, key)
        assert (len(core.calls), len(other.calls)) == (3, 3)


async def test_a_leaving_core_gets_nothing_new(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other) as running:
        key = core.add_key()
        other.keys = core.keys
        core.leave()
        await until(lambda: running.app.connected_cores == 1)
        for number in range(6):
            headers = {"Idempotency-Key": f"k{number}"} if number % 2 else {}
            assert (await post(running, key, **headers))[0] == 202
        assert (len(core.calls), len(other.calls)) == (0, 6)


async def test_more_than_the_bound_is_refused_at_once(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    async with edge(core, outstanding_max=3, request_deadline_ms=1500) as running:
        asked = [asyncio.create_task(post(running, key)) for _ in range(3)]
        await until(lambda: len(core.calls) == 3)
        status, told, headers = await post(running, key)
        assert (status, told["code"], headers["Retry-After"]) == (503, "overloaded", "1")
        assert {(await each)[1]["code"] for each in asked} == {"accept_unknown"}
    assert len(core.calls) == 3


async def test_a_wrong_secret_gets_no_link(core: FakeCore) -> None:
    core.secret = "another one"
    async with edge(core, connected=False) as running:
        await until(lambda: core.strangers > 2)
        assert running.app.connected_cores == 0
