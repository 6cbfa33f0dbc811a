"""Batches: each item its own outcome, in both forms, streamed both ways, within bounds."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from core.contract.frames import AcceptCall, AcceptReply
from tests.support.fake_core import FakeCore, accepted
from tests.support.wait import until
from tests.wire.edge.support import Running, edge

LINES = "application/x-ndjson"
ARRAY = "application/json"
BAD = {"to": {"phone": "123"}, "content": {"text": "x"}}


def good(number: int) -> dict[str, Any]:
    return {"to": {"phone": f"+4477009{number:05}"}, "content": {"text": f"number {number}"}}


def as_lines(items: list[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


class Answer:
    """What came back: outcomes where the status is 200, a problem otherwise."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        self.status, self.kind, self.body = status, kind, body

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        assert self.status == 200, self.body
        if self.kind == LINES:
            return [json.loads(line) for line in self.body.splitlines()]
        return list(json.loads(self.body))

    @property
    def statuses(self) -> list[int]:
        assert [one["index"] for one in self.outcomes] == list(range(len(self.outcomes)))
        return [one["status"] for one in self.outcomes]


async def post(running: Running, key: str, body: Any, kind: str = LINES, **more: str) -> Answer:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": kind, **more}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{running.url}/v1/notifications/batch", data=body, headers=headers) as answer,
    ):
        return Answer(answer.status, answer.headers["Content-Type"], await answer.read())


async def one_batch(core: FakeCore, body: Any, kind: str = LINES, **settings: Any) -> Answer:
    async with edge(core, **settings) as running:
        return await post(running, core.add_key(), body, kind)


@pytest.mark.parametrize("kind", [LINES, ARRAY])
async def test_each_item_has_its_own_outcome(core: FakeCore, kind: str) -> None:
    items = [good(0), BAD, good(2), {"to": [good(3)["to"], BAD["to"]], "content": {"text": "x"}}]
    body = as_lines(items) if kind == LINES else json.dumps(items).encode()
    answer = await one_batch(core, body, kind)
    assert answer.kind == kind
    assert answer.statuses == [202, 400, 202, 202]
    refused = answer.outcomes[1]["body"]
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("invalid_request", "/to/phone")
    ids = [one["body"]["messages"][0]["id"] for one in answer.outcomes if one["status"] == 202]
    assert ids == [call.ids[0] for call in core.calls]
    assert [len(call.ids) for call in core.calls] == [1, 1, 1]
    assert answer.outcomes[0]["body"]["id"] == core.calls[0].ntf


async def test_malformed_lines_are_their_own_outcomes(core: FakeCore) -> None:
    body = b"{oops\n\n" + as_lines([good(1)]) + b"7\n\xff\xfe\n" + as_lines([good(4)])[:-1]
    answer = await one_batch(core, body)
    assert answer.statuses == [400, 202, 400, 400, 202]
    codes = [one["body"].get("code") for one in answer.outcomes]
    assert codes == ["bad_json", None, "invalid_request", "bad_json", None]


async def test_an_array_that_is_cut_off_says_where(core: FakeCore) -> None:
    body = json.dumps([good(0), good(1), good(2)]).encode()[:-9]
    answer = await one_batch(core, body, ARRAY)
    assert answer.statuses == [202, 202, 400]
    assert f"byte {len(body)}" in answer.outcomes[2]["body"]["detail"]
    assert len(core.calls) == 2


@pytest.mark.parametrize("body", [b"", b'{"to": {}}', b"[1", b"[,"])
async def test_what_is_no_array_at_all_is_refused_whole(core: FakeCore, body: bytes) -> None:
    answer = await one_batch(core, body, ARRAY)
    assert answer.status == 400
    assert json.loads(answer.body)["code"] == "bad_json"


async def test_empty_batches(core: FakeCore) -> None:
    assert (await one_batch(core, b"\n \n")).outcomes == []
    assert (await one_batch(core, b" []", ARRAY)).outcomes == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
        ({"Idempotency-Key": "two words"}, 400, "invalid_idempotency_key"),
        ({"Authorization": "Bearer x"}, 401, "unauthenticated"),
    ],
)
async def test_what_refuses_the_whole(
    core: FakeCore, headers: dict[str, str], status: int, code: str
) -> None:
    sent = {"Authorization": f"Bearer {core.add_key()}", "Content-Type": LINES, **headers}
    async with edge(core) as running, aiohttp.ClientSession() as http:
        url = f"{running.url}/v1/notifications/batch"
        async with http.post(url, data=as_lines([good(0)]), headers=sent) as answer:
            assert (answer.status, (await answer.json())["code"]) == (status, code)
    assert not core.calls


async def test_a_key_gives_each_item_a_key_of_its_own(core: FakeCore) -> None:
    key = core.add_key()
    body = as_lines([good(0), BAD, good(0)])
    async with edge(core) as running:
        told = [await post(running, key, body, **{"Idempotency-Key": "night"}) for _ in range(2)]
        await post(running, key, body, **{"Idempotency-Key": "day"})
    assert told[0].statuses == [202, 400, 202]
    first, third, again, again_third, other, _ = core.calls
    assert first.key != third.key
    assert first.ids != third.ids
    assert (first.key, first.ids, first.ntf) == (again.key, again.ids, again.ntf)
    assert (third.key, third.ids) == (again_third.key, again_third.ids)
    assert other.ids != first.ids


async def test_many_items_in_their_order_though_answers_come_in_another(core: FakeCore) -> None:
    held: list[AcceptCall] = []

    def reply(call: AcceptCall) -> AcceptReply | None:
        held.append(call)
        if len(held) == 7:
            for each in reversed(held):
                core.answer_now(each, accepted(each))
            held.clear()
        return None

    core.reply = reply
    answer = await one_batch(core, as_lines([good(number) for number in range(700)]))
    assert answer.statuses == [202] * 700
    assert [one["body"]["id"] for one in answer.outcomes] == [call.ntf for call in core.calls]


async def test_a_cores_refusal_and_a_core_that_is_silent(core: FakeCore) -> None:
    def reply(call: AcceptCall) -> AcceptReply | None:
        if b"number 1" in call.body:
            return AcceptReply(call.seq, 429, b'{"code":"rate_limited"}', {"Retry-After": "1"})
        return None if b"number 2" in call.body else accepted(call)

    core.reply = reply
    answer = await one_batch(core, as_lines([good(n) for n in range(4)]), request_deadline_ms=500)
    assert answer.statuses == [202, 429, 503, 202]
    codes = [one["body"].get("code") for one in answer.outcomes]
    assert codes == [None, "rate_limited", "accept_unknown", None]


async def test_outcomes_come_while_the_request_is_still_sent(core: FakeCore) -> None:
    seen: list[dict[str, Any]] = []
    answered = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for number in range(3):
            yield as_lines([good(number)])
            await answered.wait()
            answered.clear()

    async with edge(core) as running, aiohttp.ClientSession() as http:
        url = f"{running.url}/v1/notifications/batch"
        headers = {"Authorization": f"Bearer {core.add_key()}", "Content-Type": LINES}
        async with http.post(url, data=body(), headers=headers) as answer:
            async for line in answer.content:
                seen.append(json.loads(line))
                answered.set()
    assert [one["index"] for one in seen] == [0, 1, 2]


async def test_an_item_that_is_too_long(core: FakeCore) -> None:
    long = {**good(1), "data": {"x": "y" * 3000}}
    for kind, body in (
        (LINES, as_lines([good(0), long, good(2)])),
        (ARRAY, json.dumps([good(0), long, good(2)]).encode()),
    ):
        answer = await one_batch(core, body, kind, body_bytes_max=2000)
        assert answer.statuses == [202, 413, 202]
        assert "2000" in answer.outcomes[1]["body"]["detail"]


async def test_a_batch_of_too_many_items(core: FakeCore) -> None:
    answer = await one_batch(core, as_lines([good(n) for n in range(9)]), batch_items_max=5)
    assert answer.statuses == [202] * 5 + [413]
    assert "5 items" in answer.outcomes[5]["body"]["detail"]
    assert len(core.calls) == 5


async def test_a_batch_of_too_many_bytes(core: FakeCore) -> None:
    lines = as_lines([good(n) for n in range(1000)])
    known = await one_batch(core, lines, batch_bytes_max=2000)
    assert (known.status, json.loads(known.body)["code"]) == (413, "body_too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for line in lines.splitlines(keepends=True):
            yield line

    unknown = await one_batch(core, pieces(), batch_bytes_max=2000)
    assert unknown.statuses == [202] * (len(unknown.outcomes) - 1) + [413]
    assert len(core.calls) == len(unknown.outcomes) - 1 < 30


async def test_too_many_batches_at_once(core: FakeCore) -> None:
    key = core.add_key()
    goes_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield as_lines([good(0)])
        await goes_on.wait()

    async with edge(core, batches_max=1) as running:
        first = asyncio.create_task(post(running, key, slow()))
        await until(lambda: core.calls)
        second = await post(running, key, as_lines([good(1)]))
        assert (second.status, json.loads(second.body)["code"]) == (503, "overloaded")
        goes_on.set()
        assert (await first).statuses == [202]
        assert (await post(running, key, as_lines([good(1)]))).statuses == [202]


async def test_a_sender_that_falls_silent(core: FakeCore) -> None:
    silent = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield as_lines([good(0)]) + b'{"to":'
        await silent.wait()

    answer = await one_batch(core, body(), body_timeout_ms=300)
    assert answer.statuses == [202, 408]


async def test_a_batch_may_not_take_forever(core: FakeCore) -> None:
    async def body() -> AsyncIterator[bytes]:
        number = 0
        while True:
            yield as_lines([good(number)])
            number += 1
            await asyncio.sleep(0.02)

    answer = await one_batch(core, body(), batch_timeout_ms=500)
    assert answer.statuses == [202] * (len(answer.outcomes) - 1) + [408]


def opened(running: Running, key: str, limit: int = 65_536) -> Any:
    return asyncio.open_connection("127.0.0.1", running.app.port, limit=limit)


def head(key: str) -> bytes:
    return (
        "POST /v1/notifications/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        f"Content-Type: {LINES}\r\nAuthorization: Bearer {key}\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_a_client_that_hangs_up_in_the_middle(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running:
        _, writer = await opened(running, key)
        writer.write(head(key) + chunk(as_lines([good(0), good(1)]) + b'{"to": {"ph'))
        await until(lambda: len(core.calls) == 2)
        writer.transport.abort()
        await until(lambda: not running.app.facts()["connections"])
        await until(lambda: not running.app.facts()["batches"])
        assert not [line for line in running.lines() if line["level"] == "error"]
        assert (await post(running, key, as_lines([good(2)]))).statuses == [202]
    assert len(core.calls) == 3


async def test_a_client_that_hangs_up_while_a_core_works(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    async with edge(core, request_deadline_ms=600) as running:
        _, writer = await opened(running, key)
        writer.write(head(key) + chunk(as_lines([good(n) for n in range(50)])))
        await until(lambda: len(core.calls) == 50)
        writer.transport.abort()
        await until(lambda: not running.app.facts()["batches"])
        await until(lambda: not running.app.facts()["outstanding"])
        assert not [line for line in running.lines() if line["level"] == "error"]


async def test_one_that_does_not_read_is_not_read_from(core: FakeCore) -> None:
    key = core.add_key()
    padding = "x" * 2000

    def reply(call: AcceptCall) -> AcceptReply:
        return AcceptReply(call.seq, 202, json.dumps({"padding": padding * 20}).encode())

    core.reply = reply
    settings = {"batch_answer_bytes_held_max": 100_000, "batch_items_max": 100_000}
    async with edge(core, batch_timeout_ms=1500, body_timeout_ms=500, **settings) as running:
        _, writer = await opened(running, key, 1024)
        writer.write(head(key))
        writer.transport.set_write_buffer_limits(high=1000)
        sent = 0

        async def send() -> None:
            nonlocal sent
            try:
                for number in range(20_000):
                    writer.write(chunk(as_lines([{**good(number % 1000), "data": {"x": padding}}])))
                    await writer.drain()
                    sent += 1
            except ConnectionError:
                return

        await send()
        # It was cut off in the end, long before everything had gone through.
        assert sent < 20_000
        assert len(core.calls) < 2000
        await until(lambda: not running.app.facts()["batches"])
        writer.transport.abort()


async def test_one_that_reads_late_gets_everything(core: FakeCore) -> None:
    key = core.add_key()
    lines = as_lines([good(number) for number in range(3000)])
    async with edge(core) as running:
        reader, writer = await opened(running, key)
        writer.write(head(key) + chunk(lines) + b"0\r\n\r\n")
        await writer.drain()
        await until(lambda: len(core.calls) == 3000)
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer += await asyncio.wait_for(reader.read(65_536), 5)
        assert answer.count(b'"status":202') == 3000
        writer.close()


async def test_a_stopping_edge_says_from_where_to_send_again(core: FakeCore) -> None:
    key = core.add_key()
    sent: Callable[[], Any] = lambda: core.calls  # noqa: E731
    stopped = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield as_lines([good(0)])
        await stopped.wait()
        yield as_lines([good(1), good(2)])

    async with edge(core) as running:
        asked = asyncio.create_task(post(running, key, body()))
        await until(sent)
        stopping = asyncio.create_task(running.app.stop())
        await asyncio.sleep(0)
        stopped.set()
        answer = await asked
        await stopping
    assert answer.statuses == [202, 503]
    assert answer.outcomes[1]["body"]["code"] == "overloaded"
    assert len(core.calls) == 1


async def test_an_old_client_gets_outcomes_without_chunks(core: FakeCore) -> None:
    key = core.add_key()
    body = as_lines([good(0), BAD])
    async with edge(core) as running:
        reader, writer = await opened(running, key)
        writer.write(
            b"POST /v1/notifications/batch HTTP/1.0\r\nContent-Type: application/x-ndjson\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
            % (key.encode(), len(body), body)
        )
        answer = await asyncio.wait_for(reader.read(-1), 5)
        writer.close()
    text = answer.partition(b"\r\n\r\n")[2]
    assert [json.loads(line)["status"] for line in text.splitlines()] == [202, 400]
