"""What is wrong with a template, before it is stored.

`check_template` compiles each part and returns all findings with a JSON pointer to the part; an
empty list means that whatever is rendered later can only fail over its data. Large templates take
tens of milliseconds: call it from a worker thread.
"""

from core.contract.pointers import FieldProblem, escape
from core.contract.resources import TemplateBody, TemplateIn
from core.templates.language import FILTERS, Language
from core.templates.locales import normal
from core.templates.scan import SourceFault

BODIES_MAX = 200
SUBJECT_BYTES_MAX = 2000


def check_template(template: TemplateIn, text: Language, html: Language) -> list[FieldProblem]:
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
            found += _check_shape(place, channel, body)
            found += _check_part(f"{place}/text", body.text, text)
            found += _check_part(f"{place}/subject", body.subject, text)
            found += _check_part(f"{place}/html", body.html, html)
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


def _check_shape(pointer: str, channel: str, body: TemplateBody) -> list[FieldProblem]:
    """Which parts a channel needs, and which it has no use for."""
    found = []
    if channel == "sms":
        if body.text is None:
            found.append(FieldProblem(f"{pointer}/text", "missing field", "Add `text`."))
        for name in ("subject", "html"):
            if getattr(body, name) is not None:
                detail = f"a text message has no {name}"
                found.append(FieldProblem(f"{pointer}/{name}", detail, "Leave it out."))
    else:
        if body.subject is None:
            found.append(FieldProblem(f"{pointer}/subject", "missing field", "Add `subject`."))
        if body.text is None and body.html is None:
            hint = "Add `text`, `html` or both."
            found.append(FieldProblem(pointer, "neither `text` nor `html`", hint))
    if body.subject is not None:
        if len(body.subject.splitlines()) > 1:
            detail = "a subject has one line"
            found.append(FieldProblem(f"{pointer}/subject", detail, "Take out the line break."))
        elif len(body.subject.encode()) > SUBJECT_BYTES_MAX:
            detail = f"the subject is longer than {SUBJECT_BYTES_MAX} bytes"
            found.append(FieldProblem(f"{pointer}/subject", detail, "Shorten it."))
    return found


def _check_part(pointer: str, source: str | None, language: Language) -> list[FieldProblem]:
    if source is None:
        return []
    try:
        language.compile(source)
    except SourceFault as fault:
        hint = "Templates are written in Liquid, without includes."
        if "filter" in fault.detail:
            hint = f"The filters are: {', '.join(sorted(FILTERS))}."
        return [FieldProblem(pointer, f"line {fault.line}: {fault.detail}", hint)]
    return []
