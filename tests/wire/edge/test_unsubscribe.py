"""Links that recipients follow: no key, nothing of the caller passed on, bounded."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from tests.support.fake_core import FakeCore
from tests.support.wait import until
from tests.wire.edge.support import edge
from tests.wire.edge.test_callbacks import FORM, call

TOKEN = "-" + "Ab_9" * 120
PAGE = {"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer"}


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        made.answer = lambda _: web.Response(
            text="<h1>Unsubscribe</h1>", content_type="text/html", headers=PAGE
        )
        yield made


async def test_a_link_goes_to_a_core_and_its_page_comes_back(core: FakeCore) -> None:
    headers = {
        **FORM,
        "Authorization": "Bearer secret",
        "Cookie": "a=b",
        "X-GouTong-Tenant": "evil",
    }
    async with edge(core) as running:
        path = f"/u/{TOKEN}"
        status, body, answered = await call(running, "GET", path, headers=headers)
        assert (status, body) == (200, b"<h1>Unsubscribe</h1>")
        assert answered["Content-Type"] == "text/html; charset=utf-8"
        assert {name: answered[name] for name in PAGE} == PAGE
        click = b"List-Unsubscribe=One-Click"
        assert (await call(running, "POST", f"{path}?a=b", data=click, headers=headers))[0] == 200
        assert (await call(running, "DELETE", path))[0] == 405
        assert TOKEN not in json.dumps(running.lines())
    assert [(method, asked, body) for method, asked, _, body in core.requests] == [
        ("GET", path, b""),
        ("POST", path, b""),
    ]
    for _, _, got, _ in core.requests:
        named = {name.lower() for name in got}
        assert not named & {"authorization", "cookie", "x-goutong-tenant"}


@pytest.mark.parametrize("token", ["", "a/b", "a.b", "a%2eb", "%2e%2e", "x" * 1025])
async def test_what_can_be_no_token_reaches_no_core(core: FakeCore, token: str) -> None:
    async with edge(core) as running:
        assert (await call(running, "POST", f"/u/{token}"))[0] == 404
    assert core.requests == []


async def test_a_crowd_is_bounded_and_may_come_again(core: FakeCore) -> None:
    go_on = asyncio.Event()

    async def slowly(_: web.Request) -> web.Response:
        await go_on.wait()
        return web.Response(text="done")

    core.answer = slowly
    async with edge(core, unsubscribe_calls_max=2) as running:
        path = f"/u/{TOKEN}"
        waiting = [asyncio.create_task(call(running, "GET", path)) for _ in range(2)]
        await until(lambda: len(core.requests) == 2)
        status, body, headers = await call(running, "POST", path)
        assert (status, json.loads(body)["code"]) == (503, "overloaded")
        assert int(headers["Retry-After"]) > 0
        go_on.set()
        assert [each[0] for each in await asyncio.gather(*waiting)] == [200, 200]
        assert (await call(running, "POST", path))[0] == 200


async def test_bodies_are_bounded(core: FakeCore) -> None:
    async with edge(core) as running:
        assert (await call(running, "POST", f"/u/{TOKEN}", data=b"x" * 5_000))[0] == 413
    assert core.requests == []
