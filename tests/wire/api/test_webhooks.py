"""Webhook endpoints over HTTP: secrets shown once, versions, tests that go the way of events."""

from typing import Any

import pytest
from standardwebhooks import Webhook

from core.engine.payload import decode_payload
from tests.wire.api.conftest import Door

PATH = "/v1/webhooks"
GIVEN: dict[str, Any] = {
    "url": "https://hooks.example.com/goutong",
    "events": ["message.delivered", "message.failed"],
    "description": "the shop",
}


async def test_an_endpoint_s_life(door: Door) -> None:
    made = await door.call("POST", PATH, GIVEN)
    assert made.status == 201
    shown = made.body
    secret = shown.pop("secret")
    Webhook(secret)  # of the form that the standard's libraries take
    one = f"{PATH}/{shown['id']}"
    assert {name: shown[name] for name in GIVEN} == GIVEN
    assert (shown["enabled"], shown["secrets"]) == (True, 1)
    assert (await door.call("GET", one)).body == shown, "without its secret"
    assert [each.id for each in door.endpoints.of("acme")] == [shown["id"]]

    off = {**GIVEN, "enabled": False, "events": []}
    put = await door.call("PUT", one, off, If_Match=made.headers["ETag"])
    assert (put.status, put.body["enabled"], put.body["events"]) == (200, False, [])
    assert door.endpoints.of("acme") == ()
    assert (await door.call("PUT", one, off, If_Match=made.headers["ETag"])).status == 412
    assert (await door.call("DELETE", one, If_Match=made.headers["ETag"])).status == 412
    assert (await door.call("DELETE", one)).status == 204
    for method in ("GET", "PUT", "DELETE"):
        assert (await door.call(method, one, GIVEN)).status == 404
    assert secret not in door.log_text()
    assert sum(secret in seen for seen in door.seen) == 1


async def test_two_secrets_are_in_force_while_one_rotates_out(door: Door) -> None:
    made = (await door.call("POST", PATH, GIVEN)).body
    one = f"{PATH}/{made['id']}"

    def in_force() -> tuple[str, ...]:
        found = door.endpoints.door("acme", made["id"])
        assert found is not None
        return found.secrets

    assert in_force() == (made["secret"],)
    second = (await door.call("POST", f"{one}/rotate")).body
    assert second["secrets"] == 2
    assert in_force() == (second["secret"], made["secret"])
    third = (await door.call("POST", f"{one}/rotate", {"keep_old_s": 0})).body
    assert third["secrets"] == 1
    assert in_force() == (third["secret"],)
    refused = await door.call("POST", f"{one}/rotate", {"keep_old_s": -1})
    assert refused.body["errors"][0]["pointer"] == "/keep_old_s"


async def test_a_test_event_is_journaled_as_any_other(door: Door) -> None:
    made = (await door.call("POST", PATH, GIVEN)).body
    told = await door.call("POST", f"{PATH}/{made['id']}/test")
    assert told.status == 202
    [message] = door.journaled
    payload = decode_payload(message.payload)
    assert (message.id, payload.to) == (told.body["id"], made["id"])
    assert (payload.kind, payload.channel) == ("event", "webhook")
    assert payload.notification == message.id, "its webhook-id, also when it is told again"
    await door.call("PUT", f"{PATH}/{made['id']}", {**GIVEN, "enabled": False})
    refused = await door.call("POST", f"{PATH}/{made['id']}/test")
    assert (refused.status, refused.body["code"]) == (409, "not_enabled")


async def test_lists_come_in_pages_and_are_the_tenant_s_own(door: Door) -> None:
    made = [(await door.call("POST", PATH, GIVEN)).body["id"] for _ in range(3)]
    first = (await door.call("GET", f"{PATH}?limit=2")).body
    rest = (await door.call("GET", f"{PATH}?limit=2&cursor={first['next_cursor']}")).body
    assert [each["id"] for each in first["data"] + rest["data"]] == sorted(made)
    assert not any("secret" in each for each in first["data"])
    other = {"tenant": "other"}
    assert (await door.call("GET", PATH, **other)).body["data"] == []
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
        told = await door.call(method, f"{PATH}/{made[0]}{path}", GIVEN, **other)
        assert told.status == 404
    assert door.endpoints.of("other") == ()


async def test_a_tenant_has_a_bounded_number_of_them(door: Door) -> None:
    made = [(await door.call("POST", PATH, GIVEN)).body["id"] for _ in range(3)]
    refused = await door.call("POST", PATH, GIVEN)
    assert (refused.status, refused.body["code"]) == (409, "too_many")
    assert (await door.call("POST", PATH, GIVEN, tenant="other")).status == 201
    await door.call("DELETE", f"{PATH}/{made[0]}")
    assert (await door.call("POST", PATH, GIVEN)).status == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://hooks.example.com/"}, "/url"),
        ({"url": "https://user:secret@hooks.example.com/"}, "/url"),
        ({"url": "hooks.example.com"}, "/url"),
        ({"events": ["message.deliverd"]}, "/events/0"),
        ({"event": []}, "/event"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    door: Door, change: dict[str, Any], pointer: str
) -> None:
    made = (await door.call("POST", PATH, GIVEN)).body
    for refused in (
        await door.call("POST", PATH, GIVEN | change),
        await door.call("PUT", f"{PATH}/{made['id']}", GIVEN | change),
    ):
        assert refused.status == 400
        [error] = refused.body["errors"]
        assert error["pointer"] == pointer
        assert error["hint"]


async def test_they_need_their_scope(door: Door) -> None:
    for method, path in (("GET", PATH), ("POST", PATH), ("POST", f"{PATH}/ep_x/test")):
        refused = await door.call(method, path, GIVEN, scopes="send,read,suppressions")
        assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")
    assert (await door.call("GET", PATH, scopes="webhooks")).status == 200


async def test_an_endpoint_that_another_process_made_is_looked_for(door: Door) -> None:
    assert door.endpoints.door("acme", "ep_other") is not None, "what it is told waits"
    await door.endpoints.refresh("acme", "ep_other")
    assert door.endpoints.door("acme", "ep_other") is None, "it is not there"
