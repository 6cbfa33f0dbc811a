"""The sandbox's webhook endpoint: what it remembers, how it misbehaves, with our own adapter."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from core.providers.port import Adapter
from core.sandbox.app import Sandbox
from tests.support.sandbox_clients import Http
from tests.support.wait import until
from tests.wire.webhook.harness import SECRET, Engine, account

NAME = "sandbox-webhook"
KINDS = {
    "throttled": ("throttled", "429"),
    "temporary": ("retryable", "503"),
    "permanent": ("retryable", "400"),
    "invalid_target": ("invalid_target", "410"),
    "account": ("retryable", "401"),
}


@pytest.fixture
def url(box: Sandbox) -> str:
    return f"http://127.0.0.1:{box.webhook_port}/hooks/1?a=b"


@pytest.fixture
async def caller() -> AsyncIterator[tuple[Adapter, Engine]]:
    async with account(timeout_ms=150, grace_ms=10) as both:
        yield both


async def sent(caller: tuple[Adapter, Engine], ref: str, url: str):  # type: ignore[no-untyped-def]
    adapter, engine = caller
    adapter.submit(engine.call(ref, url))
    return await engine.outcome(ref)


async def test_a_call_is_remembered(http: Http, caller: tuple[Adapter, Engine], url: str) -> None:
    assert (await sent(caller, "m1.a.1", url)).kind == "accepted"
    [entry] = await http.history()
    assert json.loads(entry.pop("text"))["data"] == {"id": "m1", "text": "Hello"}
    entry.pop("at")
    assert entry == {
        "seq": 1,
        "provider": NAME,
        "wire": "webhook",
        "to": url,
        "outcome": "accepted",
        "effective": True,
        "ref": "m1",
    }


async def test_signatures_are_judged_where_a_secret_is_told(
    http: Http, caller: tuple[Adapter, Engine], web: aiohttp.ClientSession, url: str
) -> None:
    await http.behave(NAME, secret=SECRET)
    await sent(caller, "m1.a.1", url)
    async with web.post(url, data=b"{}") as answer:
        assert answer.status == 200
    await http.behave(NAME, secret="whsec_" + "QUJD" * 8)
    await sent(caller, "m2.a.1", url)
    assert [each["signature"] for each in await http.history()] == ["valid", "none", "invalid"]


@pytest.mark.parametrize("kind", KINDS)
async def test_refusals(http: Http, caller: tuple[Adapter, Engine], url: str, kind: str) -> None:
    await http.behave(NAME, refuse={"ratio": 1.0, "as": kind})
    outcome = await sent(caller, "m1.a.1", url)
    assert (outcome.kind, outcome.code) == KINDS[kind]
    [entry] = await http.history()
    assert (entry["outcome"], entry["effective"]) == ("refused", False)


async def test_throttling_may_name_a_time(
    http: Http, caller: tuple[Adapter, Engine], url: str
) -> None:
    await http.behave(NAME, refuse={"ratio": 1.0, "as": "throttled"}, retry_after_s=77)
    assert (await sent(caller, "m1.a.1", url)).wait_ms == 77_000


async def test_a_redirect(http: Http, caller: tuple[Adapter, Engine], url: str) -> None:
    await http.behave(NAME, redirect=1.0)
    assert (await sent(caller, "m1.a.1", url)).code == "302"
    [entry] = await http.history()
    assert (entry["outcome"], entry["effective"]) == ("refused", False)


@pytest.mark.parametrize(("habit", "outcome"), [("reset_after_body", "reset"), ("hang", "hang")])
async def test_effects_without_an_answer(
    http: Http, caller: tuple[Adapter, Engine], url: str, habit: str, outcome: str
) -> None:
    await http.behave(NAME, **{habit: 1.0})
    assert (await sent(caller, "m1.a.1", url)).kind == "unknown"
    [entry] = await http.history()
    assert (entry["outcome"], entry["effective"]) == (outcome, True)


async def test_a_slow_drip(http: Http, caller: tuple[Adapter, Engine], url: str) -> None:
    await http.behave(NAME, slow_drip=1.0, drip_ms=1)
    assert (await sent(caller, "m1.a.1", url)).kind == "accepted"
    await http.behave(NAME, drip_ms=100)
    assert (await sent(caller, "m2.a.1", url)).kind == "unknown"
    assert [each["outcome"] for each in await http.history()] == ["accepted", "accepted"]


async def test_being_down(
    http: Http, box: Sandbox, caller: tuple[Adapter, Engine], url: str
) -> None:
    await http.behave(NAME, down=True)
    assert (await sent(caller, "m1.a.1", url)).kind == "not_sent"
    await http.behave(NAME, down=False)
    assert (await sent(caller, "m2.a.1", url)).kind == "accepted"
    assert box.behaviour(NAME).down is False


async def test_many_calls_at_once(http: Http, url: str) -> None:
    async with account() as (adapter, engine):
        for number in range(90):
            adapter.submit(engine.call(f"m{number}.a.1", url))
        await until(lambda: len(engine.outcomes) == 90)
    assert {each.kind for each in engine.outcomes.values()} == {"accepted"}
    assert len({each["ref"] for each in await http.history()}) == 90


async def test_what_is_no_webhook(web: aiohttp.ClientSession, url: str) -> None:
    async with web.get(url) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
