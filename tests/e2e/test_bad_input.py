"""What a caller gets for a request that is wrong: where it is wrong, what to do, and no effect."""

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from core import audit
from tests.support.problems import refused
from tests.support.region import Region, wait_for

NOTIFY = "/v1/notifications"
PHONE = {"phone": "+447700900123"}
TEXT = {"text": "must not be sent"}
GOOD = {"to": PHONE, "content": TEXT}


def deep(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {**GOOD, "data": {"deep": value}}


# Body, code, pointer of the (only) error, and words that its detail or hint has to have.
BODIES: list[tuple[str, Any, str, str | None, str]] = [
    ("cut", b'{"to": {"phone": "+4477', "bad_json", "", "whole body"),
    ("comma", b'{"to": 1,\n "content": 2,}', "bad_json", "", "line 2, column 15"),
    ("empty", b"", "bad_json", "", "empty"),
    ("latin", '{"to": "é"}'.encode("latin-1"), "bad_json", "", "UTF-8"),
    ("two", b'{"to": 1} {}', "bad_json", "", "line 1, column 11"),
    ("nan", b'{"to": NaN}', "bad_json", "", "line 1, column 8"),
    ("array", [], "invalid_request", "", "an object"),
    ("unknown", {**GOOD, "chanel": "sms"}, "invalid_request", "/chanel", "`channel`"),
    ("inner", {**GOOD, "content": {"txt": "x"}}, "invalid_request", "/content/txt", "`text`"),
    ("missing", {"content": TEXT}, "invalid_request", "/to", "Add `to`"),
    ("no-content", {"to": PHONE}, "invalid_request", "", "template"),
    ("both", {**GOOD, "template": "otp"}, "invalid_request", "/content", "one of"),
    ("type", {**GOOD, "to": 7}, "invalid_request", "/to", ""),
    ("type-in", {**GOOD, "content": {"text": 7}}, "invalid_request", "/content/text", "string"),
    ("class", {**GOOD, "class": "urgent"}, "invalid_request", "/class", "transactional"),
    ("negative", {**GOOD, "expires_in": -1}, "invalid_request", "/expires_in", ""),
    ("zero", {**GOOD, "expires_in": 0}, "invalid_request", "/expires_in", ""),
    ("float", {**GOOD, "expires_in": 1.5}, "invalid_request", "/expires_in", ""),
    ("huge", {**GOOD, "expires_in": 10**30}, "invalid_request", "/expires_in", ""),
    ("horizon", {**GOOD, "expires_in": 31_000_000}, "invalid_request", "/expires_in", "2592000"),
    ("nobody", {**GOOD, "to": []}, "invalid_request", "/to", "at least one"),
    ("address", {**GOOD, "to": {}}, "invalid_request", "/to", "`phone`"),
    ("national", {**GOOD, "to": {"phone": "07700900123"}}, "invalid_request", "/to/phone", "plus"),
    ("letters", {**GOOD, "to": {"phone": "+44call-me"}}, "invalid_request", "/to/phone", "plus"),
    ("no-such", {**GOOD, "to": {"phone": "+99912345678"}}, "invalid_request", "/to/phone", ""),
    ("list", {**GOOD, "to": [{"phone": "+1"}]}, "invalid_request", "/to/0/phone", "plus"),
    ("alone", {**GOOD, "until": "delivered"}, "invalid_request", "/until", "list"),
    ("twice", {**GOOD, "channel": ["sms", "sms"]}, "invalid_request", "/channel/1", "once"),
    ("no-time", {**GOOD, "send_at": "soon"}, "invalid_request", "/send_at", "2026-01-31T09"),
    ("far", {**GOOD, "send_at": "2999-01-01T00:00:00Z"}, "invalid_request", "/send_at", "2592000"),
    (
        "no-zone",
        {**GOOD, "send_at": "2026-01-31T09:00:00", "time_zone": "Europe/Berlni"},
        "invalid_request",
        "/time_zone",
        "Europe/Berlin",
    ),
    (
        "later-channel",
        {**GOOD, "to": {**PHONE, "email": "a@example.com"}, "channel": ["sms", "email"]},
        "invalid_request",
        "/content/subject",
        "subject",
    ),
    (
        "email",
        {"to": {"email": "ada"}, "content": {"subject": "s", **TEXT}},
        "invalid_request",
        "/to/email",
        "name@example.com",
    ),
    (
        "email-injected",
        {"to": {"email": "ada@example.com\r\nBcc: x@y.zz"}, "content": {"subject": "s", **TEXT}},
        "invalid_request",
        "/to/email",
        "",
    ),
    (
        "subject-injected",
        {"to": {"email": "a@example.com"}, "content": {"subject": "s\r\nBcc: x@y.zz", **TEXT}},
        "invalid_request",
        "/content/subject",
        "one line",
    ),
    ("no-subject", {**GOOD, "to": {"email": "a@example.com"}}, "invalid_request", None, "ubject"),
    ("channel", {**GOOD, "channel": "email"}, "invalid_request", "/to/email", "`email`"),
    ("empty-text", {**GOOD, "content": {"text": ""}}, "invalid_request", "/content/text", "text"),
    ("deep", deep(100), "too_deep", "", "32"),
    ("very-deep", b'{"data":' + b"[" * 200_000, "too_deep", "", "32"),
    ("no-template", {"to": PHONE, "template": "gone"}, "unknown_template", None, "gone"),
    ("no-data", {"to": PHONE, "template": "otp"}, "template_failed", None, "code"),
]


@pytest.mark.parametrize(
    ("body", "code", "pointer", "words"),
    [case[1:] for case in BODIES],
    ids=[case[0] for case in BODIES],
)
def test_body_is_refused_with_place_and_hint(
    region: Region, body: Any, code: str, pointer: str | None, words: str
) -> None:
    said = refused(region.notify(body), 400, code)
    told = json.dumps([said["detail"], *said.get("errors", [])], ensure_ascii=False)
    assert words in told, told
    if pointer is not None:
        assert [error["pointer"] for error in said["errors"]] == [pointer]


def test_each_wrong_recipient_is_named(region: Region) -> None:
    to = [{"phone": "1"}, {"email": "x@example.com"}, {"phone": "+44-"}]
    said = refused(region.notify({**GOOD, "to": to, "channel": "sms"}), 400, "invalid_request")
    pointers = [error["pointer"] for error in said["errors"]]
    assert pointers == ["/to/0/phone", "/to/1/phone", "/to/2/phone"]


def test_wrong_recipients_do_not_keep_the_others_from_theirs(region: Region) -> None:
    to = [PHONE, {"phone": "1"}, PHONE, {"phone": "+99900000000"}]
    asked = {**GOOD, "content": {"text": "to the good ones"}, "to": to}
    told = region.notify(asked, idempotency_key="some-wrong")
    assert told.status == 202
    messages = told.json()["messages"]
    assert [one["index"] for one in messages] == [0, 1, 2, 3]
    assert [one["status"] for one in messages] == ["accepted", "rejected"] * 2
    wrong = [one["errors"][0]["pointer"] for one in messages if "errors" in one]
    assert wrong == ["/to/1/phone", "/to/3/phone"]
    for one in messages:
        if "id" in one:
            region.ended(one["id"], "delivered")
    assert region.notify(asked, idempotency_key="some-wrong").body == told.body


def test_nothing_refused_is_accepted_or_sent(region: Region) -> None:
    before = audit.run(region.data)["accepted"]
    for _, body, _, _, _ in BODIES:
        assert region.notify(body).status == 400
    assert audit.run(region.data)["accepted"] == before
    assert not [e for e in region.history() if "must not be sent" in e["text"]]


@pytest.mark.parametrize("length_told", [True, False], ids=["length", "chunked"])
def test_a_body_over_the_limit_is_refused(region: Region, length_told: bool) -> None:
    body = json.dumps({**GOOD, "data": {"x": "y" * (1 << 20)}}).encode()
    where = urlsplit(region.url)
    head = f"POST {NOTIFY} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {region.api_key}\r\n"
    head += "Content-Type: application/json\r\n"
    if length_told:
        head += f"Content-Length: {len(body)}\r\n\r\n"
    else:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with socket.create_connection((where.hostname, where.port), timeout=10) as caller:
        caller.sendall(head.encode() + body)
        said = read_all(caller)
    assert said.startswith(b"HTTP/1.1 413 "), said[:200]
    assert b"application/problem+json" in said
    assert b'"code":"body_too_large"' in said


def test_a_body_at_the_limit_is_taken(region: Region) -> None:
    body = {"to": PHONE, "template": "otp", "data": {"code": "1", "x": ""}}
    body["data"]["x"] = "y" * ((1 << 20) - len(json.dumps(body)))  # type: ignore[index]
    assert len(json.dumps(body)) == 1 << 20
    assert region.notify(body).status == 202


def test_media_types_methods_and_paths(region: Region) -> None:
    plain = {"Content-Type": "text/plain"}
    told = region.call("POST", NOTIFY, json.dumps(GOOD).encode(), headers=plain)
    refused(told, 415, "unsupported_media_type")
    packed = {"Content-Encoding": "gzip"}
    told = region.call("POST", NOTIFY, json.dumps(GOOD).encode(), headers=packed)
    refused(told, 415, "unsupported_media_type")
    told = region.call("DELETE", NOTIFY)
    refused(told, 405, "method_not_allowed")
    assert told.headers["allow"] == "POST"
    refused(region.call("POST", "/livez"), 405, "method_not_allowed")
    refused(region.call("GET", "/v1/nothing"), 404, "not_found")
    refused(region.call("GET", "/"), 404, "not_found")
    refused(region.call("GET", "/v1/messages/../keys"), 404, "not_found")


@pytest.mark.parametrize(
    "key", ["", "two words", "x" * 256, "käse"], ids=["empty", "space", "long", "umlaut"]
)
def test_an_idempotency_key_that_is_none(region: Region, key: str) -> None:
    headers = {"Idempotency-Key": key}
    told = region.call("POST", NOTIFY, GOOD, headers=headers)
    refused(told, 400, "invalid_idempotency_key")


def test_a_callers_trace_is_kept(region: Region) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    told = region.call("POST", NOTIFY, {}, headers=headers)
    assert refused(told, 400, "invalid_request")["trace_id"] == trace
    body = {"to": PHONE, "content": {"text": "traced"}}
    told = region.call("POST", NOTIFY, body, headers=headers)
    assert (told.status, told.headers["x-trace-id"]) == (202, trace)
    message = told.json()["messages"][0]["id"]
    region.ended(message, "delivered")

    def lines() -> list[str]:
        logs = (region.data / "logs").glob("core-*.log")
        return [line for log in logs for line in log.read_text().splitlines() if message in line]

    wait_for(lambda: len(lines()) >= 2, last=lines)
    assert {json.loads(line)["trace"] for line in lines()} == {trace}


def test_a_template_that_cannot_be_parsed_is_not_taken(region: Region) -> None:
    body = {"name": "broken", "bodies": {"sms": {"en": {"text": "{{ name "}}}}
    said = refused(region.call("POST", "/v1/templates", body), 400, "invalid_request")
    assert said["errors"][0]["pointer"] == "/bodies/sms/en/text"
    refused(region.call("GET", "/v1/templates/broken"), 404, "not_found")


def test_a_template_without_end_is_stopped(region: Region) -> None:
    rounds = "{% for a in (1..1000) %}{% for b in (1..1000) %}x{% endfor %}{% endfor %}"
    body = {"name": "endless", "bodies": {"sms": {"en": {"text": rounds}}}}
    assert region.call("POST", "/v1/templates", body).status == 201
    began = time.monotonic()
    refused(region.notify({"to": PHONE, "template": "endless"}), 400, "template_failed")
    assert time.monotonic() - began < 2


def read_all(caller: socket.socket) -> bytes:
    """Everything until the other side closes."""
    said = b""
    while True:
        try:
            piece = caller.recv(65536)
        except ConnectionResetError:
            return said
        if not piece:
            return said
        said += piece
