"""Drafts and versions of templates over HTTP: publish, list, compare, roll back.

Published versions never change. The draft has a version of its own as ETag; If-Match on publishing
is about the draft, on everything that changes what is in force otherwise about the template.
"""

import asyncio
import contextlib

from aiohttp import web

from core.api.internal_auth import caller_of
from core.api.template_shown import draft_shown, move_shown, version_brief, version_shown
from core.api.template_work import TemplateWork
from core.api.wire import answer, cut, expected_version, missing, page_asked, read_body
from core.contract.keys import TEMPLATES
from core.contract.pointers import FieldProblem
from core.contract.problems import ProblemError, invalid
from core.contract.templates import DiffOut, PublishIn, RollbackIn, VersionPage
from core.templates.diff import changes
from core.templates.store import NoSuchVersion
from core.templates.versions import Published
from sync.store.entities import StaleVersion

_DIGITS_MAX = 9


def routes(work: TemplateWork) -> list[web.RouteDef]:
    """The handlers of drafts and versions."""
    versions = _Versions(work)
    one = "/v1/templates/{name}"
    return [
        web.get(f"{one}/draft", versions.draft, allow_head=False),
        web.delete(f"{one}/draft", versions.drop),
        web.post(f"{one}/publish", versions.publish),
        web.get(f"{one}/versions", versions.list, allow_head=False),
        web.get(f"{one}/versions/{{version}}", versions.version, allow_head=False),
        web.post(f"{one}/rollback", versions.rollback),
        web.get(f"{one}/diff", versions.diff, allow_head=False),
    ]


class _Versions:
    def __init__(self, work: TemplateWork) -> None:
        self._work = work
        self._deps = work.deps

    async def draft(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        found = await self._work.drafts.get(caller.tenant, name)
        if found is None:
            raise missing("draft of a template", name)
        return answer(draft_shown(found), version=found.version)

    async def drop(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        found = await self._work.drafts.get(caller.tenant, name)
        expect = expected_version(request, found.version if found else 0)
        if not await self._work.drafts.drop(caller.tenant, name, expect):
            raise missing("draft of a template", name)
        return web.Response(status=204)

    async def publish(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        given = PublishIn()
        if request.body_exists:
            given = await read_body(request, PublishIn, self._deps.limits)
        stamp = self._work.stamp(caller)
        if given.from_ == "in_force":
            current = await self._deps.templates.get(caller.tenant, name)
            expect = expected_version(request, current.revision if current else 0)
            if current is None:
                raise missing("template", name)
            # Without a condition too: content that was read here must not undo a later change.
            stored = await self._work.publisher.publish(
                caller.tenant, current.template, expect or current.revision, stamp
            )
            return await self._work.changed(caller, stored)
        draft = await self._work.drafts.get(caller.tenant, name)
        expected_version(request, draft.version if draft else 0)
        if draft is None:
            raise missing("draft of a template", name)
        stored = await self._work.publisher.publish(caller.tenant, draft.template, None, stamp)
        # Where somebody saved the next draft meanwhile, it is theirs.
        with contextlib.suppress(StaleVersion):
            await self._work.drafts.drop(caller.tenant, name, draft.version)
        return await self._work.changed(caller, stored)

    async def list(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        asked = page_asked(request, self._deps.limits)
        after = int(asked.after) if _is_number(asked.after) else 0
        templates = self._deps.templates
        current = await templates.get(caller.tenant, name)
        found = await templates.versions(caller.tenant, name, after, asked.limit + 1)
        if current is None and not found and not after:
            raise missing("template", name)
        page, cursor = cut(found, asked, lambda one: str(one[0]))
        effective = current.version if current else 0
        data = [version_brief(number, content, effective) for number, content in page]
        moves = current.moves if current else []
        return answer(VersionPage(cursor, data, [move_shown(move) for move in moves]))

    async def version(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name, text = request.match_info["name"], request.match_info["version"]
        number = int(text) if _is_number(text) else 0
        found = await self._deps.templates.published(caller.tenant, name, number)
        if found is None:
            raise missing(f"version {text} of a template", name)
        current = await self._deps.templates.get(caller.tenant, name)
        return answer(version_shown(number, found, current.version if current else 0))

    async def rollback(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        given = await read_body(request, RollbackIn, self._deps.limits)
        templates, version = self._deps.templates, given.version
        current = await templates.get(caller.tenant, name)
        expect = expected_version(request, current.revision if current else 0)
        if current is None:
            raise missing("template", name)
        wanted = await templates.published(caller.tenant, name, version)
        if wanted is None:
            raise _no_version("/version", version, current.latest)
        # The rules may be stricter than they were when it was published.
        await self._work.publisher.check(wanted.template, wanted.pins)
        stamp = self._work.stamp(caller)
        try:
            stored = await templates.rollback(caller.tenant, name, version, expect, stamp)
        except NoSuchVersion as error:
            raise _no_version("/version", version, error.latest) from None
        if stored is None:
            raise missing("template", name)
        return await self._work.changed(caller, stored)

    async def diff(self, request: web.Request) -> web.Response:
        """From `from` (left out: the version in force) to `to` (left out: the draft)."""
        caller = caller_of(request, TEMPLATES)
        name = request.match_info["name"]
        for parameter in request.query:
            if parameter not in ("from", "to"):
                detail = f"unknown parameter `{parameter}` in the query"
                raise invalid([FieldProblem("", detail, "Known here: from, to.")])
        current = await self._deps.templates.get(caller.tenant, name)
        in_force = str(current.version) if current else ""
        from_ = request.query.get("from", in_force)
        to = request.query.get("to", "draft")
        before = await self._side(caller.tenant, name, "from", from_)
        after = await self._side(caller.tenant, name, "to", to)
        pinned = "draft" not in (from_, to)
        found = await asyncio.to_thread(changes, before, after, pinned)
        return answer(DiffOut(name, from_, to, found))

    async def _side(self, tenant: str, name: str, parameter: str, text: str) -> Published:
        if text == "draft":
            draft = await self._work.drafts.get(tenant, name)
            if draft is None:
                raise missing("draft of a template", name)
            return Published(draft.template)
        if not text:
            raise missing("published template", name)
        if not _is_number(text):
            detail = f"`{parameter}` in the query is no version"
            raise invalid([FieldProblem("", detail, "Write its number, or `draft`.")])
        found = await self._deps.templates.published(tenant, name, int(text))
        if found is None:
            raise missing(f"version {text} of a template", name)
        return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _no_version(pointer: str, version: int, latest: int) -> ProblemError:
    hint = f"The latest is {latest}; GET .../versions lists them."
    return invalid([FieldProblem(pointer, f"there is no version {version}", hint)])
