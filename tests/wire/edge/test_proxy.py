"""Everything but notifications is passed on to a core, under the caller's name."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.support.fake_core import FakeCore
from tests.wire.edge.support import Running, edge, hanging


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


async def call(
    running: Running, method: str, path: str, key: str, **more: Any
) -> tuple[int, bytes, Any]:
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{running.url}{path}", headers=headers, **more) as answer,
    ):
        return answer.status, await answer.read(), answer.headers


async def test_a_call_is_passed_on_with_the_callers_name(core: FakeCore) -> None:
    key = core.add_key("acme", ("templates", "read"))
    forged = {
        "If-Match": '"3"',
        "X-GouTong-Tenant": "evil",
        "X-GouTong-Scopes": "admin",
        "X-GouTong-Internal": "guess",
        "Cookie": "a=b",
    }
    async with edge(core) as running:
        status, _, headers = await call(
            running, "PUT", "/v1/templates/otp?x=%20y", key, json={"name": "otp"}, headers=forged
        )
    assert status == 200
    assert headers["ETag"] == '"7"'
    assert "X-Hidden" not in headers
    ((method, path, got, sent),) = core.requests
    assert (method, path, sent) == ("PUT", "/v1/templates/otp?x=%20y", b'{"name": "otp"}')
    assert got["X-GouTong-Tenant"] == "acme"
    assert got["X-GouTong-Scopes"] == "read,templates"
    assert got["X-GouTong-Trace"] == headers["X-Trace-Id"]
    assert got["X-GouTong-Key-Id"] == key.split("_")[2]
    assert got["If-Match"] == '"3"'
    assert "Cookie" not in got
    assert "Authorization" not in got


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/messages/local-u000", "read"),
        ("POST", "/v1/messages/local-u000/cancel", "send"),
        ("GET", "/v1/templates", "templates"),
        ("POST", "/v1/templates", "templates"),
        ("GET", "/v1/templates/otp", "templates"),
        ("PUT", "/v1/templates/otp", "templates"),
        ("DELETE", "/v1/templates/otp", "templates"),
        ("GET", "/v1/providers", "providers"),
        ("POST", "/v1/providers", "providers"),
        ("GET", "/v1/providers/sms-1", "providers"),
        ("PUT", "/v1/providers/sms-1", "providers"),
        ("DELETE", "/v1/providers/sms-1", "providers"),
        ("GET", "/v1/keys", "keys"),
        ("POST", "/v1/keys", "keys"),
        ("DELETE", "/v1/keys/abc", "keys"),
    ],
)
async def test_each_path_needs_its_scope(
    core: FakeCore, method: str, path: str, scope: str
) -> None:
    others = tuple({"send", "read", "templates", "providers", "keys"} - {scope})
    right, wrong, admin = (core.add_key(scopes=each) for each in ((scope,), others, ("admin",)))
    body = {"json": {}} if method in ("POST", "PUT") else {}
    async with edge(core) as running:
        assert (await call(running, method, path, wrong, **body))[0] == 403
        assert not core.requests
        assert (await call(running, method, path, right, **body))[0] == 200
        assert (await call(running, method, path, admin, **body))[0] == 200
    assert [(one[0], one[1]) for one in core.requests] == [(method, path)] * 2


async def test_unknown_paths_and_methods(core: FakeCore) -> None:
    key = core.add_key(scopes=("admin",))
    async with edge(core) as running:
        for path in ("/", "/v1", "/v2/messages/x", "/internal/keys/x", "/v1/templates/a%2Fb"):
            assert (await call(running, "GET", path, key))[0] == 404
        status, _, headers = await call(running, "PATCH", "/v1/templates/otp", key)
        assert (status, headers["Allow"]) == (405, "DELETE, GET, PUT")
        assert (await call(running, "GET", "/v1/notifications", key))[0] == 405
    assert not core.requests


async def test_an_answer_without_a_body_and_a_problem_are_relayed(core: FakeCore) -> None:
    key = core.add_key(scopes=("keys",))
    async with edge(core) as running:
        core.answer = lambda _: web.Response(status=204)
        assert (await call(running, "DELETE", "/v1/keys/abc", key))[:2] == (204, b"")
        body = b'{"code":"stale_version"}'
        core.answer = lambda _: web.Response(
            status=412, body=body, content_type="application/problem+json"
        )
        status, told, headers = await call(running, "DELETE", "/v1/keys/abc", key)
        assert (status, told) == (412, body)
        assert headers["Content-Type"] == "application/problem+json"


async def test_a_read_goes_to_another_core_when_one_is_gone(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other) as running:
        key = core.add_key(scopes=("read",))
        other.keys = core.keys
        await other.stop_http()
        for _ in range(4):
            assert (await call(running, "GET", "/v1/messages/x", key))[0] == 200
    assert len(core.requests) == 4


async def test_a_write_goes_to_another_core_only_if_nothing_was_written(core: FakeCore) -> None:
    async with FakeCore() as other, edge(core, other) as running:
        key = core.add_key(scopes=("keys",))
        other.keys = core.keys
        await call(running, "GET", "/v1/keys", key)
        core.requests.clear()
        other.requests.clear()

        def drop(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        core.answer = other.answer = drop
        status, told, _ = await call(running, "POST", "/v1/keys", key, json={})
        assert status == 502
        assert b"core_failed" in told
        assert b"not known" in told
        assert len(core.requests) + len(other.requests) == 1
        core.answer = other.answer = None
        await other.stop_http()
        for _ in range(4):
            assert (await call(running, "POST", "/v1/keys", key, json={}))[0] == 200


async def test_no_core_at_all(core: FakeCore) -> None:
    key = core.add_key(scopes=("read",))
    async with edge(core) as running:
        assert (await call(running, "GET", "/v1/messages/x", key))[0] == 200
        await core.stop_http()
        status, told, headers = await call(running, "GET", "/v1/messages/x", key)
        assert status == 503
        assert b"no_core" in told
        assert headers["Retry-After"] == "1"


async def test_a_core_that_does_not_answer_in_time(core: FakeCore) -> None:
    key = core.add_key(scopes=("read",))
    async with edge(core, proxy_timeout_ms=300) as running:
        assert (await call(running, "GET", "/v1/messages/x", key))[0] == 200
        await core.stop_http()
        async with hanging(core.http_port):
            status, told, _ = await call(running, "GET", "/v1/messages/x", key)
        assert status == 504
        assert b"core_timeout" in told


async def test_an_answer_over_the_limit_is_not_relayed_in_part(core: FakeCore) -> None:
    key = core.add_key(scopes=("read",))
    core.answer = lambda _: web.Response(body=b"x" * 5000)
    async with edge(core, proxy_body_bytes_max=4000) as running:
        status, told, _ = await call(running, "GET", "/v1/messages/x", key)
    assert status == 502
    assert b"core_failed" in told


async def test_a_body_that_is_not_said_to_be_json(core: FakeCore) -> None:
    key = core.add_key(scopes=("keys",))
    async with edge(core) as running:
        headers = {"Content-Type": "text/plain"}
        status, _, _ = await call(running, "POST", "/v1/keys", key, data=b"{}", headers=headers)
        assert status == 415
    assert not core.requests
