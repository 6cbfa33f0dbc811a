"""What is wrong with a template, before it is stored.

`check_template` compiles each part and returns all findings with a JSON pointer to the part; an
empty list means that whatever is rendered later can only fail over its data. With a linker it also
looks at the partials and layouts that are named. Large templates take tens of milliseconds: call it
from a worker thread.
"""

import re

from core.contract.pointers import FieldProblem, escape
from core.contract.sections.core import TemplatesSettings
from core.contract.templates import TemplateBody, TemplateIn
from core.templates.data_schema import SchemaFault, compile_schema
from core.templates.language import FILTERS, Language
from core.templates.link import BodyFault, Linker
from core.templates.locales import normal
from core.templates.scan import SourceFault

BODIES_MAX = 200
SUBJECT_BYTES_MAX = 2000
_CONTENT = re.compile(r"\{\{-?\s*content\s*-?\}\}")


def check_template(
    template: TemplateIn,
    text: Language,
    html: Language,
    linker: Linker | None = None,
    limits: TemplatesSettings | None = None,
) -> list[FieldProblem]:
    """All that is wrong with it; `text` and `html` are the languages that will render it."""
    found: list[FieldProblem] = []
    count = sum(len(locales) for locales in template.bodies.values())
    if count > BODIES_MAX:
        hint = "Divide it into several templates."
        return [FieldProblem("/bodies", f"{count} bodies are more than {BODIES_MAX}", hint)]
    for channel, locales in template.bodies.items():
        pointer = f"/bodies/{channel}"
        found += _check_locales(pointer, list(locales), template.default_locale)
        for locale, body in locales.items():
            place = f"{pointer}/{escape(locale)}"
            found += _check_shape(place, channel, body, template.kind)
            found += _check_part(f"{place}/text", body.text, text)
            found += _check_part(f"{place}/subject", body.subject, text)
            found += _check_part(f"{place}/html", body.html, html)
    found += _check_schema(template, limits or TemplatesSettings())
    if not found and linker is not None:
        found += _check_links(template, linker)
    return found


def _check_locales(pointer: str, locales: list[str], default: str) -> list[FieldProblem]:
    if not locales:
        return [FieldProblem(pointer, "no body for any locale", f"Add a body for `{default}`.")]
    found = []
    known: set[str] = set()
    for locale in locales:
        if normal(locale) in known:
            hint = "Keep one of them."
            detail = f"`{locale}` is there twice, in another notation"
            found.append(FieldProblem(f"{pointer}/{escape(locale)}", detail, hint))
        known.add(normal(locale))
    if normal(default) not in known:
        detail = f"no body for the default locale `{default}`, which stands in for missing ones"
        hint = f"Add it, or set `default_locale` to one of: {', '.join(sorted(locales))}."
        found.append(FieldProblem(pointer, detail, hint))
    return found


def _check_shape(pointer: str, channel: str, body: TemplateBody, kind: str) -> list[FieldProblem]:
    """Which parts a channel needs, and which it has no use for."""
    found = []
    unused: tuple[str, ...] = ()
    if channel != "email":
        thing = {"sms": "a text message", "webhook": "a webhook"}[channel]
        unused = ("subject", "html", "layout")
        if body.text is None:
            found.append(FieldProblem(f"{pointer}/text", "missing field", "Add `text`."))
    else:
        thing = f"a {kind}"
        unused = () if kind == "message" else ("subject", "layout")
        if body.subject is None and kind == "message":
            found.append(FieldProblem(f"{pointer}/subject", "missing field", "Add `subject`."))
        if body.text is None and body.html is None:
            hint = "Add `text`, `html` or both."
            found.append(FieldProblem(pointer, "neither `text` nor `html`", hint))
    for name in unused:
        if getattr(body, name) is not None:
            detail = f"{thing} has no {name}"
            found.append(FieldProblem(f"{pointer}/{name}", detail, "Leave it out."))
    if kind == "layout":
        found += _check_layout(pointer, channel, body)
    return found + _check_subject(pointer, body.subject)


def _check_subject(pointer: str, subject: str | None) -> list[FieldProblem]:
    if subject is not None and len(subject.splitlines()) > 1:
        detail = "a subject has one line"
        return [FieldProblem(f"{pointer}/subject", detail, "Take out the line break.")]
    if subject is not None and len(subject.encode()) > SUBJECT_BYTES_MAX:
        detail = f"the subject is longer than {SUBJECT_BYTES_MAX} bytes"
        return [FieldProblem(f"{pointer}/subject", detail, "Shorten it.")]
    return []


def _check_layout(pointer: str, channel: str, body: TemplateBody) -> list[FieldProblem]:
    if channel != "email":
        detail = "layouts are for e-mail"
        return [FieldProblem(pointer, detail, "Use a template of kind `partial`.")]
    return [
        FieldProblem(
            f"{pointer}/{name}",
            "the layout has no place for what it stands around",
            "Write {{ content }} where that belongs.",
        )
        for name in ("text", "html")
        if (source := getattr(body, name)) is not None and not _CONTENT.search(source)
    ]


def _check_part(pointer: str, source: str | None, language: Language) -> list[FieldProblem]:
    if source is None:
        return []
    try:
        language.compile(source)
    except SourceFault as fault:
        return [_source_finding(pointer, fault)]
    return []


def _check_schema(template: TemplateIn, limits: TemplatesSettings) -> list[FieldProblem]:
    if template.schema is None:
        return []
    if template.kind != "message":
        detail = f"a {template.kind} has no schema; its users have"
        return [FieldProblem("/schema", detail, "Leave it out.")]
    try:
        compile_schema(template.schema, limits)
    except SchemaFault as fault:
        return [FieldProblem(f"/schema{fault.pointer}", fault.detail, fault.hint)]
    return []


def _check_links(template: TemplateIn, linker: Linker) -> list[FieldProblem]:
    """Partials and layouts; everything else was found to be right before."""
    found = []
    for channel, locales in template.bodies.items():
        for locale, body in locales.items():
            try:
                linker.body(channel, locale, body)
            except BodyFault as fault:
                place = f"/bodies/{channel}/{escape(locale)}/{fault.part}"
                found.append(_link_finding(place, fault))
    return found


def _source_finding(pointer: str, fault: SourceFault) -> FieldProblem:
    hint = 'Templates are written in Liquid; other templates come in with {% render "name" %}.'
    if "filter" in fault.detail:
        hint = f"The filters are: {', '.join(sorted(FILTERS))}."
    return FieldProblem(pointer, f"line {fault.line}: {fault.detail}", hint)


def _link_finding(pointer: str, fault: BodyFault) -> FieldProblem:
    detail = fault.fault.detail
    if fault.part != "layout":
        detail = f"line {fault.fault.line}: {detail}"
    if "circle" in detail or "in each other" in detail:
        hint = "Take one of these `render` tags out."
    elif "no published" in detail:
        hint = "Publish one of this name first, or correct the name."
    elif " has no " in detail:
        hint = "Add it there and publish that first."
    else:
        hint = "Correct it there, publish that, then publish this again."
    return FieldProblem(pointer, detail, hint)
