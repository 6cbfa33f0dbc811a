"""Who is not sent to, and who is told: suppressions, unsubscribing and events, through a region."""

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.webhooks.events import CLOCKS_APART_MS
from tests.support.endpoint import EndpointServer, serving
from tests.support.region import Region, ask, running, wait_for

pytestmark = pytest.mark.slow
MAIL, SMSC, HOOKS = "sandbox-smtp", "sandbox-smsc", "sandbox-webhook"


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running(tmp_path_factory.mktemp("telling") / "data") as started:
        started.tune(HOOKS, timeout_ms=1_500)
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[EndpointServer]:
    with serving() as started:
        yield started


def call(region: Region, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    told = region.call(method, path, body)
    assert told.status == status, told.body
    return told.json() if told.body else None


def mail(region: Region, to: str, message_class: str) -> str:
    content = {"subject": "Hello", "text": "Good morning"}
    told = region.notify({"to": {"email": to}, "content": content, "class": message_class})
    assert told.status == 202, told.body
    return str(told.json()["messages"][0]["id"])


def entries_of(region: Region, address: str) -> list[dict[str, Any]]:
    body = {"channel": "email" if "@" in address else "sms", "address": address}
    found = call(region, "POST", "/v1/suppressions/search", body)["data"]
    return list(found[0]["entries"]) if found else []


@pytest.fixture
def endpoint(region: Region, server: EndpointServer, request: Any) -> Iterator[dict[str, Any]]:
    """An endpoint of its own for the test, on a path with the test's name."""
    # What happened within a second before it was made, by other tests, would be told too.
    quiet = time.monotonic() + CLOCKS_APART_MS / 1000
    wait_for(lambda: time.monotonic() > quiet)
    path = "/" + request.node.name
    made = call(region, "POST", "/v1/webhooks", {"url": server.url + path}, 201)
    server.secrets[path] = made["secret"]
    yield {**made, "path": path}
    call(region, "DELETE", f"/v1/webhooks/{made['id']}", None, 204)


def types_at(server: EndpointServer, path: str, message_id: str) -> list[str]:
    """The types of events of a message that were taken, in the order of their ids' first calls."""
    return [
        each.event["type"]
        for each in server.at(path)
        if each.event["data"]["id"] == message_id and each.answered == 204
    ]


def deliveries(region: Region, endpoint_id: str) -> list[dict[str, Any]]:
    return list(call(region, "GET", f"/v1/webhooks/{endpoint_id}/deliveries?limit=100")["data"])


def test_a_suppressed_address_is_not_sent_to(region: Region) -> None:
    body = {"channel": "sms", "address": "+447700930001", "detail": "asked by phone"}
    made = call(region, "POST", "/v1/suppressions", body, 201)
    message_id = region.sms("+447700930001", "not wanted", **{"class": "otp"})
    message = region.ended(message_id, "suppressed")
    assert (message["reason"], message["final"], message["attempts"]) == ("manual", True, [])
    assert region.sent(message_id) == []
    chain = {
        "to": {"phone": "+447700930001", "email": "ada0@example.com"},
        "channel": ["sms", "email"],
        "content": {"subject": "Hello", "text": "by the other way"},
    }
    told = region.notify(chain)
    assert told.status == 202, told.body
    first = region.ended(told.json()["messages"][0]["id"], "suppressed")
    [step] = first["next"]
    wait_for(lambda: region.call("GET", f"/v1/messages/{step['id']}").status == 200)
    region.ended(step["id"], "sent", "delivered")
    call(region, "DELETE", f"/v1/suppressions/{made['id']}", None, 204)
    region.ended(region.sms("+447700930001", "wanted"), "delivered")


def test_the_link_in_an_email_takes_off_with_one_click(region: Region) -> None:
    first = mail(region, "ada1@example.com", "bulk")
    region.ended(first, "sent", "delivered")
    [entry] = region.sent(first)
    link = entry["unsubscribe"]
    assert link.startswith(f"{region.url}/u/")
    assert "ada1" not in link
    path = urlsplit(link).path
    shown = ask(region.url, "GET", path)
    assert (shown.status, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert entries_of(region, "ada1@example.com") == [], "a look takes nobody off"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    done = ask(region.url, "POST", path, b"List-Unsubscribe=One-Click", form)
    assert done.status == 200
    message = region.ended(mail(region, "Ada1@example.com", "bulk"), "suppressed")
    assert message["reason"] == "unsubscribe"
    region.ended(mail(region, "ada1@example.com", "otp"), "sent", "delivered")
    [cause] = entries_of(region, "ada1@example.com")
    assert (cause["reason"], cause["message"]) == ("unsubscribe", first)
    for token in ("x" * 200, "..%2f..%2fv1%2fkeys", "%00"):
        assert ask(region.url, "POST", f"/u/{token}", b"").status == 404


def test_an_address_that_is_gone_is_not_tried_again(region: Region) -> None:
    with region.behaving(MAIL, bounce={"dsn": 1}):
        first = mail(region, "gone@example.com", "transactional")
        region.ended(first, "failed")
        [cause] = wait_for(lambda: entries_of(region, "gone@example.com"))
    assert (cause["reason"], cause["message"]) == ("bounce", first)
    message = region.ended(mail(region, "gone@example.com", "otp"), "suppressed")
    assert message["reason"] == "bounce"
    with region.behaving(SMSC, refuse={"ratio": 1.0, "as": "invalid_target"}):
        nobody = region.sms("+447700930002", "nobody there")
        region.ended(nobody, "failed")
        [cause] = wait_for(lambda: entries_of(region, "+447700930002"))
    assert (cause["reason"], cause["message"]) == ("invalid", nobody)
    with region.behaving(MAIL, bounce={"complaint": 1}):
        complained = mail(region, "cross@example.com", "bulk")
        [cause] = wait_for(lambda: entries_of(region, "cross@example.com"))
    assert (cause["reason"], cause["message"]) == ("complaint", complained)
    region.ended(mail(region, "cross@example.com", "transactional"), "suppressed")
    region.ended(mail(region, "cross@example.com", "alert"), "sent", "delivered")


def test_an_endpoint_is_told_signed(
    region: Region, server: EndpointServer, endpoint: dict[str, Any]
) -> None:
    message_id = region.sms("+447700930003", "told")
    region.ended(message_id, "delivered")
    path = endpoint["path"]
    wait_for(lambda: len(types_at(server, path, message_id)) == 2, 20.0)
    assert sorted(types_at(server, path, message_id)) == ["message.delivered", "message.sent"]
    taken = [each for each in server.at(path) if each.event["data"]["id"] == message_id]
    assert all(each.genuine for each in taken)
    assert "7700930003" not in json.dumps([each.event for each in taken])
    ids = {each.webhook_id for each in taken}

    def rows() -> list[dict[str, Any]]:
        return [each for each in deliveries(region, endpoint["id"]) if each["id"] in ids]

    listed = wait_for(lambda: len(rows()) == 2 and rows())
    assert {each["channel"] for each in listed} == {"event"}
    shown = region.message(listed[0]["id"])
    assert (shown["status"], shown["attempts"][0]["account"]) == ("sent", HOOKS)
    told = call(region, "POST", f"/v1/webhooks/{endpoint['id']}/test", None, 202)
    wait_for(lambda: [each for each in server.at(path) if each.webhook_id == told["id"]])


def test_retries_have_the_same_id_and_are_told_again_under_it(
    region: Region, server: EndpointServer, endpoint: dict[str, Any]
) -> None:
    path = endpoint["path"]
    server.answers[path] = [500, 302, 204]
    call(
        region,
        "PUT",
        f"/v1/webhooks/{endpoint['id']}",
        {"url": endpoint["url"], "events": ["message.delivered"]},
    )
    message_id = region.sms("+447700930004", "again")
    region.ended(message_id, "delivered")
    first = wait_for(lambda: server.at(path))[0]
    assert first.event["type"] == "message.delivered"
    second = wait_for(lambda: server.at(path)[1:], 20.0)[0]
    assert (second.webhook_id, second.genuine) == (first.webhook_id, True)
    assert server.at("/redirected") == []
    replay = f"/v1/webhooks/{endpoint['id']}/deliveries/{first.webhook_id}/replay"
    assert call(region, "POST", replay, None, 409)["code"] == "not_ended"


def test_what_was_told_is_told_again_on_demand(
    region: Region, server: EndpointServer, endpoint: dict[str, Any]
) -> None:
    path, one = endpoint["path"], f"/v1/webhooks/{endpoint['id']}"
    message_id = region.sms("+447700930005", "replay me")
    region.ended(message_id, "delivered")
    wait_for(lambda: len(server.at(path)) == 2, 20.0)
    ids = {each.webhook_id for each in server.at(path)}
    event_id = sorted(ids)[0]
    region.ended(event_id, "sent")
    told = call(region, "POST", f"{one}/deliveries/{event_id}/replay", None, 202)
    assert told["resend_of"] == event_id
    third = wait_for(lambda: server.at(path)[2:])[0]
    assert (third.webhook_id, third.genuine) == (event_id, True)
    strange = call(region, "POST", "/v1/webhooks", {"url": f"{server.url}/other"}, 201)
    wrong = f"/v1/webhooks/{strange['id']}/deliveries/{event_id}/replay"
    call(region, "POST", wrong, None, 404)
    call(region, "POST", f"{one}/deliveries/{message_id}/replay", None, 404)
    call(region, "DELETE", f"/v1/webhooks/{strange['id']}", None, 204)
    wait_for(lambda: len(deliveries(region, endpoint["id"])) == 3)
    asked = {"since": "2020-01-01T00:00:00Z", "all": True, "per_second": 100}
    replay = call(region, "POST", f"{one}/replay", asked, 202)

    def done() -> Any:
        found = call(region, "GET", f"/v1/deadletters/replays/{replay['id']}")
        return found if found["state"] == "done" else None

    found = wait_for(done)
    assert (found["sent"], found["passed_over"]) == (2, {"replay": 1})
    wait_for(lambda: len(server.at(path)) == 5)
    assert {each.webhook_id for each in server.at(path)} == ids
    call(region, "POST", f"{one}/replay", {"since": "yesterday"}, 400)


def test_one_endpoint_s_bad_day_is_its_own(
    region: Region, server: EndpointServer, endpoint: dict[str, Any]
) -> None:
    doors = {}
    for name, answers in (("hangs", [0]), ("gone", [410]), ("redirects", [301])):
        server.answers[f"/{name}"] = answers
        doors[name] = call(region, "POST", "/v1/webhooks", {"url": f"{server.url}/{name}"}, 201)
    private = {"url": "http://10.0.0.1/hook"}
    doors["private"] = call(region, "POST", "/v1/webhooks", private, 201)
    try:
        message_id = region.sms("+447700930006", "to all")
        region.ended(message_id, "delivered")
        wait_for(lambda: len(types_at(server, endpoint["path"], message_id)) == 2, 20.0)

        def gone() -> Any:
            found = call(region, "GET", f"/v1/webhooks/{doors['gone']['id']}")
            return found if not found["enabled"] else None

        assert "410" in wait_for(gone)["problem"]

        def refused() -> Any:
            rows = deliveries(region, doors["private"]["id"])
            return [each for each in rows if each["status"] == "failed"]

        event = region.message(wait_for(refused)[0]["id"])
        assert "private" in event["attempts"][0]["detail"]
        for name in ("hangs", "redirects"):
            door = doors[name]["id"]
            rows = wait_for(lambda door=door: deliveries(region, door))  # type: ignore[misc]
            assert not [each for each in rows if each["final"]], "they are told again later"
        back = {"url": f"{server.url}/gone"}
        server.answers["/gone"] = [204]
        on = call(region, "PUT", f"/v1/webhooks/{doors['gone']['id']}", back)
        assert (on["enabled"], "problem" in on) == (True, False)
        later = region.sms("+447700930006", "again")
        region.ended(later, "delivered")
        wait_for(lambda: len(types_at(server, "/gone", later)) == 2, 20.0)
    finally:
        for door in doors.values():
            call(region, "DELETE", f"/v1/webhooks/{door['id']}", None, 204)


def test_nothing_is_left_untold_over_a_crash(
    region: Region, server: EndpointServer, endpoint: dict[str, Any]
) -> None:
    path = endpoint["path"]
    ids = [region.sms(f"+4477009401{n:02}", f"crash {n}") for n in range(30)]
    wait_for(lambda: len(server.at(path)) >= 5, 20.0)
    processes = region.call("GET", "/status", key=None).json()["processes"]
    [core] = [each["pid"] for each in processes if each["role"] == "core"]
    os.kill(core, signal.SIGKILL)
    more = [region.sms(f"+4477009402{n:02}", f"after {n}") for n in range(5)]
    wanted = {(each, kind) for each in ids + more for kind in ("message.sent", "message.delivered")}

    def told() -> bool:
        taken = server.at(path)
        return wanted <= {(each.event["data"]["id"], each.event["type"]) for each in taken}

    wait_for(told, 60.0)
    by_id: dict[str, set[tuple[str, str]]] = {}
    for each in server.at(path):
        what = (each.event["data"]["id"], each.event["type"])
        if what[0] in ids + more:
            by_id.setdefault(each.webhook_id, set()).add(what)
    assert all(len(whats) == 1 for whats in by_id.values()), "one id, one event"
    assert len(by_id) == len(wanted), "one event, one id"
    assert all(each.genuine for each in server.at(path))
