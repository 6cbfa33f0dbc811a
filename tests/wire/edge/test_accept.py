"""A notification goes through the edge to a core and its answer back."""

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest

from core.contract.frames import AcceptCall, AcceptReply
from core.contract.ids import mint_keyed, notification_id, parse_id, shard_of
from tests.support.fake_core import FakeCore, accepted
from tests.support.wait import until
from tests.wire.edge.support import SMS, edge


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession() as session:
        yield session


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


async def test_a_request_arrives_as_it_was_sent(core: FakeCore, http: Any) -> None:
    key = core.add_key("acme")
    body = b'{ "to":{"phone":"+44 7700 900123"},\n"content": {"text":"h\xc3\xa9llo"}}'
    headers = bearer(key, **{"Content-Type": "application/json; charset=utf-8"})
    async with edge(core) as running:
        answer = await http.post(f"{running.url}/v1/notifications", data=body, headers=headers)
        assert answer.status == 202
        told = await answer.json()
    (call,) = core.calls
    assert call.body == body
    assert (call.tenant, call.key, call.countries) == ("acme", None, ["GB"])
    assert call.ntf == told["id"]
    assert call.ids == [message["id"] for message in told["messages"]]
    assert call.trace == answer.headers["X-Trace-Id"]
    said = parse_id(call.ids[0])
    assert said is not None
    assert (said.home, said.keyed) == ("local", False)
    assert said.shard == shard_of("acme", "+447700900123", 64)


async def test_many_recipients_in_their_order(core: FakeCore, http: Any) -> None:
    key = core.add_key("acme")
    to = [{"phone": "+12025550123"}, {"email": "a@b.com"}, {"phone": "+33612345678"}]
    body = {"to": to, "content": {"text": "x", "subject": "y"}}
    async with edge(core) as running:
        url = f"{running.url}/v1/notifications"
        answer = await http.post(url, json=body, headers=bearer(key))
        assert answer.status == 202
    (call,) = core.calls
    assert call.countries == ["US", "ZZ", "FR"]
    shards = [parse_id(each).shard for each in call.ids]  # type: ignore[union-attr]
    addresses = ["+12025550123", "a@b.com", "+33612345678"]
    assert shards == [shard_of("acme", address, 64) for address in addresses]


async def test_wrong_recipients_are_left_out_and_the_core_is_told(
    core: FakeCore, http: Any
) -> None:
    key = core.add_key("acme")
    to = [
        {"phone": "+99900000000"},
        {"phone": "+12025550123"},
        {"phone": "1"},
        {"email": "a@b.com"},
    ]
    body = {"to": to, "content": {"text": "x", "subject": "y"}}
    headers = bearer(key, **{"Idempotency-Key": "k"})
    async with edge(core) as running:
        answer = await http.post(f"{running.url}/v1/notifications", json=body, headers=headers)
        assert answer.status == 202
    (call,) = core.calls
    assert call.countries == ["US", "ZZ"]
    shards = [shard_of("acme", address, 64) for address in ("+12025550123", "a@b.com")]
    # A keyed id is made of the recipient's place in the request, whatever the others are.
    expected = [
        mint_keyed("local", shard, "acme", "k", index)
        for index, shard in zip((1, 3), shards, strict=True)
    ]
    assert call.ids == expected
    assert [(one.index, one.errors[0].pointer) for one in call.rejected] == [(0, "/to/0/phone")]


async def test_a_chain_lies_in_its_first_addresss_shard(core: FakeCore, http: Any) -> None:
    key = core.add_key("acme")
    to = {"phone": "+12025550123", "email": "a@b.com"}
    content = {"text": "x", "subject": "y"}
    async with edge(core) as running:
        body = {"to": to, "channel": ["email", "sms"], "content": content}
        answer = await http.post(f"{running.url}/v1/notifications", json=body, headers=bearer(key))
        assert answer.status == 202
        bad = {**body, "to": {**to, "phone": "+99900000000"}}
        refused = await http.post(f"{running.url}/v1/notifications", json=bad, headers=bearer(key))
        assert (await refused.json())["errors"][0]["pointer"] == "/to/phone"
    (call,) = core.calls
    said = parse_id(call.ids[0])
    assert said is not None
    assert said.shard == shard_of("acme", "a@b.com", 64)
    assert call.countries == ["US"]


async def test_an_idempotency_key_gives_the_same_ids_each_time(core: FakeCore, http: Any) -> None:
    key = core.add_key("acme")
    async with edge(core) as running:
        for _ in range(2):
            await http.post(
                f"{running.url}/v1/notifications",
                json=SMS,
                headers=bearer(key, **{"Idempotency-Key": "order-7"}),
            )
    first, second = core.calls
    assert first.key == second.key == "order-7"
    shard = shard_of("acme", "+447700900123", 64)
    assert first.ids == second.ids == [mint_keyed("local", shard, "acme", "order-7", 0)]
    assert first.ntf == second.ntf == notification_id("acme", "order-7", b"")


@pytest.mark.parametrize("given", ["", "x" * 256, "two words", "tab\tbed", "caf\u00e9"])
async def test_what_cannot_be_an_idempotency_key(core: FakeCore, http: Any, given: str) -> None:
    key = core.add_key()
    async with edge(core) as running:
        answer = await http.post(
            f"{running.url}/v1/notifications",
            json=SMS,
            headers=bearer(key, **{"Idempotency-Key": given}),
        )
        assert (answer.status, (await answer.json())["code"]) == (400, "invalid_idempotency_key")
    assert not core.calls


async def test_two_idempotency_keys_are_none(core: FakeCore, http: Any) -> None:
    headers = [*bearer(core.add_key()).items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    async with edge(core) as running:
        answer = await http.post(f"{running.url}/v1/notifications", json=SMS, headers=headers)
        assert (await answer.json())["code"] == "invalid_idempotency_key"


async def test_the_cores_answer_is_relayed_byte_for_byte(core: FakeCore, http: Any) -> None:
    body = b'{"code":"idempotency_conflict",  "trace_id":"x"}'
    headers = {"Content-Type": "application/problem+json", "Retry-After": "3"}
    core.reply = lambda call: AcceptReply(call.seq, 422, body, headers)
    key = core.add_key()
    async with edge(core) as running:
        answer = await http.post(f"{running.url}/v1/notifications", json=SMS, headers=bearer(key))
        assert answer.status == 422
        assert await answer.read() == body
        assert answer.headers["Retry-After"] == "3"
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_the_callers_trace_goes_through(core: FakeCore, http: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = bearer(core.add_key(), traceparent=f"00-{trace}-b7ad6b7169203331-01")
    async with edge(core) as running:
        url = f"{running.url}/v1/notifications"
        answer = await http.post(url, json=SMS, headers=headers)
        assert answer.headers["X-Trace-Id"] == trace
        refused = await http.post(url, json={}, headers=headers)
        assert (await refused.json())["trace_id"] == trace
    assert core.calls[0].trace == trace


async def test_requests_of_one_moment_go_in_few_batches(core: FakeCore, http: Any) -> None:
    key = core.add_key()
    async with edge(core) as running:
        url = f"{running.url}/v1/notifications"
        await http.post(url, json=SMS, headers=bearer(key))
        connector = aiohttp.TCPConnector(limit=50)
        async with aiohttp.ClientSession(connector=connector) as many:

            async def one(number: int) -> int:
                answer = await many.post(url, json=SMS, headers=bearer(key))
                told = msgspec.json.decode(await answer.read())
                assert len(told["messages"]) == 1
                return answer.status

            statuses = await asyncio.gather(*(one(number) for number in range(400)))
    assert statuses == [202] * 400
    assert len({call.ids[0] for call in core.calls}) == 401
    assert len(core.batches) < 300


async def test_replies_in_another_order_reach_their_callers(core: FakeCore, http: Any) -> None:
    held: list[AcceptCall] = []
    core.reply = held.append  # type: ignore[assignment]
    key = core.add_key()
    async with edge(core) as running:
        url = f"{running.url}/v1/notifications"
        asked = []
        for number in range(3):
            to = {"phone": f"+44770090012{number}"}
            request = http.post(url, json={**SMS, "to": to}, headers=bearer(key))
            asked.append(asyncio.create_task(request))
            while len(held) <= number:
                await asyncio.sleep(0.005)
        for call in reversed(held):
            core.answer_now(call, accepted(call))
        told = [await (await each).json() for each in asked]
    assert [each["id"] for each in told] == [call.ntf for call in held]


async def test_two_regions_cores_are_not_mixed(core: FakeCore) -> None:
    async with FakeCore(region="other") as stranger, edge(core, stranger, connected=False) as run:
        await until(lambda: any(line["event"] == "core of another region" for line in run.lines()))
        assert run.app.connected_cores == 1
