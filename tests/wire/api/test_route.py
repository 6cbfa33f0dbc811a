"""POST /v1/route: the decision of each channel, with its explanation, and nothing sent."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.api import route
from core.api.internal_auth import guard
from core.contract.log import Log
from core.contract.providers import Price
from core.contract.sections.core import LimitsSettings
from core.decide.policy import Policy, policy_for
from core.decide.route import Candidate
from tests.wire.api.conftest import SECRET, Door

PHONE = {"phone": "+44 7700 900123"}
ACCOUNTS = [
    Candidate("smsc", "sms", price=Price(0.04, {"GB": 0.03}), text_chars_max=1600),
    Candidate("http", "sms", priority=200),
    Candidate("mail", "email", state="down: connection refused"),
]


class Routed(Door):
    """A door whose accounts and policies are the test's."""

    policies: list[Policy]


@pytest.fixture
async def routed() -> AsyncIterator[Routed]:
    log = Log(None, "error")
    app = web.Application(middlewares=[guard(SECRET, log)])
    policies: list[Policy] = []
    deps = route.RouteDeps(
        lambda channel: [each for each in ACCOUNTS if each.channel == channel],
        lambda *of: policy_for(policies, *of),
        LimitsSettings(),
    )
    app.add_routes(route.routes(deps))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        made = Routed(f"http://127.0.0.1:{port}", session, None, None)  # type: ignore[arg-type]
        made.policies = policies
        yield made
    await runner.cleanup()
    log.close()


async def ask(door: Door, body: Any, **named: str) -> Any:
    found = await door.call("POST", "/v1/route", body, scopes=named.pop("scopes", "send"), **named)
    assert found.status == 200, found.text
    return found.body["routes"]


async def test_the_decision_is_answered_with_its_explanation(routed: Routed) -> None:
    routed.policies.append(Policy(name="default", version=3, explore=0.5))
    (found,) = await ask(routed, {"to": PHONE, "text": "x" * 200})
    assert (found["channel"], found["country"], found["parts"]) == ("sms", "GB", 2)
    assert (found["explore"], found["when_none"], found["why"]) == (0.5, "wait", "")
    decision = found["decision"]
    assert (decision["account"], decision["policy"], decision["version"]) == ("smsc", "default", 3)
    assert [each["account"] for each in decision["candidates"]] == ["smsc", "http"]
    assert decision["candidates"][0]["price"] == 0.06


async def test_each_channel_is_decided_in_the_order_of_fallback(routed: Routed) -> None:
    to = PHONE | {"email": "ada@example.com"}
    assert [r["channel"] for r in await ask(routed, {"to": to})] == ["sms", "email"]
    found = await ask(routed, {"to": to, "channel": ["email", "sms"]})
    assert [r["channel"] for r in found] == ["email", "sms"]
    assert found[0]["decision"]["account"] == ""
    assert found[0]["why"] == "mail: down: connection refused"
    (hook,) = await ask(routed, {"to": {"url": "https://example.com/x"}, "channel": "webhook"})
    assert hook["why"] == "no account serves the channel webhook"


async def test_policies_are_found_by_tenant_class_and_country(routed: Routed) -> None:
    routed.policies += [
        Policy(name="otp", version=1, classes=frozenset({"otp"})),
        Policy(name="german", version=1, countries=frozenset({"DE"})),
        Policy(name="other", version=1, tenants=frozenset({"other"}), classes=frozenset({"otp"})),
    ]

    async def policy(body: dict[str, Any], **named: str) -> Any:
        return (await ask(routed, {"to": PHONE} | body, **named))[0]["decision"]["policy"]

    assert await policy({}) == "built-in"
    assert await policy({"class": "otp"}) == "otp"
    assert await policy({"country": "DE"}) == "german"
    assert await policy({"to": {"phone": "+4915123456789"}}) == "german"
    assert await policy({"class": "otp"}, tenant="other") == "other"
    assert await policy({"class": "otp", "tenant": "other"}, scopes="admin") == "other"
    refused = await routed.call(
        "POST", "/v1/route", {"to": PHONE, "tenant": "other"}, scopes="send"
    )
    assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"to": {}}, "/to"),
        ({"to": {"phone": "123"}}, "/to/phone"),
        ({"to": {"phone": "+2101234567"}}, "/to/phone"),
        ({"to": {"email": "nobody"}}, "/to/email"),
        ({"to": {"url": "ftp://example.com/"}}, "/to/url"),
        ({"to": PHONE, "channel": "email"}, "/to/email"),
        ({"to": PHONE, "channel": []}, "/channel"),
        ({"to": PHONE, "country": "England"}, "/country"),
        ({"to": PHONE, "content": {"text": "Hi"}}, "/content"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    routed: Routed, body: dict[str, Any], pointer: str
) -> None:
    refused = await routed.call("POST", "/v1/route", body, scopes="send")
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, pointer)
    assert refused.body["errors"][0]["hint"]


async def test_it_needs_the_scope_to_send(routed: Routed) -> None:
    refused = await routed.call("POST", "/v1/route", {"to": PHONE}, scopes="read,providers")
    assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")
