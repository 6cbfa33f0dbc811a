"""A body made ready to be rendered: compiled, with its partials put in and its layout around it.

`Linker(pins, ...)` knows partials and layouts from `pins` alone, in the versions that these have
there, and so never reads anything. `body` answers a `CompiledBody` or raises `BodyFault`, which
says of which part what is wrong: besides the source's own faults a name that is not there or is of
another kind, and partials that stand in each other in a circle or too deep. A linker compiles each
partial once for each locale; keep it as long as its pins.
"""

from typing import Literal

from msgspec import Struct

from core.contract.templates import TemplateBody, TemplateKind
from core.templates.language import Language, Part
from core.templates.locales import chain, normal
from core.templates.scan import SourceFault
from core.templates.versions import Pins

PartName = Literal["text", "subject", "html"]


class CompiledBody(Struct, gc=False):
    """A body ready to be rendered. `fault` says why it cannot be."""

    locale: str
    text: Part | None = None
    subject: Part | None = None
    html: Part | None = None
    text_layout: Part | None = None
    html_layout: Part | None = None
    fault: str = ""


class BodyFault(Exception):  # noqa: N818 - a finding about the author's text
    """`part` of the body (or its `layout`) is wrong; `fault` says how and in which line."""

    def __init__(self, part: str, fault: SourceFault) -> None:
        super().__init__(f"{part}, line {fault.line}: {fault.detail}")
        self.part = part
        self.fault = fault


class Linker:
    """Links the bodies of one template. `used` has the names that were put in so far."""

    def __init__(self, pins: Pins, text: Language, html: Language, depth_max: int) -> None:
        self._pins = pins
        self._text = text
        self._html = html
        self._depth_max = depth_max
        # With each part how many partials stand in each other below it, itself included.
        self._known: dict[tuple[str, str, str, bool], tuple[Part, int]] = {}
        self.used: set[str] = set()

    def body(self, channel: str, locale: str, body: TemplateBody) -> CompiledBody:
        """The body whole; raises `BodyFault`."""
        compiled = CompiledBody(locale)
        compiled.text = self.part(channel, locale, "text", body.text)
        compiled.subject = self.part(channel, locale, "subject", body.subject)
        compiled.html = self.part(channel, locale, "html", body.html)
        if body.layout is not None:
            compiled.html_layout, compiled.text_layout = self.layouts(channel, locale, body)
        return compiled

    def part(self, channel: str, locale: str, which: PartName, source: str | None) -> Part | None:
        """One part of a body; raises `BodyFault`."""
        if source is None:
            return None
        try:
            return self._linked(source, channel, locale, which == "html", ())[0]
        except SourceFault as fault:
            raise BodyFault(which, fault) from None

    def layouts(
        self, channel: str, locale: str, body: TemplateBody
    ) -> tuple[Part | None, Part | None]:
        """The layout's HTML and text for this body; raises `BodyFault`.

        A layout of HTML only is none for the text.
        """
        name = body.layout or ""
        try:
            html = None
            if body.html is not None:
                html, _ = self._named(name, "layout", channel, locale, True, ())
            text = None
            if body.text is not None and (html is None or self._has_text(name, channel, locale)):
                text, _ = self._named(name, "layout", channel, locale, False, ())
        except SourceFault as fault:
            raise BodyFault("layout", fault) from None
        return html, text

    def _linked(
        self, source: str, channel: str, locale: str, is_html: bool, above: tuple[str, ...]
    ) -> tuple[Part, int]:
        part, height = (self._html if is_html else self._text).compile(source), 0
        for place in part.renders:
            try:
                inner, below = self._named(place.name, "partial", channel, locale, is_html, above)
            except SourceFault as fault:
                line = place.token.source.count("\n", 0, place.token.start_index) + 1
                raise SourceFault(line, fault.detail) from None
            place.link(inner.template.nodes)
            height = max(height, below)
        return part, height

    def _named(
        self,
        name: str,
        kind: TemplateKind,
        channel: str,
        locale: str,
        is_html: bool,
        above: tuple[str, ...],
    ) -> tuple[Part, int]:
        """The partial or layout of this name, and its height. The line of its faults is told in
        the detail."""
        if name in above:
            circle = " → ".join([*above[above.index(name) :], name])
            raise SourceFault(1, f"partials stand in each other in a circle: {circle}")
        body = self._body_of(name, kind, channel, locale)
        which = "html" if is_html else "text"
        source = body.html if is_html else body.text
        if source is None:
            raise SourceFault(1, f"the {kind} `{name}` has no {which} for {channel}")
        key = (name, channel, normal(locale), is_html)
        known = self._known.get(key)
        if len(above) + (known[1] if known else 1) > self._depth_max:
            deep = " → ".join([*above, name])
            raise SourceFault(1, f"more than {self._depth_max} partials in each other: {deep}")
        if known is not None:
            return known
        try:
            part, height = self._linked(source, channel, locale, is_html, (*above, name))
        except SourceFault as fault:
            detail = f"{kind} `{name}`, line {fault.line}: {fault.detail}"
            raise SourceFault(1, detail) from None
        self._known[key] = part, height + 1
        return part, height + 1

    def _body_of(self, name: str, kind: TemplateKind, channel: str, locale: str) -> TemplateBody:
        pin = self._pins.get(name)
        if pin is None:
            raise SourceFault(1, f"there is no published {kind} `{name}`")
        if pin.kind != kind:
            raise SourceFault(1, f"`{name}` is a {pin.kind}, not a {kind}")
        self.used.add(name)
        bodies = {
            normal(each): body
            for in_channel, there in pin.bodies.items()
            if in_channel == channel
            for each, body in there.items()
        }
        for tried in chain(locale, pin.default_locale):
            if tried in bodies:
                return bodies[tried]
        raise SourceFault(1, f"the {kind} `{name}` has no body for {channel}")

    def _has_text(self, name: str, channel: str, locale: str) -> bool:
        return self._body_of(name, "layout", channel, locale).text is not None
