"""Every bad body is told where and how to mend it; never a traceback, never a silent yes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.contract.pointers import too_deep
from core.contract.problems import CODES, ProblemError, decode_json, problem
from core.contract.providers import ProviderIn
from core.contract.requests import NotificationRequest
from core.contract.resources import KeyIn
from core.contract.templates import TemplateIn

GOOD: dict[str, Any] = {"to": {"phone": "+447700900123"}, "content": {"text": "x"}}


def refusal(body: bytes | Any, target: Any = NotificationRequest, depth: int = 32) -> ProblemError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ProblemError) as raised:
        decode_json(data, target, max_depth=depth)
    return raised.value


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({**GOOD, "chanel": "sms"}, "/chanel", "Did you mean `channel`?"),
        ({**GOOD, "klass": "otp"}, "/klass", "Did you mean `class`?"),
        ({**GOOD, "zzz": 1}, "/zzz", "Leave it out"),
        ({**GOOD, "a/b~c": 1}, "/a~1b~0c", "Leave it out"),
        ({**GOOD, "a`b - at `$": 1}, "/a`b - at `$", "Leave it out"),
        ({**GOOD, "to": {"fone": "1"}}, "/to/fone", "Did you mean `phone`?"),
        ({**GOOD, "to": [{"email": "a@b.c"}, {"phone": 7}]}, "/to/1/phone", "type"),
        ({**GOOD, "to": [{}, {"mail": "x"}]}, "/to/1/mail", "Did you mean `email`?"),
        ({**GOOD, "to": "+447700900123"}, "/to", "type"),
        ({**GOOD, "channel": "pigeon"}, "/channel", "Use one of: email, sms, webhook."),
        ({**GOOD, "channel": ["sms", "pigeon"]}, "/channel/1", "Use one of: email, sms, webhook."),
        ({**GOOD, "channel": []}, "/channel", "empty"),
        ({**GOOD, "channel": ["sms"] * 7}, "/channel", "Shorten"),
        ({**GOOD, "until": "read"}, "/until", "Use one of: delivered, seen, sent."),
        ({**GOOD, "escalate_after": 0}, "/escalate_after", "limits"),
        ({**GOOD, "escalate_after": 2_592_001}, "/escalate_after", "limits"),
        ({**GOOD, "send_at": 1_800_000_000}, "/send_at", "type"),
        ({**GOOD, "send_at": "2" * 41}, "/send_at", "Shorten"),
        ({**GOOD, "class": "urgent"}, "/class", "alert, bulk, otp, transactional"),
        ({**GOOD, "expires_in": 0}, "/expires_in", "limits"),
        ({**GOOD, "expires_in": 10**20}, "/expires_in", "limits"),
        ({**GOOD, "expires_in": "60"}, "/expires_in", "type"),
        ({**GOOD, "expires_in": 1.5}, "/expires_in", "type"),
        ({**GOOD, "data": [1]}, "/data", "type"),
        ({**GOOD, "template": "No Such"}, "/template", "lower-case letters"),
        ({**GOOD, "template": "x" * 65}, "/template", "Shorten"),
        ({**GOOD, "locale": "english please"}, "/locale", "a language tag"),
        ({**GOOD, "content": {"text": None, "subjekt": "x"}}, "/content/subjekt", "`subject`"),
        ({"content": {"text": "x"}}, "/to", "Add `to`."),
        ([], "", "type"),
        ("text", "", "type"),
        (None, "", "type"),
        (7, "", "type"),
    ],
)
def test_what_breaks_the_rules_is_pointed_at(body: Any, pointer: str, hint: str) -> None:
    error = refusal(body)
    assert (error.status, error.code) == (400, "invalid_request")
    assert error.errors[0].pointer == pointer
    assert hint in error.errors[0].hint


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"sms": {"en": {"text": "a"}, "de": {"tex": "b"}}}, "/bodies/sms/de/tex", "`text`"),
        ({"sms": {"en": {"text": "a"}}, "email": {"de": {"html": 1}}}, "/bodies/email/de/html", ""),
        ({"sms": {"en": {}}, "smoke": {"en": {}}}, "/bodies/smoke", "email, sms"),
        ({"sms": {"en": {}, "e": {}}}, "/bodies/sms/e", "a language tag"),
        ({"sms": {"en": "text"}}, "/bodies/sms/en", "type"),
        ({}, "/bodies", "empty"),
    ],
)
def test_members_of_maps_are_pointed_at_too(body: Any, pointer: str, hint: str) -> None:
    error = refusal({"name": "otp", "bodies": body}, TemplateIn)
    assert error.errors[0].pointer == pointer
    assert hint in error.errors[0].hint


def test_lists_of_words_are_pointed_at() -> None:
    error = refusal({"scopes": ["send", "sned"]}, KeyIn)
    assert error.errors[0].pointer == "/scopes/1"
    assert "send" in error.errors[0].hint


@pytest.mark.parametrize(
    ("body", "detail", "hint"),
    [
        (b"", "empty", "Send a JSON object"),
        (b"  \n", "empty", "Send a JSON object"),
        (b"{", "ends in the middle", "whole body"),
        (b'{"to": {"phone": "+4', "ends in the middle", "whole body"),
        (b'{\n  "to": 1,\n  oops}', "line 3, column 3", "quotes"),
        (b'{"to": 1,}', "line 1, column 10", "trailing comma"),
        (b"{'to': 1}", "line 1, column 2", "quotes"),
        (b'{"data": {"x": NaN}}', "line 1, column 16", "NaN"),
        (b"{} {}", "line 1, column 4", "second document"),
        (b'\xef\xbb\xbf{"to": 1}', "line 1, column 1", "byte order mark"),
        (b'{"to": {"phone": "\xff\xfe"}}', "not UTF-8", "UTF-8"),
        (b'{"data": {"x": "\\ud800"}}', "surrogate", "whole body"),
        (b"\x00\x01", "line 1, column 1", "quotes"),
    ],
)
def test_what_is_no_json_is_told_with_line_and_column(body: bytes, detail: str, hint: str) -> None:
    error = refusal(body)
    assert (error.status, error.code) == (400, "bad_json")
    assert error.errors[0].pointer == ""
    assert detail in error.errors[0].detail
    assert hint in error.errors[0].hint


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
field_names = st.sampled_from(
    ["to", "phone", "email", "channel", "template", "content", "text", "data", "class", "bodies"]
)
shaped = st.recursive(
    json_values,
    lambda inner: st.dictionaries(field_names, inner, max_size=5),
    max_leaves=10,
)


@given(json_values | shaped, st.sampled_from([NotificationRequest, TemplateIn, ProviderIn, KeyIn]))
def test_any_json_is_either_right_or_told_where_it_is_wrong(value: Any, target: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    check(body, target)


@given(st.binary(max_size=80))
@example(b'"\\')
@example(b"[" * 100_000)
@example(b'{"a":' * 50_000)
def test_any_bytes_are_refused_politely(body: bytes) -> None:
    check(body, NotificationRequest)


@given(st.binary(max_size=10), st.integers(0, 100))
def test_a_good_body_damaged_anywhere(rubbish: bytes, at: int) -> None:
    good = json.dumps(GOOD).encode()
    check(good[:at] + rubbish + good[at + 1 :], NotificationRequest)


def check(body: bytes, target: Any) -> None:
    try:
        decode_json(body, target, max_depth=32)
    except ProblemError as error:
        assert error.status == 400
        assert error.code in ("bad_json", "invalid_request", "too_deep")
        shown = json.loads(error.body("trace"))
        assert shown["errors"], shown
        for each in shown["errors"]:
            assert each["detail"]
            assert each["hint"]
            assert points_somewhere(each["pointer"], body, error.code)


def points_somewhere(pointer: str, body: bytes, code: str) -> bool:
    """The pointer, but for its last step (which may be missing), leads into the body."""
    if pointer == "":
        return True
    if code != "invalid_request" or not pointer.startswith("/"):
        return False
    value = json.loads(body)
    for step in pointer.split("/")[1:-1]:
        name = step.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return True


@given(st.integers(1, 60), st.integers(1, 40), st.sampled_from(["[]", "{}", "mixed"]))
def test_depth_is_counted_exactly(depth: int, limit: int, kind: str) -> None:
    opening = {"[]": "[", "{}": '{"a":', "mixed": '[{"]":'}[kind]
    closing = {"[]": "]", "{}": "}", "mixed": "}]"}[kind]
    levels = depth * (2 if kind == "mixed" else 1)
    body = opening * depth + "1" + closing * depth
    assert too_deep(body.encode(), limit) is (levels > limit)


@given(st.text(alphabet='[]{}"\\', max_size=60))
def test_brackets_in_strings_are_no_depth(text: str) -> None:
    body = json.dumps({"a": text, "b": [text]}).encode()
    assert not too_deep(body, 2)
    assert too_deep(body, 1)


def test_wide_is_not_deep() -> None:
    assert not too_deep(json.dumps([[{}] for _ in range(10_000)]).encode(), 3)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "body",
    [
        b"{" * 40 + b'"' + b'\\"' * 500_000 + b"\\",
        b'"' * 1_000_001,
        b"[" * 1_000_000,
        b"[]," * 350_000,
    ],
)
def test_a_hostile_body_costs_no_more_than_a_long_one(body: bytes) -> None:
    too_deep(body, 32)


def test_a_problem_has_all_its_members() -> None:
    error = problem("accept_unknown", "why", headers={"Retry-After": "1"}, message_ids=["a"])
    assert json.loads(error.body("t" * 32)) == {
        "type": "https://goutong.dev/problems/accept_unknown",
        "title": CODES["accept_unknown"][1],
        "status": 503,
        "detail": "why",
        "code": "accept_unknown",
        "trace_id": "t" * 32,
        "message_ids": ["a"],
    }


def test_a_right_body_is_decoded() -> None:
    request = decode_json(json.dumps(GOOD).encode(), NotificationRequest, max_depth=32)
    assert msgspec.to_builtins(request)["class"] == "transactional"
