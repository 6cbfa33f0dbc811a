"""Templates over HTTP: /v1/templates, each tenant its own.

The version is the ETag; If-Match on PUT and DELETE refuses (412) to overwrite what somebody else
changed meanwhile. PUT makes what is not there. A template is checked whole before it is stored.
"""

import asyncio
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from core.api.internal_auth import caller_of
from core.api.wire import (
    ConfigDeps,
    answer,
    checked_name,
    cut,
    expected_version,
    in_force,
    missing,
    page_asked,
    read_body,
)
from core.contract.keys import TEMPLATES
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.contract.requests import Locale, TemplateName
from core.contract.resources import Bodies, TemplateIn, TemplateOut, TemplatePage
from core.templates.check import check_template
from core.templates.store import StoredTemplate
from sync.store.entities import StaleVersion

_CHECKS_AT_ONCE = 2


class _TemplatePut(Struct, frozen=True, forbid_unknown_fields=True):
    """A `TemplateIn` whose name may be left out, for the path has it."""

    bodies: Annotated[Bodies, Meta(min_length=1)]
    name: TemplateName | None = None
    default_locale: Locale = "en"


def routes(deps: ConfigDeps) -> list[web.RouteDef]:
    """The handlers of templates."""
    templates = _Templates(deps)
    one = "/v1/templates/{name}"
    return [
        web.get("/v1/templates", templates.list, allow_head=False),
        web.post("/v1/templates", templates.create),
        web.get(one, templates.get, allow_head=False),
        web.put(one, templates.replace),
        web.delete(one, templates.delete),
    ]


class _Templates:
    def __init__(self, deps: ConfigDeps) -> None:
        self._deps = deps
        # Checking compiles; a few at once leave the processor to the messages.
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def list(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        asked = page_asked(request, self._deps.limits)
        found = await self._deps.templates.list(caller.tenant, asked.after, asked.limit + 1)
        page, cursor = cut(found, asked, lambda one: one.template.name)
        return answer(TemplatePage(cursor, [_shown(one) for one in page]))

    async def create(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        template = await read_body(request, TemplateIn, self._deps.limits)
        try:
            return await self._store(caller.tenant, template, 0, 201)
        except StaleVersion:
            detail = f"There is a template `{template.name}` already; replace it with PUT."
            raise problem("already_exists", detail) from None

    async def get(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        found = await self._deps.templates.get(caller.tenant, name)
        if found is None:
            raise missing("template", name)
        return answer(_shown(found), version=found.version)

    async def replace(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = checked_name(request.match_info["name"], TemplateName, "/name")
        given = await read_body(request, _TemplatePut, self._deps.limits)
        if given.name not in (None, name):
            hint = f"Write `{name}`, or leave it out."
            raise invalid([FieldProblem("/name", "not the name in the path", hint)])
        template = TemplateIn(name, given.bodies, given.default_locale)
        current = await self._deps.templates.get(caller.tenant, name)
        expect = expected_version(request, current.version if current else 0)
        return await self._store(caller.tenant, template, expect, 200)

    async def delete(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        current = await self._deps.templates.get(caller.tenant, name)
        expect = expected_version(request, current.version if current else 0)
        if not await self._deps.templates.delete(caller.tenant, name, expect):
            raise missing("template", name)
        await in_force(self._deps)
        return web.Response(status=204)

    async def _store(
        self, tenant: str, template: TemplateIn, expect: int | None, status: int
    ) -> web.Response:
        renderer = self._deps.renderer
        async with self._checks:
            found = await asyncio.to_thread(
                check_template, template, renderer.text_language, renderer.html_language
            )
        if found:
            raise invalid(found)
        version = await self._deps.templates.put(tenant, template, expect)
        # What was answered is in force here at once, and in other processes with their next poll.
        await in_force(self._deps)
        return answer(_out(template, version), status, version)


def _shown(found: StoredTemplate) -> TemplateOut:
    return _out(found.template, found.version)


def _out(template: TemplateIn, version: int) -> TemplateOut:
    return TemplateOut(template.name, template.bodies, version, template.default_locale)
