"""Previews of templates over HTTP: what each channel would get, how many parts, at what price."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from msgspec.structs import replace

from core.api.internal_auth import caller_of
from core.api.template_work import TemplateWork
from core.api.wire import answer, checked_name, missing, read_body
from core.contract.keys import TEMPLATES
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.requests import TemplateName
from core.contract.templates import (
    ChannelPreview,
    PreviewIn,
    PreviewOut,
    PriceOut,
    TemplateIn,
)
from core.templates.preview import parts_of, preview
from core.templates.versions import Pins

_PREVIEWS_AT_ONCE = 2


def routes(
    work: TemplateWork, prices: Callable[[str, str], list[tuple[str, float]]]
) -> list[web.RouteDef]:
    """The handler of previews."""
    return [web.post("/v1/templates/{name}/preview", _Previews(work, prices).preview)]


class _Previews:
    def __init__(
        self, work: TemplateWork, prices: Callable[[str, str], list[tuple[str, float]]]
    ) -> None:
        self._work = work
        self._deps = work.deps
        self._prices = prices
        # Rendering takes a processor; a few at once leave it to the messages.
        self._running = asyncio.Semaphore(_PREVIEWS_AT_ONCE)

    async def preview(self, request: web.Request) -> web.Response:
        caller = caller_of(request, TEMPLATES)
        name = checked_name(request.match_info["name"], TemplateName, "/name")
        asked = await read_body(request, PreviewIn, self._deps.limits)
        _check_choice(asked)
        template, version, pins = await self._content(caller.tenant, name, asked)
        renderer = self._deps.renderer
        async with self._running:
            done = await asyncio.to_thread(
                preview, template, version, renderer.linker(pins), asked, renderer.limits
            )
        channels = [self._priced(each, asked.to or "") for each in done.channels]
        made = PreviewOut(
            name=name, version=version, channels=channels, data_errors=done.data_errors
        )
        return answer(made)

    async def _content(
        self, tenant: str, name: str, asked: PreviewIn
    ) -> tuple[TemplateIn, int, Pins]:
        """What is rendered, its published version or 0, its partials and layouts."""
        publisher, templates = self._work.publisher, self._deps.templates
        if asked.version is not None:
            published = await templates.published(tenant, name, asked.version)
            if published is None:
                raise missing(f"version {asked.version} of a template", name)
            template, version, pins = published.template, asked.version, published.pins
        elif asked.draft:
            draft = await self._work.drafts.get(tenant, name)
            if draft is None:
                raise missing("draft of a template", name)
            template, version, pins = draft.template, 0, {}
        else:
            current = await templates.get(tenant, name)
            if asked.bodies is not None:
                known = current.template.default_locale if current else "en"
                locale = asked.default_locale or known
                kind = current.template.kind if current else "message"
                template = TemplateIn(name, asked.bodies, locale, kind, asked.schema)
                await publisher.check(template)
                version, pins = 0, {}
            elif current is None:
                raise missing("published template", name)
            else:
                template, version, pins = current.template, current.version, current.pins
        if not version or template.kind != "message":
            pins = await publisher.pins_of(tenant, template)
        return template, version, pins

    def _priced(self, shown: ChannelPreview, country: str) -> ChannelPreview:
        if shown.errors:
            return shown
        parts = parts_of(shown.sms)
        prices = [
            PriceOut(account, amount, round(amount * parts, 6))
            for account, amount in self._prices(shown.channel, country)
        ]
        return replace(shown, prices=prices)


def _check_choice(asked: PreviewIn) -> None:
    chosen = [
        name
        for name, given in (
            ("version", asked.version is not None),
            ("draft", asked.draft),
            ("bodies", asked.bodies is not None),
        )
        if given
    ]
    if len(chosen) > 1:
        detail = f"`{chosen[0]}` and `{chosen[1]}` exclude each other"
        raise invalid([FieldProblem(f"/{chosen[1]}", detail, "Leave one of them out.")])
    for name in ("schema", "default_locale"):
        if getattr(asked, name) is not None and asked.bodies is None:
            detail = f"`{name}` goes with `bodies`"
            raise invalid([FieldProblem(f"/{name}", detail, "Add `bodies`, or leave it out.")])
