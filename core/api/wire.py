"""What the handlers of the core's API share: bodies in and out, versions, pages."""

import contextlib
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from core.accounts.service import Accounts
from core.contract.pointers import FieldProblem
from core.contract.problems import decode_json, invalid, problem
from core.contract.sections.core import LimitsSettings
from core.templates.render import Renderer
from core.templates.store import TemplateStore
from core.tenants.keys import KeyService
from sync.store.entities import EntityStore, StaleVersion
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

T = TypeVar("T")

_DEFAULT_LIMIT = 50
_ETAG = re.compile(r'"([0-9]{1,18})"')
_NUMBER = re.compile(r"[0-9]{1,18}")


class ConfigDeps(Struct, frozen=True):
    """What the handlers of keys, templates and provider accounts need.

    `account_state` says how an account at work in this process is doing, "" if it is not.
    """

    entities: EntityStore
    feed: EntityFeed
    keys: KeyService
    templates: TemplateStore
    renderer: Renderer
    accounts: Accounts
    account_state: Callable[[str], str]
    limits: LimitsSettings


class HasFeed(Protocol):
    """Whatever holds the feed of changes."""

    @property
    def feed(self) -> EntityFeed: ...


async def read_body(request: web.Request, kind: type[T], limits: LimitsSettings) -> T:
    """The JSON body as this type; ProblemError with pointer and hint otherwise."""
    if request.content_type != "application/json":
        raise problem("unsupported_media_type", "Send the body as application/json.")
    body = await request.read()
    if len(body) > limits.body_bytes_max:
        raise problem("body_too_large", f"The body is longer than {limits.body_bytes_max} bytes.")
    return decode_json(body, kind, max_depth=limits.json_depth_max)


def checked_name(text: str, kind: Any, pointer: str) -> str:
    """The name in a path, if it is one that a body could have."""
    try:
        return str(msgspec.convert(text, kind))
    except msgspec.ValidationError as error:
        hint = "Use lower-case letters, digits and dashes, at most 64."
        raise invalid([FieldProblem(pointer, str(error), hint)]) from None


async def in_force(deps: HasFeed) -> None:
    """Make a change that was stored known in this process; others poll, and so will this one."""
    with contextlib.suppress(StoreError):
        await deps.feed.poll()


def answer(body: Any, status: int = 200, version: int | None = None) -> web.Response:
    """JSON, with the version as its ETag."""
    headers = {} if version is None else {"ETag": f'"{version}"'}
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )


def expected_version(request: web.Request, current: int) -> int | None:
    """The version that the caller's conditions ask for; None where it sets none.

    `current` is the live version, 0 for none. Raises `StaleVersion` where no condition can hold.
    """
    if_match = request.headers.get("If-Match")
    if if_match is not None:
        versions = {int(found) for found in _ETAG.findall(if_match)}
        if current and (if_match.strip() == "*" or current in versions):
            return current
        raise StaleVersion(current)
    if request.headers.get("If-None-Match", "").strip() == "*":
        if current:
            raise StaleVersion(current)
        return 0
    return None


class PageAsked(Struct, frozen=True):
    """Which part of a list: up to `limit` entries after `after`."""

    after: str
    limit: int


def page_asked(request: web.Request, limits: LimitsSettings) -> PageAsked:
    """From `?limit=` and `?cursor=`; other parameters are refused."""
    query = request.query
    for name in query:
        if name not in ("limit", "cursor"):
            detail = f"unknown parameter `{name}` in the query"
            raise invalid([FieldProblem("", detail, "Known here: limit, cursor.")])
    text = query.get("limit", str(min(_DEFAULT_LIMIT, limits.list_rows_max)))
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= limits.list_rows_max:
        hint = f"Use a number from 1 to {limits.list_rows_max}."
        raise invalid([FieldProblem("", "`limit` in the query is not valid", hint)])
    return PageAsked(query.get("cursor", ""), int(text))


def number_asked(request: web.Request, name: str) -> int:
    """A whole number from the query; 0 where it is not given."""
    text = request.query.get(name, "0")
    if not _NUMBER.fullmatch(text):
        detail = f"`{name}` in the query is not a whole number"
        raise invalid([FieldProblem("", detail, "Use digits only.")])
    return int(text)


def missing(kind: str, name: str) -> Exception:
    """404, saying what is not there."""
    return problem("not_found", f"There is no {kind} `{name}`.")


def cut(
    found: list[T], asked: PageAsked, name_of: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """The page and the cursor of the next one; `found` was asked for with one entry more."""
    page = found[: asked.limit]
    return page, name_of(page[-1]) if len(found) > len(page) else None
