"""Templates over HTTP: /v1/templates, each tenant its own.

What is in force changes with PUT at once; with `"publish": false` the content becomes the draft,
which nothing is sent with. The revision is the ETag; If-Match on PUT and DELETE refuses (412) to
overwrite what somebody else changed meanwhile, and is about the draft where the draft is saved. PUT
makes what is not there. A template is checked whole before it is stored.
"""

from collections.abc import Callable

from aiohttp import web

from core.api import template_preview, template_versions
from core.api.internal_auth import Caller, caller_of
from core.api.template_shown import draft_shown, only_drafted, shown
from core.api.template_work import TemplateWork, no_prices
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
from core.clock import Clock, SystemClock
from core.contract.keys import TEMPLATES
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.contract.requests import TemplateName
from core.contract.templates import TemplateCreate, TemplateIn, TemplatePage, TemplateReplace
from sync.store.entities import StaleVersion

Prices = Callable[[str, str], list[tuple[str, float]]]


def routes(
    deps: ConfigDeps, prices: Prices = no_prices, clock: Clock | None = None
) -> list[web.RouteDef]:
    """The handlers of templates.

    `prices(channel, country)` answers what each account would take for one part, by its id; the
    country is two capitals, or empty where it is not known.
    """
    work = TemplateWork(deps, clock or SystemClock())
    templates = _Templates(work)
    one = "/v1/templates/{name}"
    return [
        web.get("/v1/templates", templates.list, allow_head=False),
        web.post("/v1/templates", templates.create),
        web.get(one, templates.get, allow_head=False),
        web.put(one, templates.replace),
        web.delete(one, templates.delete),
        *template_versions.routes(work),
        *template_preview.routes(work, prices),
    ]


class _Templates:
    def __init__(self, work: TemplateWork) -> None:
        self._work = work
        self._deps = work.deps

    async def list(self, request: web.Request) -> web.Response:
        """Templates in force and those that only have a draft, in order of name."""
        caller = caller_of(request, TEMPLATES)
        asked = page_asked(request, self._deps.limits)
        count = asked.limit + 1
        stored = await self._deps.templates.list(caller.tenant, asked.after, count)
        drafts = {
            draft.template.name: draft
            for draft in await self._work.drafts.list(caller.tenant, asked.after, count)
        }
        found = {one.template.name: shown(one, drafts.get(one.template.name)) for one in stored}
        found |= {name: only_drafted(drafts[name]) for name in drafts.keys() - found.keys()}
        first = [found[name] for name in sorted(found)[:count]]
        page, cursor = cut(first, asked, lambda one: one.name)
        return answer(TemplatePage(cursor, page))

    async def create(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        given = await read_body(request, TemplateCreate, self._deps.limits)
        template = TemplateIn(
            given.name, given.bodies, given.default_locale, given.kind, given.schema
        )
        try:
            if given.publish:
                return await self._publish(caller, template, 0, 201)
            if await self._deps.templates.get(caller.tenant, template.name):
                raise StaleVersion(1)
            return await self._save_draft(caller, template, 0, 201)
        except StaleVersion:
            detail = f"There is a template `{template.name}` already; replace it with PUT."
            raise problem("already_exists", detail) from None

    async def get(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        found = await self._deps.templates.get(caller.tenant, name)
        draft = await self._work.drafts.get(caller.tenant, name)
        if found is not None:
            return answer(shown(found, draft), version=found.revision)
        if draft is None:
            raise missing("template", name)
        return answer(only_drafted(draft))

    async def replace(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = checked_name(request.match_info["name"], TemplateName, "/name")
        given = await read_body(request, TemplateReplace, self._deps.limits)
        if given.name not in (None, name):
            hint = f"Write `{name}`, or leave it out."
            raise invalid([FieldProblem("/name", "not the name in the path", hint)])
        template = TemplateIn(name, given.bodies, given.default_locale, given.kind, given.schema)
        if not given.publish:
            draft = await self._work.drafts.get(caller.tenant, name)
            expect = expected_version(request, draft.version if draft else 0)
            return await self._save_draft(caller, template, expect, 200)
        current = await self._deps.templates.get(caller.tenant, name)
        expect = expected_version(request, current.revision if current else 0)
        return await self._publish(caller, template, expect, 200)

    async def delete(self, request: web.Request) -> web.Response:
        """Take the template out of use, and forget its draft."""
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        current = await self._deps.templates.get(caller.tenant, name)
        expect = expected_version(request, current.revision if current else 0)
        deleted = await self._deps.templates.delete(caller.tenant, name, expect)
        dropped = await self._work.drafts.drop(caller.tenant, name, None)
        if not deleted and not dropped:
            raise missing("template", name)
        await in_force(self._deps)
        return web.Response(status=204)

    async def _publish(
        self, caller: Caller, template: TemplateIn, expect: int | None, status: int
    ) -> web.Response:
        stamp = self._work.stamp(caller)
        stored = await self._work.publisher.publish(caller.tenant, template, expect, stamp)
        return await self._work.changed(caller, stored, status)

    async def _save_draft(
        self, caller: Caller, template: TemplateIn, expect: int | None, status: int
    ) -> web.Response:
        await self._work.publisher.check(template)
        current = await self._deps.templates.get(caller.tenant, template.name)
        base = current.version if current else 0
        stamp = self._work.stamp(caller)
        draft = await self._work.drafts.save(caller.tenant, template, stamp, base, expect)
        return answer(draft_shown(draft), status, draft.version)
