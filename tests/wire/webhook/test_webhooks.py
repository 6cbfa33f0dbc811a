"""Webhooks against endpoints that behave well and badly."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from core.providers.port import Outcome
from tests.support.certificate import certificate
from tests.support.http_script import OK, HttpServer, Peer, Request, answering
from tests.support.wait import until
from tests.wire.webhook.harness import SECRET, account

OTHER = "whsec_" + "QUJD" * 8


def answer(line: str, *fields: str) -> bytes:
    """An empty answer with this status line."""
    return "\r\n".join([f"HTTP/1.1 {line}", *fields, "Content-Length: 0", "", ""]).encode()


def taking(seen: list[Request]):  # type: ignore[no-untyped-def]
    """A script that keeps the requests and answers 200."""

    async def script(peer: Peer) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen.append(await peer.request())
                await peer.say(OK)

    return script


async def test_a_message_is_signed_and_named() -> None:
    seen: list[Request] = []
    async with HttpServer(then=taking(seen)) as server, account() as (adapter, engine):
        adapter.submit(engine.call("local-u1.abc.1", server.url, text="Grüße", created_ms=1_000))
        outcome = await engine.outcome("local-u1.abc.1")
    assert outcome == Outcome("accepted", provider_id="local-u1", code="200")
    [request] = seen
    assert (request.method, request.target) == ("POST", "/hook?a=1")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "local-u1"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    Webhook(SECRET).verify(request.body, request.headers)
    assert json.loads(request.body) == {
        "type": "message",
        "timestamp": "1970-01-01T00:00:01.000Z",
        "data": {"id": "local-u1", "text": "Grüße"},
    }


async def test_the_id_stays_over_retries() -> None:
    seen: list[Request] = []
    async with HttpServer(then=taking(seen)) as server, account() as (adapter, engine):
        for ref in ("local-u1.a.1", "local-u1.b.2"):
            adapter.submit(engine.call(ref, server.url))
            await engine.outcome(ref)
    assert [each.headers["webhook-id"] for each in seen] == ["local-u1", "local-u1"]


async def test_an_event_goes_out_raw_signed_with_the_endpoints_secrets_only() -> None:
    seen: list[Request] = []
    body = '{"type":"message.delivered", "data": {}}'
    async with HttpServer(then=taking(seen)) as server, account() as (adapter, engine):
        call = engine.call("e1.a.1", server.url, text=body, raw=True, signing=(OTHER, SECRET))
        adapter.submit(call)
        await engine.outcome("e1.a.1")
        adapter.submit(engine.call("e2.a.1", server.url, text=body, raw=True, signing=(OTHER,)))
        await engine.outcome("e2.a.1")
    assert [each.body for each in seen] == [body.encode()] * 2
    for secret in (OTHER, SECRET):
        Webhook(secret).verify(seen[0].body, seen[0].headers)
    assert len(seen[1].headers["webhook-signature"].split(" ")) == 1
    Webhook(OTHER).verify(seen[1].body, seen[1].headers)


async def test_without_a_secret_nothing_is_signed() -> None:
    seen: list[Request] = []
    async with HttpServer(then=taking(seen)) as server, account(secret="") as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url))
        assert (await engine.outcome("m1.a.1")).kind == "accepted"
    assert "webhook-signature" not in seen[0].headers


async def test_a_secret_that_is_none_is_a_fault_of_the_account() -> None:
    async with account(secret="secret") as (adapter, engine):
        assert engine.faults == ["secret: a secret begins with whsec_ or whsk_"]
        assert adapter.state().startswith("fault: ")
        assert adapter.capacity() == 0


async def test_a_ca_file_that_is_none_is_a_fault_of_the_account(tmp_path: Path) -> None:
    async with account(ca_file=str(tmp_path / "none.pem")) as (adapter, engine):
        assert len(engine.faults) == 1
        assert adapter.state().startswith("fault: ca_file: ")


async def test_a_redirect_is_not_followed() -> None:
    async with HttpServer() as elsewhere:
        moved = answer("302 Found", f"Location: {elsewhere.url}")
        async with HttpServer(answering(moved)) as server, account() as (adapter, engine):
            adapter.submit(engine.call("m1.a.1", server.url))
            outcome = await engine.outcome("m1.a.1")
        assert elsewhere.connections == 0
    assert outcome.kind == "retryable"
    assert outcome.detail == "the endpoint redirects (302); redirects are not followed"


async def test_an_endpoint_that_is_gone() -> None:
    async with HttpServer(answering(answer("410 Gone"))) as server, account() as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url))
        assert await engine.outcome("m1.a.1") == Outcome(
            "invalid_target", code="410", detail="the endpoint said gone (410)"
        )


async def test_an_endpoint_that_asks_to_wait_is_not_called_until_then_and_others_are() -> None:
    slow = answering(answer("429 Too Many", "Retry-After: 30"), OK)
    async with HttpServer(slow) as server, account() as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url))
        assert (await engine.outcome("m1.a.1")).wait_ms == 30_000
        adapter.submit(engine.call("m2.a.1", server.url))
        again = await engine.outcome("m2.a.1")
        assert again.kind == "throttled"
        assert 25_000 < again.wait_ms <= 30_000
        adapter.submit(engine.call("m3.a.1", server.url + "&other=path"))
        assert (await engine.outcome("m3.a.1")).kind == "accepted"


async def test_a_reset_after_the_body_is_in_doubt() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with HttpServer(script) as server, account() as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"


async def test_a_hang_is_in_doubt_and_its_late_answer_is_told() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await peer.say(OK)
        await peer.gone()

    async with HttpServer(script) as server, account(timeout_ms=60) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url))
        assert (await engine.outcome("m1.a.1")).kind == "unknown"
        go.set()
        await until(lambda: engine.lates)
    assert engine.lates == [("m1.a.1", Outcome("accepted", provider_id="m1", code="200"))]


async def test_a_200_whose_body_drips_for_ever_is_accepted() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        await peer.gone()

    async with HttpServer(script) as server, account(timeout_ms=80) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url))
        assert (await engine.outcome("m1.a.1")).kind == "accepted"


async def test_a_guard_that_says_no_withdraws() -> None:
    seen: list[Request] = []
    async with HttpServer(then=taking(seen)) as server, account() as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", server.url, guard=lambda: False))
        assert await engine.outcome("m1.a.1") == Outcome("withdrawn")
    assert seen == []


async def test_https_is_proved_by_the_accounts_authority(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    seen: list[Request] = []
    async with HttpServer(then=taking(seen), tls=context) as server:
        async with account(ca_file=str(trusted)) as (adapter, engine):
            adapter.submit(engine.call("m1.a.1", server.url))
            assert (await engine.outcome("m1.a.1")).kind == "accepted"
        async with account() as (adapter, engine):
            adapter.submit(engine.call("m1.a.1", server.url))
            outcome = await engine.outcome("m1.a.1")
    assert outcome.kind == "not_sent"
    assert "certificate" in outcome.detail
    assert len(seen) == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_not_called_unless_allowed(host: str) -> None:
    async with HttpServer() as server:
        url = f"http://{host}:{server.port}/"
        async with account(allow_networks=()) as (adapter, engine):
            adapter.submit(engine.call("m1.a.1", url))
            outcome = await engine.outcome("m1.a.1")
            assert outcome.kind == "permanent"
            assert outcome.detail in (
                "the host is a private address",
                "the host resolves to a private address",
            )
        assert server.connections == 0
        async with account(allow_networks=(), allow_private=True) as (adapter, engine):
            adapter.submit(engine.call("m1.a.1", url))
            assert (await engine.outcome("m1.a.1")).kind == "accepted"


@pytest.mark.parametrize(
    ("over", "fields", "why"),
    [
        ({"ports": (443,)}, {}, "is not among the account's"),
        ({}, {"to": "ftp://example.com/"}, "only http and https"),
        ({"body_bytes_max": 1_024}, {"text": "x" * 2_000}, "bytes, more than 1024"),
        ({}, {"signing": ("secret",)}, "a secret of the endpoint"),
    ],
)
async def test_what_is_never_sent(
    over: dict[str, object], fields: dict[str, object], why: str
) -> None:
    async with HttpServer() as server, account(**over) as (adapter, engine):
        adapter.submit(engine.call("m1.a.1", **{"to": server.url, **fields}))  # type: ignore[arg-type]
        outcome = await engine.outcome("m1.a.1")
        assert outcome.kind == "permanent"
        assert why in outcome.detail
        assert server.connections == 0


async def test_an_endpoint_that_hangs_holds_up_its_own_calls_only() -> None:
    async def hang(peer: Peer) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await peer.request()
            await peer.gone()

    limits = {"per_host_connections_max": 2, "per_host_waiting_max": 2}
    async with (
        HttpServer(then=hang) as bad,
        HttpServer() as good,
        account(grace_ms=10, **limits) as (adapter, engine),
    ):
        for number in range(6):
            adapter.submit(engine.call(f"bad{number}.a.1", bad.url))
        assert (await engine.outcome("bad5.a.1")) == Outcome(
            "not_sent", detail="too many calls to this host"
        )
        adapter.submit(engine.call("good.a.1", good.url))
        assert (await engine.outcome("good.a.1")).kind == "accepted"
        assert len(engine.outcomes) == 3
