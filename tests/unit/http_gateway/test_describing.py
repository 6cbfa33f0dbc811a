"""What may be described, what requests come of it, and what is said about mistakes."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accounts.check import check_account
from core.contract.providers import ProviderIn
from core.providers.http_gateway.request import build
from core.providers.http_gateway.settings import HttpGatewaySettings
from core.providers.http_gateway.talk import GatewayTalk
from core.providers.http_gateway.template import NAMES, TemplateError, check, fill, fill_value
from core.providers.port import OutMessage
from tests.support.gateways import JSON_GATEWAY, TEXT_GATEWAY

SECRETS = {"token": "t0ken", "password": "pa&s", "callback_secret": "cb=secret"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
VALUES = st.fixed_dictionaries(dict.fromkeys(NAMES, TEXTS))


def settings(base: dict[str, Any], **changes: Any) -> HttpGatewaySettings:
    return msgspec.convert({**base, **changes}, HttpGatewaySettings)


def account(described: dict[str, Any], secrets: dict[str, str]) -> ProviderIn:
    return ProviderIn(
        id="gw", wire="http_gateway", channel="sms", settings=described, secrets=secrets
    )


def message(**changes: Any) -> OutMessage:
    given_ = {"ref": "m.1.2", "to": "+447700900123", "text": "hi", "valid_for_ms": 90_500}
    return OutMessage(**{**given_, **changes})  # type: ignore[arg-type]


@given(TEXTS, TEXTS)
def test_json_carries_every_text_as_it_is(text: str, sender: str) -> None:
    made = build(message(text=text, sender=sender), settings(JSON_GATEWAY), SECRETS)
    body = msgspec.json.decode(made.body)
    assert body["text"] == text
    assert body["to"] == "+447700900123"
    assert set(body) == set(JSON_GATEWAY["fields"])
    assert made.headers == {"Content-Type": "application/json", "X-Api-Key": "t0ken"}


@given(TEXTS)
def test_a_query_carries_every_text_as_it_is(text: str) -> None:
    made = build(message(text=text), settings(TEXT_GATEWAY), SECRETS)
    parts = urlsplit(made.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    found = dict(pairs)
    assert len(pairs) == len(found) == len(TEXT_GATEWAY["fields"])
    assert (found["text"], found["to"], found["password"]) == (text, "447700900123", "pa&s")
    assert (parts.netloc, parts.path) == ("sms.example", "/gateway/text")
    assert made.url.isascii()


@given(TEXTS)
def test_a_part_of_an_address_cannot_leave_its_place(to: str) -> None:
    described = settings(JSON_GATEWAY, url="https://sms.example/to/{to}/send?k={ref}")
    made = build(message(to=to, ref="a&b=c"), described, SECRETS)
    parts = urlsplit(made.url)
    assert parts.netloc == "sms.example"
    assert parts.path.count("/") == 3
    assert dict(parse_qsl(parts.query)) == {"k": "a&b=c"}


@given(VALUES, st.lists(st.sampled_from(sorted(NAMES)), max_size=5))
def test_what_a_message_puts_in_is_never_a_placeholder(
    values: dict[str, str], names: list[str]
) -> None:
    text = "-".join(f"{{{name}}}" for name in names)
    assert fill(text, values) == "-".join(values[name] for name in names)
    assert check(text) == set(names)


def test_braces_numbers_and_nested_values() -> None:
    values = dict.fromkeys(NAMES, "") | {"valid_for_s": "90", "text": "{to}"}
    assert fill("{{{text}}}", values) == "{{to}}"
    written = {"a": ["{valid_for_s}", "{valid_for_s}s", 1, None, True], "{to}": {"b": "{text}"}}
    assert fill_value(written, values) == {
        "a": [90, "90s", 1, None, True],
        "{to}": {"b": "{to}"},
    }


@pytest.mark.parametrize("text", ["{", "}", "{to", "{nope}", "{}", "{to}}", "{TO}", "{to!r}"])
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(TemplateError):
        check(text)


def test_the_coding_follows_from_the_text() -> None:
    described = settings(TEXT_GATEWAY, coding={"gsm": "0", "unicode": "2"})
    for text, coding in (("plain €", "0"), ("東京", "2")):
        made = build(message(text=text), described, SECRETS)
        assert dict(parse_qsl(urlsplit(made.url).query))["coding"] == coding


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"kind": "basic", "username": "me"}, ("Authorization", "Basic bWU6cGEmcw==")),
        ({"kind": "bearer"}, ("Authorization", "Bearer t0ken")),
        ({"kind": "header", "header": "X-Key"}, ("X-Key", "t0ken")),
    ],
)
def test_each_way_to_log_in(auth: dict[str, str], header: tuple[str, str]) -> None:
    made = build(message(), settings(JSON_GATEWAY, auth=auth), SECRETS)
    assert header in made.headers.items()


def test_a_message_that_fits_into_no_header_is_not_offered() -> None:
    described = settings(JSON_GATEWAY, headers={"X-Ref": "{ref}", "X-Sender": "{sender}"})
    talk = GatewayTalk(described, SECRETS)
    assert getattr(talk.request(message(sender="a\r\nX: 1")), "kind", "") == "permanent"
    assert getattr(talk.request(message(text="x" * 2_000)), "kind", "") == "permanent"
    assert not hasattr(talk.request(message(sender="a")), "kind")


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({}, []),
        ({"url": "https://{to}.example/x"}, ["/settings/url"]),
        ({"url": "https://sms.example/{nope}"}, ["/settings/url"]),
        ({"url": "http://sms.example/x"}, ["/settings/url"]),
        ({"url": "sms.example"}, ["/settings/url"]),
        ({"method": "GET"}, ["/settings/body"]),
        ({"body": "query", "url": "https://h/x?y=1"}, ["/settings/url"]),
        ({"fields": {"to": "{to}"}}, ["/settings/fields"]),
        ({"fields": {"text": "{text}"}}, ["/settings/fields"]),
        ({"fields": {"a": ["{to}", {"b": "{x}"}], "t": "{text}"}}, ["/settings/fields/a/1/b"]),
        ({"body": "form", "fields": {"a": "{to}", "b": 1, "c": "{text}"}}, ["/settings/fields/b"]),
        ({"headers": {"Host": "x"}}, ["/settings/headers/Host"]),
        ({"headers": {"X-A": "{x}"}}, ["/settings/headers/X-A"]),
        ({"auth": {"kind": "basic"}}, ["/settings/auth/username", "/secrets/password"]),
        ({"auth": {"kind": "header"}}, ["/settings/auth/header"]),
        ({"auth": {"kind": "magic"}}, ["/settings/auth/kind"]),
        ({"success": {"statuses": []}}, ["/settings/success/statuses"]),
        ({"success": {"pointer": "/Code"}}, ["/settings/success"]),
        ({"success": {"pointer": "Code", "values": [1]}}, ["/settings/success/pointer"]),
        ({"id": {"matches": "no place"}}, ["/settings/id/matches"]),
        ({"id": {"matches": "at *{id}"}}, ["/settings/id/matches"]),
        ({"id": {"pointer": "/a", "matches": "{id}"}}, ["/settings/id/matches"]),
        ({"errors": [{"class": "permanent"}]}, ["/settings/errors/0"]),
        ({"errors": [{"class": "permanent", "equals": 1}]},
         ["/settings/errors/0/pointer", "/settings/errors/0"]),
        ({"errors": [{"class": "nope", "status": 400}]}, ["/settings/errors/0/class"]),
        ({"errors": [{"class": "permanent", "status": 400, "wait_pointer": "/w"}]},
         ["/settings/errors/0/wait_pointer"]),
        ({"code": "~2"}, ["/settings/code"]),
        ({"callbacks": {**JSON_GATEWAY["callbacks"], "statuses": {}}},
         ["/settings/callbacks/statuses"]),
        ({"callbacks": {**JSON_GATEWAY["callbacks"], "statuses": {"a": "b"}}},
         ["/settings/callbacks/statuses/a"]),
        ({"callbacks": {**JSON_GATEWAY["callbacks"], "id": "", "ref": ""}},
         ["/settings/callbacks"]),
        ({"callbacks": {**JSON_GATEWAY["callbacks"], "form": "query"}},
         ["/settings/callbacks/verification/kind"]),
        ({"callbacks": {**JSON_GATEWAY["callbacks"], "verification": {"kind": "header"}}},
         ["/settings/callbacks/verification/name"]),
        ({"token": "x"}, ["/settings/token"]),
    ],
)  # fmt: skip
def test_each_mistake_is_pointed_to(changes: dict[str, Any], pointers: list[str]) -> None:
    secrets = {"token": "t0ken", "callback_secret": "s"}
    found = check_account(account({**JSON_GATEWAY, **changes}, secrets), None)
    assert [each.pointer for each in found] == pointers
    assert all(each.hint for each in found)


@pytest.mark.parametrize("described", [JSON_GATEWAY, TEXT_GATEWAY])
def test_a_secret_that_the_settings_use_has_to_be_there(described: dict[str, Any]) -> None:
    found = check_account(account(described, {}), None)
    wanted = {"/secrets/callback_secret"}
    wanted.add("/secrets/token" if described is JSON_GATEWAY else "/secrets/password")
    assert {each.pointer for each in found} == wanted
