"""What is wrong with the description of a gateway, found when the account is written. Pure.

msgspec has checked each field by itself; here is what fields mean together, with a pointer into
the request and a hint. Values of secrets are never looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from core.contract.pointers import FieldProblem, escape
from core.providers.http_gateway.pointer import POINTER, WANTED
from core.providers.http_gateway.settings import Callbacks, ErrorRule, HttpGatewaySettings
from core.providers.http_gateway.template import (
    DEPTH_MAX,
    NAMES,
    SECRETS,
    TemplateError,
)
from core.providers.http_gateway.template import check as check_template
from core.providers.http_places import address_problem

_NAMES_HINT = "Known are: " + ", ".join(f"{{{name}}}" for name in sorted(NAMES)) + "."
_POINTER_HINT = 'Write a JSON pointer such as "/data/0/id".'


def problems(
    settings: HttpGatewaySettings, secrets: Mapping[str, str | None]
) -> list[FieldProblem]:
    """All that is wrong; `secrets` are those that the account will have."""
    used: set[str] = set()
    found = [
        *_url(settings, used),
        *_fields(settings, used),
        *_headers(settings, used),
        *_auth(settings, used),
        *_answers(settings),
    ]
    if settings.callbacks is not None:
        found += _callbacks(settings.callbacks, used)
    for name in sorted(used & SECRETS - secrets.keys()):
        hint = "Give it under `secrets`; the settings use it."
        found.append(FieldProblem(f"/secrets/{name}", "the secret is missing", hint))
    return found


def _url(settings: HttpGatewaySettings, used: set[str]) -> Iterator[FieldProblem]:
    pointer, url = "/settings/url", settings.url
    yield from _template(pointer, url, used)
    place = url.partition("?")[0]
    host = "/".join(place.split("/")[:3])
    if "{" in host:
        hint = "Use placeholders after the host only."
        yield FieldProblem(pointer, "a placeholder would choose the host", hint)
        return
    wrong = address_problem(pointer, url, allow_http=settings.allow_http)
    if wrong is not None:
        yield wrong
    elif settings.body == "query" and urlsplit(url).query:
        detail = "`fields` make the query, and the address has one already"
        yield FieldProblem(pointer, detail, "Move what it holds into `fields`.")


def _fields(settings: HttpGatewaySettings, used: set[str]) -> Iterator[FieldProblem]:
    if settings.method == "GET" and settings.body != "query":
        detail = f"a GET has no body, so `{settings.body}` cannot be sent"
        yield FieldProblem("/settings/body", detail, 'Use "query", or another method.')
    before = set(used)
    for name, value in settings.fields.items():
        pointer = f"/settings/fields/{escape(name)}"
        if settings.body != "json" and not isinstance(value, str):
            hint = "Write it as a string, or use a JSON body."
            yield FieldProblem(pointer, f"a {settings.body} has texts only", hint)
        else:
            yield from _value(pointer, value, used, DEPTH_MAX)
    if not ({"to", "to_digits"} & used):
        hint = "Put {to} or {to_digits} into one of the fields."
        yield FieldProblem("/settings/fields", "the recipient stands nowhere", hint)
    if "text" not in used - before:
        hint = "Put {text} into one of the fields."
        yield FieldProblem("/settings/fields", "the text stands nowhere", hint)


def _value(pointer: str, value: Any, used: set[str], depth: int) -> Iterator[FieldProblem]:
    if isinstance(value, str):
        yield from _template(pointer, value, used)
    elif isinstance(value, (dict, list)):
        if not depth:
            hint = f"Use at most {DEPTH_MAX} levels."
            yield FieldProblem(pointer, "nested too deeply", hint)
            return
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in inner:
            yield from _value(f"{pointer}/{escape(str(name))}", each, used, depth - 1)


def _headers(settings: HttpGatewaySettings, used: set[str]) -> Iterator[FieldProblem]:
    for name, text in settings.headers.items():
        pointer = f"/settings/headers/{escape(name)}"
        if not name or name.lower() in ("host", "content-length", "connection", "authorization"):
            hint = "Use `auth` for credentials; the others are made by the client."
            yield FieldProblem(pointer, "this header cannot be set here", hint)
        if any(ord(letter) < 0x20 or ord(letter) > 0x7E for letter in text):
            yield FieldProblem(pointer, "a header holds plain ASCII", "Leave the others out.")
        yield from _template(pointer, text, used)


def _auth(settings: HttpGatewaySettings, used: set[str]) -> Iterator[FieldProblem]:
    auth = settings.auth
    if auth.kind == "basic":
        used.add("password")
        if not auth.username:
            yield FieldProblem("/settings/auth/username", "it is missing", "Add `username`.")
    elif auth.kind != "none":
        used.add("token")
    if auth.kind == "header" and not auth.header:
        yield FieldProblem("/settings/auth/header", "it is missing", "Name the header.")


def _answers(settings: HttpGatewaySettings) -> Iterator[FieldProblem]:
    success, place = settings.success, settings.id
    if not success.statuses:
        hint = "Name the statuses of success, such as [200]."
        yield FieldProblem("/settings/success/statuses", "there are none", hint)
    yield from _pointer("/settings/success/pointer", success.pointer)
    if bool(success.pointer) != bool(success.values):
        hint = 'Write for example {"pointer": "/Code", "values": ["OK"]}.'
        yield FieldProblem("/settings/success", "`pointer` and `values` go together", hint)
    if success.matches and success.pointer:
        hint = "Use `pointer` for JSON, `matches` for plain text."
        yield FieldProblem("/settings/success/matches", "an answer has one form", hint)
    yield from _pattern("/settings/success/matches", success.matches)
    yield from _pointer("/settings/id/pointer", place.pointer)
    if place.matches and place.pointer:
        hint = "Use `pointer` for JSON, `matches` for plain text."
        yield FieldProblem("/settings/id/matches", "an answer has one form", hint)
    if place.matches and place.matches.count(WANTED) != 1:
        hint = 'Write for example `Success "{id}"`.'
        yield FieldProblem("/settings/id/matches", "{id} has to stand there once", hint)
    else:
        yield from _pattern("/settings/id/matches", place.matches)
    for name in ("code", "detail"):
        yield from _pointer(f"/settings/{name}", getattr(settings, name))
    for index, rule in enumerate(settings.errors):
        yield from _rule(f"/settings/errors/{index}", rule)


def _rule(pointer: str, rule: ErrorRule) -> Iterator[FieldProblem]:
    yield from _pointer(f"{pointer}/pointer", rule.pointer)
    yield from _pointer(f"{pointer}/wait_pointer", rule.wait_pointer)
    values = rule.equals is not None or bool(rule.in_)
    if values and not rule.pointer:
        hint = "Say with `pointer` where the value stands."
        yield FieldProblem(f"{pointer}/pointer", "the rule compares nothing", hint)
    if rule.status is None and not rule.pointer and not rule.matches:
        hint = "Give it a `status`, a `pointer` or `matches`."
        yield FieldProblem(pointer, "the rule fits every answer", hint)
    if rule.wait_pointer and rule.class_ != "throttled":
        hint = "Leave it out, or use the class `throttled`."
        yield FieldProblem(f"{pointer}/wait_pointer", "nothing waits here", hint)
    yield from _pattern(f"{pointer}/matches", rule.matches)


def _callbacks(described: Callbacks, used: set[str]) -> Iterator[FieldProblem]:
    base = "/settings/callbacks"
    for name in ("status", "id", "ref", "code", "reports"):
        yield from _pointer(f"{base}/{name}", getattr(described, name))
    if not described.status:
        yield FieldProblem(f"{base}/status", "it points to the whole report", _POINTER_HINT)
    if not described.statuses:
        hint = 'Write for example {"DELIVRD": "delivered", "UNDELIV": "failed"}.'
        yield FieldProblem(f"{base}/statuses", "no word has a meaning", hint)
    if not (described.id or described.ref or described.ref_query):
        hint = "Set `id`, `ref` or `ref_query`."
        yield FieldProblem(base, "nothing says which message a report is about", hint)
    how = described.verification
    if how.kind != "none":
        used.add("callback_secret")
        if not how.name:
            hint = "Name the header or the query's field."
            yield FieldProblem(f"{base}/verification/name", "it is missing", hint)
    if how.kind == "hmac_sha256" and described.form == "query":
        hint = 'Use the kind "query" with a secret in the address.'
        detail = "a query has no body that could be signed"
        yield FieldProblem(f"{base}/verification/kind", detail, hint)


def _template(pointer: str, text: str, used: set[str]) -> Iterator[FieldProblem]:
    try:
        used |= check_template(text)
    except TemplateError as error:
        yield FieldProblem(pointer, str(error), _NAMES_HINT)


def _pattern(pointer: str, text: str) -> Iterator[FieldProblem]:
    if text.count(WANTED) > 1:
        yield FieldProblem(pointer, "{id} stands twice", "Use `*` for any text.")
    if "**" in text or f"*{WANTED}" in text:
        detail = "nothing says where the text of `*` ends"
        yield FieldProblem(pointer, detail, "Put what stands there behind the `*`.")


def _pointer(pointer: str, text: str) -> Iterator[FieldProblem]:
    if not POINTER.fullmatch(text):
        yield FieldProblem(pointer, "this is no JSON pointer", _POINTER_HINT)
