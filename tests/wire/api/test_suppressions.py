"""Suppressions over HTTP, and the link by which recipients leave."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from core.engine.payload import Payload
from sync.store.port import StoreError
from tests.wire.api.conftest import Answer, Door

PATH = "/v1/suppressions"
ADA = {"channel": "email", "address": "Ada@Example.com"}


def letter(message_class: str, to: str = "ada@example.com") -> Payload:
    return Payload("acme", "ntf_1", "email", to, "ZZ", message_class, "local", "trace")


async def link_of(door: Door, message_class: str) -> str:
    return urlsplit(door.suppressions.link(letter(message_class), "local-u00")).path


async def page(door: Door, method: str, path: str) -> Answer:
    """As somebody without any key: the edge sends nothing but its secret."""
    return await door.call(method, path, tenant="", scopes="", X_GouTong_Key_Id="")


async def test_a_suppression_s_life(door: Door) -> None:
    made = await door.call("POST", PATH, {**ADA, "detail": "asked by phone"})
    assert made.status == 201
    assert made.headers["ETag"] == f'"{made.body["version"]}"'
    assert made.body["address"] == "Ada@example.com"
    [entry] = made.body["entries"]
    assert (entry["reason"], entry["detail"]) == ("manual", "asked by phone")
    assert entry["classes"] == ["otp", "alert", "transactional", "bulk"]
    assert door.suppressions.why(letter("otp")) == "manual"

    joined = await door.call("POST", PATH, {**ADA, "reason": "unsubscribe"})
    assert [each["reason"] for each in joined.body["entries"]] == ["manual", "unsubscribe"]
    found = await door.call("POST", f"{PATH}/search", ADA)
    assert [each["id"] for each in found.body["data"]] == [made.body["id"]]
    one = f"{PATH}/{made.body['id']}"
    assert (await door.call("GET", one)).body == joined.body
    assert (await door.call("DELETE", one, If_Match=made.headers["ETag"])).status == 412
    assert (await door.call("DELETE", one, If_Match=joined.headers["ETag"])).status == 204
    assert door.suppressions.why(letter("otp")) == ""
    assert (await door.call("GET", one)).status == 404
    assert (await door.call("DELETE", one)).status == 404
    assert (await door.call("POST", f"{PATH}/search", ADA)).body["data"] == []


async def test_each_reason_stops_its_classes_unless_they_are_named(door: Door) -> None:
    left = {"channel": "sms", "address": "+44 7700 900123", "reason": "unsubscribe"}
    made = await door.call("POST", PATH, left)
    assert made.body["entries"][0]["classes"] == ["bulk"]
    assert made.body["address"] == "+447700900123"
    named = {**ADA, "reason": "complaint", "classes": ["alert"]}
    made = await door.call("POST", PATH, named)
    assert made.body["entries"][0]["classes"] == ["alert"]


async def test_lists_come_in_pages_and_are_the_tenant_s_own(door: Door) -> None:
    for n in range(3):
        await door.call("POST", PATH, {"channel": "email", "address": f"a{n}@example.com"})
    first = (await door.call("GET", f"{PATH}?limit=2")).body
    rest = (await door.call("GET", f"{PATH}?limit=2&cursor={first['next_cursor']}")).body
    found = {each["address"] for each in first["data"] + rest["data"]}
    assert found == {"a0@example.com", "a1@example.com", "a2@example.com"}
    assert rest["next_cursor"] is None
    other = {"tenant": "other"}
    assert (await door.call("GET", PATH, **other)).body["data"] == []
    assert (await door.call("GET", f"{PATH}/{first['data'][0]['id']}", **other)).status == 404
    assert (await door.call("DELETE", f"{PATH}/{first['data'][0]['id']}", **other)).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel": "email", "address": "no address"}, "/address"),
        ({"channel": "sms", "address": "12"}, "/address"),
        ({"channel": "fax", "address": "+447700900123"}, "/channel"),
        ({**ADA, "classes": ["opt"]}, "/classes/0"),
        ({**ADA, "reason": "because"}, "/reason"),
        ({**ADA, "class": "otp"}, "/class"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    door: Door, body: dict[str, Any], pointer: str
) -> None:
    refused = await door.call("POST", PATH, body)
    assert refused.status == 400
    [error] = refused.body["errors"]
    assert error["pointer"] == pointer
    assert error["hint"]


async def test_they_need_their_scope(door: Door) -> None:
    for method, path in (("GET", PATH), ("POST", PATH), ("POST", f"{PATH}/search")):
        refused = await door.call(method, path, ADA, scopes="send,read,webhooks")
        assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")
    assert (await door.call("GET", PATH, scopes="suppressions")).status == 200


async def test_one_click_takes_somebody_off(door: Door) -> None:
    link = await link_of(door, "transactional")
    shown = await page(door, "GET", link)
    assert (shown.status, shown.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 'method="post"' in shown.text
    assert "script" not in shown.text
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert door.suppressions.why(letter("bulk")) == "", "programs follow links too"
    for _ in range(2):
        done = await page(door, "POST", link)
        assert (done.status, "unsubscribed" in done.text) == (200, True)
    assert door.suppressions.why(letter("bulk")) == "unsubscribe"
    assert door.suppressions.why(letter("transactional")) == "unsubscribe"
    assert door.suppressions.why(letter("otp")) == door.suppressions.why(letter("alert")) == ""
    [found] = (await door.call("POST", f"{PATH}/search", ADA)).body["data"]
    assert [each["message"] for each in found["entries"]] == ["local-u00"]


async def test_nobody_leaves_codes_and_alerts(door: Door) -> None:
    assert door.suppressions.link(letter("otp"), "local-u00") == ""
    assert door.suppressions.link(letter("alert"), "local-u00") == ""


@pytest.mark.parametrize("token", ["x", "A" * 200, "A" * 2000, "..", "%2e%2e", "a.b"])
async def test_a_link_that_was_not_made_here_does_nothing(door: Door, token: str) -> None:
    for method in ("GET", "POST"):
        told = await page(door, method, f"/u/{token}")
        assert told.status == 404
    assert (await door.call("GET", PATH)).body["data"] == []


async def test_a_click_that_cannot_be_stored_may_be_repeated(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await link_of(door, "bulk")

    async def failing(*_: object) -> None:
        raise StoreError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(door.suppressions.store, "add", failing)
        told = await page(door, "POST", link)
    assert (told.status, told.headers["Retry-After"]) == (503, "5")
    assert "the disk" not in told.text
    assert link.rpartition("/")[2] not in door.log_text(), "the link is good for whoever reads it"
    assert (await page(door, "POST", link)).status == 200
