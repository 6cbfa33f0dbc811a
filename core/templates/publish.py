"""From content to a version in force: partials looked up, everything checked, then stored.

A message's version keeps the partials and layouts that it uses, at all depths, as they are in force
at that moment; so what is in force never changes under a message, and a partial's change reaches
its users when they are published again. What is wrong is refused with `ProblemError` and pointers
into the content; `StaleVersion` and `StoreError` as in `core.templates.store`.
"""

import asyncio

import msgspec

from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.templates import TemplateIn
from core.templates.check import check_template
from core.templates.render import Renderer
from core.templates.scan import names_rendered
from core.templates.store import TemplateStore
from core.templates.versions import Pin, Pins, Stamp, StoredTemplate

_CHECKS_AT_ONCE = 2


class Publisher:
    """Checks and publishes. Checking compiles: a few at once leave the processor to messages."""

    def __init__(self, store: TemplateStore, renderer: Renderer) -> None:
        self._store = store
        self._renderer = renderer
        self._limits = renderer.limits
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def publish(
        self, tenant: str, template: TemplateIn, expect: int | None, stamp: Stamp
    ) -> StoredTemplate:
        """The content in force, as the next version or as the same where nothing differs."""
        current = await self._store.get(tenant, template.name)
        if current is not None and current.template.kind != template.kind:
            detail = f"`{template.name}` is a {current.template.kind} already"
            hint = "Give it another name, or delete the other first."
            raise invalid([FieldProblem("/kind", detail, hint)])
        pins = await self.pins_of(tenant, template)
        used = await self.check(template, pins)
        kept = {name: pin for name, pin in pins.items() if name in used}
        if template.kind != "message":
            kept = {}
        size = len(msgspec.json.encode((template, kept)))
        if size > self._limits.published_bytes_max:
            limit = self._limits.published_bytes_max
            detail = f"with its partials and layouts it has {size} bytes; {limit} are allowed"
            raise invalid([FieldProblem("/bodies", detail, "Divide it into several templates.")])
        return await self._store.publish(tenant, template, expect, kept, stamp)

    async def check(self, template: TemplateIn, pins: Pins | None = None) -> set[str]:
        """Refuse what is wrong with it; the names that it uses. Without pins partials and layouts
        are not looked at: a draft may be ahead of them."""
        renderer = self._renderer
        linker = None if pins is None else renderer.linker(pins)
        async with self._checks:
            found = await asyncio.to_thread(
                check_template,
                template,
                renderer.text_language,
                renderer.html_language,
                linker,
                self._limits,
            )
        if found:
            raise invalid(found)
        return linker.used if linker else set()

    async def pins_of(self, tenant: str, template: TemplateIn) -> Pins:
        """All partials and layouts that it may use, as they are in force now. What is not there is
        left out; the check says so with its place."""
        pins: Pins = {}
        if template.kind != "message":
            # Seen as its users would see it, so that a circle through itself is found.
            own = Pin(0, template.kind, template.bodies, template.default_locale)
            pins[template.name] = own
        channels = set(template.bodies)
        wanted = _names_in(template)
        looked_up = set(pins)
        while wanted := wanted - looked_up:
            looked_up |= wanted
            if len(looked_up) > self._limits.partials_max:
                detail = f"it uses more than {self._limits.partials_max} partials and layouts"
                raise invalid([FieldProblem("/bodies", detail, "Put some of them together.")])
            found = [await self._store.get(tenant, name) for name in sorted(wanted)]
            wanted = set()
            for each in filter(None, found):
                inner = each.template
                bodies = {name: there for name, there in inner.bodies.items() if name in channels}
                pin = Pin(each.version, inner.kind, bodies, inner.default_locale)
                pins[inner.name] = pin
                if inner.kind != "message":
                    wanted |= _names_in(inner)
        return pins


def _names_in(template: TemplateIn) -> set[str]:
    """The names that stand in it; also those in comments."""
    names: set[str] = set()
    for locales in template.bodies.values():
        for body in locales.values():
            names |= {body.layout} if body.layout else set()
            for source in (body.text, body.subject, body.html):
                names |= names_rendered(source) if source else set()
    return names
