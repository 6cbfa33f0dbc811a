"""A message is asked of any core: of its owner, wherever that is, and of the store without it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.api import messages
from core.api.internal_auth import guard
from core.api.messages import MessageDeps
from core.api.peers import Peers
from core.contract.ids import mint_derived, mint_unkeyed
from core.messages.view import Windows
from tests.support.asking import Asking
from tests.support.where import Where

SECRET = "internal-secret"
NOBODYS = "http://127.0.0.1:9"


class Core:
    """One core's doors; `where` says what it knows of others."""

    def __init__(self, asking: Asking, where: Where, url: str, http: aiohttp.ClientSession) -> None:
        self.asking = asking
        self.where = where
        self.url = url
        self._http = http

    async def call(
        self, method: str, path: str, tenant: str = "acme", data: bytes | None = None, **more: str
    ) -> tuple[int, Any, Any]:
        sent = {
            "X-GouTong-Internal": SECRET,
            "X-GouTong-Tenant": tenant,
            "X-GouTong-Scopes": "read,send",
            "X-GouTong-Trace": "trace-1",
            **more,
        }
        async with self._http.request(method, self.url + path, headers=sent, data=data) as answer:
            return answer.status, await answer.json(), answer.headers

    async def get(self, message_id: str) -> tuple[int, Any, Any]:
        return await self.call("GET", f"/v1/messages/{message_id}")


class Other:
    """Another core: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[], Awaitable[web.Response]] = self._teapot

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append((request.method, request.path, dict(request.headers), body))
        return await self.answer()

    async def hang(self) -> web.Response:
        await asyncio.sleep(20)
        return web.Response()

    async def _teapot(self) -> web.Response:
        return web.json_response({"said": "by the owner"}, status=418, headers={"Retry-After": "7"})


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def other() -> AsyncIterator[Other]:
    made = Other()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner, made.url = await serve(app)
    yield made
    await runner.cleanup()


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    asking, where = Asking(tmp_path), Where("local", "far")
    peers = Peers(where, SECRET, asking.log)
    await peers.start()
    windows = Windows({"sms": 3600})
    deps = MessageDeps(asking.messages, asking.logs, asking.clock, "local", windows, peers, where)
    app = web.Application(middlewares=[guard(SECRET, asking.log)])
    app.add_routes(messages.routes(deps))
    app.add_routes(asking.routes(where, peers))
    runner, url = await serve(app)
    async with aiohttp.ClientSession() as http:
        yield Core(asking, where, url, http)
    await runner.cleanup()
    await peers.stop()
    await asking.close()


async def test_who_looks_after_it_and_where_its_events_were_written(core: Core) -> None:
    core.where.owner = ("eu0123456789abcdef", 7)
    message_id = await core.asking.message("failed")
    status, told, _ = await core.get(message_id)
    assert status == 200
    assert (told["home"], told["owner"], told["epoch"]) == ("local", "eu0123456789abcdef", 7)
    assert (told["final"], told["possible_duplicate"]) == (True, False)
    # The writer of both rows is called c1, and so its region c.
    assert told["region"] == "c"
    assert [(event["type"], event["region"]) for event in told["events"]] == [
        ("accepted", "c"),
        ("failed", "c"),
    ]


async def test_the_owner_is_asked_and_its_answer_handed_on(core: Core, other: Other) -> None:
    message_id = await core.asking.message("failed")
    core.where.away = [other.url]
    status, told, headers = await core.get(message_id)
    assert (status, told, headers["Retry-After"]) == (418, {"said": "by the owner"}, "7")
    ((method, path, sent, _),) = other.asked
    assert (method, path) == ("GET", f"/v1/messages/{message_id}")
    assert sent["X-GouTong-Internal"] == SECRET
    assert (sent["X-GouTong-Tenant"], sent["X-GouTong-Scopes"]) == ("acme", "read,send")
    passed = {"X-GouTong-Passed": sent["X-GouTong-Passed"]}
    status, _, _ = await core.call("GET", f"/v1/messages/{message_id}", **passed)
    assert status == 200, "what was passed on once is answered"


@pytest.mark.parametrize("method", ["GET", "cancel"])
async def test_an_owner_that_is_gone_is_not_needed(core: Core, method: str) -> None:
    message_id = await core.asking.message("failed")
    core.where.away = [NOBODYS]
    if method == "GET":
        status, told, _ = await core.get(message_id)
    else:
        status, told, _ = await core.call("POST", f"/v1/messages/{message_id}/cancel")
    assert (status, told["status"]) == (200, "failed")


async def test_an_owner_that_hangs_is_waited_for_once(core: Core, other: Other) -> None:
    message_id = await core.asking.message("failed")
    core.where.away, other.answer = [other.url], other.hang
    before = time.monotonic()
    assert (await core.get(message_id))[0] == 200
    assert time.monotonic() - before < 3.0
    again = time.monotonic()
    for _ in range(5):
        assert (await core.get(message_id))[0] == 200
    assert time.monotonic() - again < 1.0
    assert len(other.asked) == 1


async def test_a_cancel_goes_into_the_homes_log_when_its_owner_is_away(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.api.messages.DECIDE_WAIT_S", 0.0)  # the core's clock stands still
    core.where.away = [NOBODYS]
    message_id = await core.asking.message("accepted")
    logs = {log: await core.asking.store.last_row(log) for log in await core.asking.store.logs()}
    _, told, _ = await core.call("POST", f"/v1/messages/{message_id}/cancel")
    assert told["status"] in ("accepted", "queued"), "the owner decides, and is away"
    grown = [
        log
        for log in await core.asking.store.logs()
        if await core.asking.store.last_row(log) != logs.get(log, 0)
    ]
    assert [log.split(".")[:2] for log in grown] == [["accept", "local"]]


async def test_what_is_asked_where_it_may_not_be_kept(core: Core, other: Other) -> None:
    message_id = await core.asking.message("failed")
    core.where.closed, core.where.away = {"local"}, [NOBODYS, other.url]
    assert (await core.get(message_id))[0] == 418
    core.where.away = [NOBODYS]
    status, told, headers = await core.get(message_id)
    assert (status, told["code"], headers["Retry-After"]) == (503, "home_elsewhere", "1")


async def test_sending_again_goes_to_a_region_that_has_the_message(
    core: Core, other: Other
) -> None:
    message_id = await core.asking.message("failed")
    core.where.away = [other.url]
    path = f"/v1/messages/{message_id}/resend"
    more = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
    status, _, _ = await core.call("POST", path, data=b'{"expires_in": 60}', **more)
    assert (status, other.asked) == (202, []), "any core of the right region can"
    core.where.closed, core.where.away = {"local"}, [NOBODYS, other.url]
    status, _, _ = await core.call("POST", path, data=b'{"expires_in": 60}', **more)
    ((method, asked, sent, body),) = other.asked
    assert (status, method, asked, body) == (418, "POST", path, b'{"expires_in": 60}')
    assert (sent["Idempotency-Key"], sent["Content-Type"]) == ("k1", "application/json")


async def test_what_may_have_been_sent_again_is_asked_of_nobody_else(
    core: Core, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.api.peers.CHANGE_S", 0.2)
    message_id = await core.asking.message("failed")
    core.where.closed, other.answer = {"local"}, other.hang
    core.where.away = [other.url, f"{other.url}/second"]
    status, told, _ = await core.call("POST", f"/v1/messages/{message_id}/resend")
    assert (status, told["code"]) == (504, "core_timeout")
    assert len(other.asked) == 1
    assert not await core.asking.accepted(resend_of=message_id)


def minted(core: Core, minutes_ago: int, home: str = "far") -> str:
    minute = core.asking.clock.wall_ms() // 60_000 - minutes_ago
    return mint_unkeyed(home, 3, minute, bytes(16))


async def test_which_unknown_ids_may_still_become_visible(core: Core) -> None:
    young, old = minted(core, 1), minted(core, 60)
    keyed = mint_derived("far", 3, b"test", "k")
    strange = minted(core, 0, "nowhere")
    answers = {each: await core.get(each) for each in (young, old, keyed, strange, "no-id")}
    codes = [(status, told["code"]) for status, told, _ in answers.values()]
    not_yet, not_found = (404, "not_yet_visible"), (404, "not_found")
    assert codes == [not_yet, not_found, not_yet, not_found, not_found]
    assert answers[young][2]["Retry-After"] == "1"
    core.where.silent = ["us"]
    status, told, _ = await core.get(old)
    assert (status, told["code"]) == not_yet, "it may have been taken in there"
    assert "us" in told["detail"]
    assert (await core.get(strange))[1]["code"] == "not_found"


async def test_another_tenants_message_is_none(core: Core) -> None:
    message_id = await core.asking.message("failed", tenant="other")
    status, told, _ = await core.get(message_id)
    assert (status, told["code"]) == (404, "not_yet_visible"), "as for a keyed id of no message"
