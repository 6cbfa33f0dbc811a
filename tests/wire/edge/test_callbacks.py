"""What providers call: no key, bounds of its own, and nobody can be asked for too much."""

import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.contract.problems import ProblemError
from edge.callbacks import CallbackLimits, Names
from tests.support.fake_core import FakeCore
from tests.wire.edge.support import Running, edge

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


async def call(running: Running, method: str, path: str, **more: Any) -> tuple[int, bytes, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{running.url}{path}", **more) as answer,
    ):
        return answer.status, await answer.read(), answer.headers


async def test_a_callback_is_passed_on_whole_and_nothing_of_ours_can_be_said(
    core: FakeCore,
) -> None:
    headers = {
        **FORM,
        "X-Twilio-Signature": "abc=",
        "Authorization": "Bearer secret",
        "X-GouTong-Tenant": "evil",
        "X-GouTong-Scopes": "admin",
        "X-GouTong-Internal": "guess",
        "Cookie": "a=b",
    }
    async with edge(core) as running:
        path = "/v1/receipts/twilio?ref=a%20b&x="
        status, _, answered = await call(running, "POST", path, data=b"a=1&b=2", headers=headers)
        assert status == 200
        assert (await call(running, "GET", "/v1/receipts/twilio?x=1"))[0] == 200
    (posted, asked) = core.requests
    assert (posted[0], posted[1], posted[3]) == ("POST", path, b"a=1&b=2")
    got = {name.lower(): value for name, value in posted[2].items()}
    assert got["x-twilio-signature"] == "abc="
    assert got["authorization"] == "Bearer secret"
    assert got["content-type"] == FORM["Content-Type"]
    assert got["x-goutong-trace"] == answered["X-Trace-Id"]
    assert not {"x-goutong-tenant", "x-goutong-scopes", "cookie"} & got.keys()
    assert (asked[0], asked[1]) == ("GET", "/v1/receipts/twilio?x=1")


async def test_the_cores_answer_is_the_providers(core: FakeCore) -> None:
    core.answer = lambda _: web.Response(status=403, text="wrong signature\n")
    async with edge(core) as running:
        status, body, headers = await call(running, "POST", "/v1/receipts/a", data=b"x")
        assert (status, body) == (403, b"wrong signature\n")
        assert headers["Content-Type"].startswith("text/plain")
        assert (await call(running, "PUT", "/v1/receipts/a", data=b"x"))[0] == 405


async def test_bodies_are_bounded(core: FakeCore) -> None:
    async with edge(core, callback_body_bytes_max=1_000) as running:
        assert (await call(running, "POST", "/v1/receipts/a", data=b"x" * 1_001))[0] == 413
        assert (await call(running, "POST", "/v1/receipts/a", data=b"x" * 1_000))[0] == 200
    async with edge(core, callback_bytes_held_max=10) as running:
        status, body, _ = await call(running, "POST", "/v1/receipts/a", data=b"x" * 11)
        assert (status, json.loads(body)["code"]) == (503, "overloaded")
    assert len(core.requests) == 1


async def test_accounts_that_are_not_there_cost_little(core: FakeCore) -> None:
    core.answer = lambda request: web.Response(status=200 if "good" in request.path else 404)
    async with edge(core, callback_unknown_per_s=1, callback_unknown_ms=60_000) as running:
        assert (await call(running, "POST", "/v1/receipts/good", data=b"x"))[0] == 200
        statuses = [
            (await call(running, "POST", f"/v1/receipts/nobody-{number}", data=b"x"))[0]
            for number in range(20)
        ]
        assert set(statuses) <= {404, 503}
        assert 503 in statuses
        # One that is there is served all the while.
        assert (await call(running, "POST", "/v1/receipts/good", data=b"x"))[0] == 200
    assert len(core.requests) < 20


def test_names_are_learnt_forgotten_and_bounded() -> None:
    names = Names(CallbackLimits(1_000, accounts_max=2, unknown_ms=1_000, unknown_per_s=2))
    assert names.may_ask("a", 100.0)
    names.learn("a", False, 100.0)
    with pytest.raises(ProblemError) as refused:
        names.may_ask("a", 100.9)
    assert refused.value.status == 404
    assert names.may_ask("b", 101.0)
    names.learn("b", True, 101.0)
    assert names.may_ask("c", 101.0)
    assert not names.may_ask("d", 101.0)  # two strangers a second
    assert names.may_ask("b", 101.0)
    assert names.may_ask("a", 102.0)  # asked again, in case it was made meanwhile
    for name in ("x", "y", "z"):
        names.learn(name, True, 102.0)
        names.learn(f"not-{name}", False, 102.0)
    assert names.may_ask("z", 102.0) and names.may_ask("y", 102.0)
    assert names.may_ask("b", 102.0)  # forgotten, so it takes the last place of a stranger
    assert not names.may_ask("b", 102.0)


async def test_without_a_core_the_provider_is_told_to_come_back(core: FakeCore) -> None:
    async with edge(core) as running:
        await core.stop_http()
        status, body, headers = await call(running, "POST", "/v1/receipts/a", data=b"x")
        assert (status, json.loads(body)["code"]) == (503, "no_core")
        assert headers["Retry-After"] == "1"
