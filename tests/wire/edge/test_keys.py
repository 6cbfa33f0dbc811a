"""Who may call, and how soon that ends."""

import asyncio
import time
from typing import Any

import aiohttp
import msgspec
import pytest

from core.contract.keys import format_key, mint_key
from tests.support.fake_core import FakeCore
from tests.support.wait import until
from tests.wire.edge.support import SMS, Running, edge, hanging


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


async def post(running: Running, headers: dict[str, str]) -> tuple[int, dict[str, Any], Any]:
    url = f"{running.url}/v1/notifications"
    async with aiohttp.ClientSession() as http, http.post(url, json=SMS, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_is_asked_for_once(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        for headers in (bearer(key), {"X-API-Key": key}, {"Authorization": f"bearer  {key}"}):
            assert (await post(running, headers))[0] == 202
    assert core.key_lookups == 1


async def test_many_at_once_ask_once(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        answers = await asyncio.gather(*(post(running, bearer(key)) for _ in range(20)))
    assert {status for status, _, _ in answers} == {202}
    assert core.key_lookups == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic Z3Q6bGl2ZQ=="},
        {"X-API-Key": "gt_live_"},
        {"X-API-Key": "gt_live_caf\u00e9"},
    ],
)
async def test_no_key_or_none_that_could_be_one(core: FakeCore, headers: dict[str, str]) -> None:
    async with edge(core) as running:
        status, told, answered = await post(running, headers)
    assert (status, told["code"]) == (401, "unauthenticated")
    assert answered["WWW-Authenticate"] == "Bearer"
    assert core.key_lookups == 0


async def test_a_mistyped_key_is_refused_without_asking(core: FakeCore) -> None:
    key = core.add_key()
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    async with edge(core) as running:
        assert (await post(running, bearer(wrong)))[0] == 401
        assert core.key_lookups == 0
        assert (await post(running, bearer(key)))[0] == 202
        assert (await post(running, bearer(wrong)))[0] == 401


async def test_a_right_id_with_another_secret(core: FakeCore) -> None:
    key = core.add_key()
    known = mint_key(bytes([1]) * 40)
    forged = format_key(msgspec.structs.replace(known, secret="x" * 32))
    async with edge(core) as running:
        assert (await post(running, bearer(forged)))[0] == 401
        assert (await post(running, bearer(key)))[0] == 202
        status, told, _ = await post(running, bearer(forged))
        assert (status, told["code"]) == (401, "unauthenticated")


async def test_an_unknown_key_is_remembered_for_a_moment_only(core: FakeCore) -> None:
    key = core.add_key()
    keys, core.keys = core.keys, {}
    async with edge(core, key_negative_ms=400) as running:
        for _ in range(5):
            assert (await post(running, bearer(key)))[0] == 401
        assert core.key_lookups == 1
        core.keys = keys
        await until(lambda: _is(post(running, bearer(key)), 202), timeout_s=2)


async def _is(asked: Any, status: int) -> bool:
    return (await asked)[0] == status


async def test_a_revoked_key_stops_within_a_second(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        assert (await post(running, bearer(key)))[0] == 202
        core.revoke_all()
        began = time.monotonic()
        await until(lambda: _is(post(running, bearer(key)), 401), timeout_s=3)
        assert time.monotonic() - began < 1.0
        status, told, _ = await post(running, bearer(key))
        assert (status, told["code"]) == (401, "key_revoked")


async def test_a_revoked_key_stops_within_a_second_while_one_core_hangs(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other) as running:
        key = core.add_key()
        other.keys, other.changed = core.keys, core.changed
        assert (await post(running, bearer(key)))[0] == 202
        await other.stop_http()
        async with hanging(other.http_port):
            core.revoke_all()
            began = last = time.monotonic()
            while (status := (await post(running, bearer(key)))[0]) == 202:
                last = time.monotonic()
            assert status == 401
            assert last - began < 1.0


async def test_known_keys_stay_valid_for_the_stated_time_without_a_core(core: FakeCore) -> None:
    key, unknown = core.add_key(), core.add_key()
    async with edge(core, key_cache_max_age_ms=1500) as running:
        assert (await post(running, bearer(key)))[0] == 202
        await core.stop_http()
        assert (await post(running, bearer(key)))[0] == 202
        status, told, _ = await post(running, bearer(unknown))
        assert (status, told["code"]) == (503, "no_core")
        await until(lambda: _is(post(running, bearer(key)), 503), timeout_s=4)
        await core.start_http()
        await until(lambda: _is(post(running, bearer(key)), 202), timeout_s=4)


async def test_a_missing_scope_is_named(core: FakeCore) -> None:
    reader, admin = core.add_key(scopes=("read",)), core.add_key(scopes=("admin",))
    async with edge(core) as running:
        for _ in range(2):
            status, told, _ = await post(running, bearer(reader))
            assert (status, told["code"]) == (403, "forbidden_scope")
            assert told["missing_scope"] == "send"
            assert "`send`" in told["detail"]
        assert (await post(running, bearer(admin)))[0] == 202


async def test_a_core_whose_changes_went_back_makes_the_edge_forget(core: FakeCore) -> None:
    key = core.add_key()
    core.changed.extend(["a", "b", "c"])
    async with edge(core, key_poll_ms=50) as running:
        await until(lambda: _is(post(running, bearer(key)), 202))
        await asyncio.sleep(0.2)
        core.changed.clear()
        core.keys.clear()
        await until(lambda: _is(post(running, bearer(key)), 401), timeout_s=2)


async def test_secrets_are_in_no_log_and_no_answer(core: FakeCore) -> None:
    key, reader = core.add_key(), core.add_key(scopes=("read",))
    async with edge(core) as running:
        shown = [await post(running, bearer(each)) for each in (key, reader, key[:-1] + "_")]
        text = str(running.lines()) + str([(status, told) for status, told, _ in shown])
    assert key.split("_")[3] not in text
    assert reader.split("_")[3] not in text
    assert "7700900123" not in text
