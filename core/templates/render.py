"""From a template and data to the text that is sent.

`Renderer.render` is synchronous and made for the hot path: a body that was compiled before takes
microseconds. Where it is not at hand, `TemplateNotLoaded` is raised; hand it to `load`, which
fetches and compiles, and render again (`render_soon` does both). What cannot be rendered raises
`ProblemError`: `unknown_template`, `template_data_invalid` where the data breaks the template's
schema (before anything is rendered), or `template_failed` with the template, the line, and a
pointer to the value that the data lacks. `load` raises `StoreError` where the store cannot be read.

Compiled bodies are kept until the template changes (`changed`, fed by the entity feed), at most
`cached_max` templates of `cached_bytes_max` source together, the least recently used going first.
That a template does not exist is remembered in the same way.
"""

import asyncio
from typing import Any, cast

from msgspec import Struct

from core.contract.pointers import FieldProblem
from core.contract.problems import problem
from core.contract.requests import ChannelName
from core.contract.sections.core import TemplatesSettings
from core.templates.data_schema import DataSchema, SchemaFault, compile_schema
from core.templates.language import Language
from core.templates.link import BodyFault, CompiledBody, Linker
from core.templates.locales import chain, normal
from core.templates.rendered import Rendered, check_data, render_body
from core.templates.store import TemplateStore, template_id
from core.templates.versions import Pins, StoredTemplate

_INLINE_SOURCE_BYTES = 8192
_RELOADS_MAX = 5


class TemplateNotLoaded(Exception):  # noqa: N818 - a state, not an error
    """The body is not compiled here yet; `Renderer.load` takes this and changes that."""

    def __init__(self, tenant: str, name: str, channel: str, locale: str | None) -> None:
        super().__init__(f"{tenant}/{name} {channel} {locale}")
        self.tenant = tenant
        self.name = name
        self.channel = channel
        self.locale = locale


class _Cached(Struct):
    """A template as it was read, or the knowledge that there is none (`stored` None).

    `locales` has its locales by channel, from normal form to the author's. `compiled` goes by
    channel and normal form; "" stands for "no body for this channel". `schema` is None where the
    data is not checked.
    """

    stored: StoredTemplate | None
    source_bytes: int
    locales: dict[str, dict[str, str]]
    compiled: dict[tuple[str, str], CompiledBody]
    linker: Linker
    schema: DataSchema | None = None

    def choose(self, channel: str, locale: str | None) -> str:
        """The normal form of the locale that serves the recipient's."""
        there = self.locales.get(channel, {})
        default = self.stored.template.default_locale if self.stored else ""
        return next((tried for tried in chain(locale, default) if tried in there), "")


class Renderer:
    """Renders the templates of one store, in one event loop."""

    def __init__(
        self,
        store: TemplateStore,
        limits: TemplatesSettings,
        *,
        cached_bytes_max: int = 32 << 20,
    ) -> None:
        self.text_language = Language(False, limits)
        self.html_language = Language(True, limits)
        self.limits = limits
        self._store = store
        self._cached_max = limits.cached_max
        self._cached_bytes_max = cached_bytes_max
        self._cached: dict[str, _Cached] = {}
        self._cached_bytes = 0
        self._loading: dict[str, asyncio.Future[_Cached]] = {}
        self._changed_while_loading: set[str] = set()

    def render(
        self, tenant: str, name: str, locale: str | None, channel: str, data: dict[str, Any]
    ) -> Rendered:
        """The parts for one recipient; see the module's docstring for what it raises."""
        key = template_id(tenant, name)
        cached = self._cached.pop(key, None)
        if cached is None:
            raise TemplateNotLoaded(tenant, name, channel, locale)
        self._cached[key] = cached  # the most recently used stands last
        stored = cached.stored
        if stored is None:
            detail = f"tenant `{tenant}` has no template `{name}`"
            hint = "Create it with POST /v1/templates, or check its name."
            raise problem(
                "unknown_template", detail, errors=[FieldProblem("/template", detail, hint)]
            )
        body = cached.compiled.get((channel, cached.choose(channel, locale)))
        if body is None:
            raise TemplateNotLoaded(tenant, name, channel, locale)
        if cached.schema is not None:
            check_data(name, cached.schema, data)
        return render_body(name, stored.version, channel, body, data)

    async def load(self, need: TemplateNotLoaded) -> None:
        """Fetch and compile what `render` lacked."""
        key = template_id(need.tenant, need.name)
        cached = self._cached.get(key) or await self._fetch(key, need.tenant, need.name)
        chosen = cached.choose(need.channel, need.locale)
        if cached.stored is None or (need.channel, chosen) in cached.compiled:
            return
        if cached.source_bytes <= _INLINE_SOURCE_BYTES:
            self._compile(cached, cached.stored, need.channel, chosen)
        else:
            await asyncio.to_thread(self._compile, cached, cached.stored, need.channel, chosen)

    async def render_soon(
        self, tenant: str, name: str, locale: str | None, channel: str, data: dict[str, Any]
    ) -> Rendered:
        """`render`, loading what it needs."""
        for _ in range(_RELOADS_MAX):
            try:
                return self.render(tenant, name, locale, channel, data)
            except TemplateNotLoaded as need:
                await self.load(need)
        raise problem("overloaded", f"the template `{name}` changes faster than it can be read")

    def changed(self, key: str) -> None:
        """The template with this entity id changed: its next use fetches it."""
        if key in self._loading:
            self._changed_while_loading.add(key)
        self._forget(key)

    def forget_all(self) -> None:
        """Anything may have changed."""
        self._changed_while_loading.update(self._loading)
        self._cached.clear()
        self._cached_bytes = 0

    def _forget(self, key: str) -> None:
        cached = self._cached.pop(key, None)
        if cached:
            self._cached_bytes -= cached.source_bytes

    async def _fetch(self, key: str, tenant: str, name: str) -> _Cached:
        """The template from the store; callers that come meanwhile share one look-up."""
        running = self._loading.get(key)
        if running is None:
            running = asyncio.ensure_future(self._fetch_alone(key, tenant, name))
            self._loading[key] = running
            running.add_done_callback(lambda done: self._loaded(key, done))
        # One caller that goes away must not take the look-up from the others.
        return await asyncio.shield(running)

    def _loaded(self, key: str, done: "asyncio.Future[_Cached]") -> None:
        self._loading.pop(key, None)
        self._changed_while_loading.discard(key)
        if not done.cancelled():
            done.exception()  # whoever still waits gets it; if nobody does, that is fine

    async def _fetch_alone(self, key: str, tenant: str, name: str) -> _Cached:
        for _ in range(_RELOADS_MAX):
            # What was read before the change was told may be older than the change.
            self._changed_while_loading.discard(key)
            stored = await self._store.get(tenant, name)
            if key not in self._changed_while_loading:
                break
        else:
            raise problem("overloaded", f"the template `{name}` changes faster than it can be read")
        size = stored.source_bytes if stored else len(key)
        bodies = stored.template.bodies if stored else {}
        locales: dict[str, dict[str, str]] = {
            channel: {normal(locale): locale for locale in there}
            for channel, there in bodies.items()
        }
        cached = _Cached(stored, size, locales, {}, self.linker(stored.pins if stored else {}))
        self._forget(key)
        self._cached[key] = cached
        self._cached_bytes += size
        while len(self._cached) > self._cached_max or (
            self._cached_bytes > self._cached_bytes_max and len(self._cached) > 1
        ):
            self._forget(next(iter(self._cached)))
        return cached

    def linker(self, pins: Pins) -> Linker:
        """What puts these partials and layouts into bodies."""
        depth_max = self.limits.partials_depth_max
        return Linker(pins, self.text_language, self.html_language, depth_max)

    def _compile(self, cached: _Cached, stored: StoredTemplate, channel: str, chosen: str) -> None:
        """Make one body ready, and the schema. Both were checked when they were stored; what now
        is wrong was right by the rules of another version."""
        template = stored.template
        locale, compiled = "", CompiledBody("")
        try:
            if template.schema is not None and cached.schema is None:
                cached.schema = compile_schema(template.schema, self.limits)
            if template.kind != "message":
                compiled.fault = f"it is a {template.kind}, which stands in other templates"
            elif not chosen:
                compiled.fault = f"it has no body for channel {channel}"
            else:
                locale = cached.locales[channel][chosen]
                # A channel that the template has is one of the names that its type allows.
                body = template.bodies[cast("ChannelName", channel)][locale]
                compiled = cached.linker.body(channel, locale, body)
        except (BodyFault, SchemaFault) as fault:
            compiled = CompiledBody(locale, fault=str(fault))
        cached.compiled[channel, chosen] = compiled
