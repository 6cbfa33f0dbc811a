"""Bad requests through the public door: a problem with pointer and hint; no core is troubled."""

import io
import json
from typing import Any

import aiohttp
import pytest

from tests.support.fake_core import FakeCore
from tests.wire.edge.support import SMS, edge, raw


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


async def refused(
    core: FakeCore, body: bytes, headers: dict[str, str] | None = None, **settings: Any
) -> tuple[int, dict[str, Any]]:
    """The answer to this body; nothing may have reached the core."""
    sent = {"Authorization": f"Bearer {core.add_key()}", "Content-Type": "application/json"}
    sent |= headers or {}
    async with edge(core, **settings) as running, aiohttp.ClientSession() as http:
        url = f"{running.url}/v1/notifications"
        async with http.post(url, data=body, headers=sent) as answer:
            told = await answer.json(content_type=None)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert told["trace_id"] == answer.headers["X-Trace-Id"]
            assert told["status"] == answer.status
            assert told["type"] == f"https://goutong.dev/problems/{told['code']}"
        assert not core.calls
        return answer.status, told


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "bad_json", ""),
        (b"{oops", "bad_json", ""),
        (b'{"to":{"phone":"+447700900123"}', "bad_json", ""),
        (b"[" * 100_000, "too_deep", ""),
        (b'{"data":' * 40 + b"{}" + b"}" * 40, "too_deep", ""),
        (b"[]", "invalid_request", ""),
        (b'{"to":{"phone":"+447700900123"}}', "invalid_request", ""),
        (b'{"to":{"fone":"x"},"content":{"text":"x"}}', "invalid_request", "/to/fone"),
        (b'{"to":{"phone":447700900123},"content":{"text":"x"}}', "invalid_request", "/to/phone"),
        (b'{"to":{"phone":"07700"},"content":{"text":"x"}}', "invalid_request", "/to/phone"),
        (
            b'{"to":[{"phone":"+99900000000"},{"phone":"1"}],"content":{"text":"x"}}',
            "invalid_request",
            "/to/0/phone",
        ),
        (
            b'{"to":{"phone":"+4407700900123"},"content":{"text":"x"}}',
            "invalid_request",
            "/to/phone",
        ),
        (b'{"to":{"email":"a@b"},"content":{"text":"x"}}', "invalid_request", "/to/email"),
        (
            b'{"to":{"phone":"+447700900123"},"content":{"text":"x"},"expires_in":99999999}',
            "invalid_request",
            "/expires_in",
        ),
    ],
)
async def test_bad_bodies(core: FakeCore, body: bytes, code: str, pointer: str) -> None:
    status, told = await refused(core, body)
    assert (status, told["code"]) == (400, code)
    assert told["errors"][0]["pointer"] == pointer
    assert told["errors"][0]["hint"]


async def test_a_body_over_the_limit(core: FakeCore) -> None:
    body = json.dumps({**SMS, "data": {"x": "y" * 3000}}).encode()
    status, told = await refused(core, body, body_bytes_max=2000)
    assert (status, told["code"]) == (413, "body_too_large")
    assert "2000" in told["detail"]


async def test_a_body_of_exactly_the_limit_is_taken(core: FakeCore) -> None:
    body = json.dumps(SMS).encode()
    key = core.add_key()
    async with edge(core, body_bytes_max=len(body)) as running, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        url = f"{running.url}/v1/notifications"
        assert (await http.post(url, data=body, headers=headers)).status == 202
        assert (await http.post(url, data=body + b" ", headers=headers)).status == 413


async def test_the_default_limit_is_one_mebibyte(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core) as running, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        url = f"{running.url}/v1/notifications"
        body = json.dumps({**SMS, "content": {"text": "x" * (1 << 19)}}).encode()
        for padded, status in ((1 << 20, 202), ((1 << 20) + 1, 413)):
            data = io.BytesIO(body.ljust(padded))
            assert (await http.post(url, data=data, headers=headers)).status == status
    assert len(core.calls) == 1
    assert len(core.calls[0].body) == 1 << 20


async def test_a_chunked_body_over_the_limit_is_cut_off(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core, body_bytes_max=2000) as running:
        head = (
            f"POST /v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunks = b"3e8\r\n" + b" " * 1000 + b"\r\n"
        answer = await raw(running.app.port, head.encode() + chunks * 5)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer
    assert not core.calls


async def test_a_chunked_body_is_taken(core: FakeCore) -> None:
    key = core.add_key()

    async def parts() -> Any:
        body = json.dumps(SMS).encode()
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    async with edge(core) as running, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        url = f"{running.url}/v1/notifications"
        assert (await http.post(url, data=parts(), headers=headers)).status == 202
    assert json.loads(core.calls[0].body) == SMS


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "json", ""])
async def test_a_body_that_is_not_said_to_be_json(core: FakeCore, kind: str) -> None:
    status, told = await refused(core, json.dumps(SMS).encode(), {"Content-Type": kind})
    assert (status, told["code"]) == (415, "unsupported_media_type")


async def test_a_compressed_body_is_not_unpacked(core: FakeCore) -> None:
    status, told = await refused(core, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    assert (status, told["code"]) == (415, "unsupported_media_type")


async def test_too_many_recipients(core: FakeCore) -> None:
    body = json.dumps({**SMS, "to": [SMS["to"]] * 11}).encode()
    status, told = await refused(core, body, recipients_max=10)
    assert (status, told["errors"][0]["pointer"]) == (400, "/to")


async def test_no_room_for_more_bodies(core: FakeCore) -> None:
    status, told = await refused(core, json.dumps(SMS).encode(), body_bytes_held_max=50)
    assert (status, told["code"]) == (503, "overloaded")


async def test_what_is_refused_is_logged_without_what_was_sent(core: FakeCore) -> None:
    key = core.add_key()
    async with edge(core, trusted_hops=1) as running, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": "9.9.9.9, 198.51.100.7"}
        body = {"to": {"phone": "+4477"}, "content": {"text": "s3cret"}}
        async with http.post(
            f"{running.url}/v1/notifications", json=body, headers=headers
        ) as answer:
            trace = answer.headers["X-Trace-Id"]
        (line,) = [one for one in running.lines() if one["event"] == "request refused"]
    assert (line["trace"], line["code"], line["status"]) == (trace, "invalid_request", 400)
    assert line["caller"]
    for hidden in ("198.51.100.7", "9.9.9.9", "s3cret", "+4477", key):
        assert hidden not in str(line)
