"""What rendering ends in: the parts of a message, or a problem that says where it went wrong."""

import re
from typing import Any

from msgspec import Struct

from core.contract.pointers import FieldProblem, escape
from core.contract.problems import ProblemError, problem
from core.templates.data_schema import DataSchema
from core.templates.html_text import text_of
from core.templates.language import Part, RenderFault
from core.templates.link import CompiledBody
from core.templates.meter import Content

# All that some reader of a header takes for the end of a line, and other control characters.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Rendered(Struct, frozen=True, gc=False):
    """What is sent; parts that the channel or the template does not have are empty."""

    template: str
    version: int
    locale: str
    text: str = ""
    subject: str = ""
    html: str = ""


def render_body(
    name: str, version: int, channel: str, body: CompiledBody, data: dict[str, Any]
) -> Rendered:
    """The body with this data. An e-mail of HTML only gets a text that is made from that.

    Raises ProblemError `template_failed`.
    """
    where = f"template `{name}` ({channel}, {body.locale})" if body.locale else f"template `{name}`"
    if body.fault:
        detail = f"{where}: {body.fault}"
        hint = "Correct the template, or send over a channel that it has."
        raise problem("template_failed", detail, errors=[FieldProblem("/template", detail, hint)])
    which = "text"
    try:
        text = _in_layout(body.text, body.text_layout, data)
        which = "subject"
        subject = single_line(body.subject.render(data)) if body.subject else ""
        which = "html"
        html = _in_layout(body.html, body.html_layout, data)
    except RenderFault as fault:
        raise explained(where, which, fault) from None
    if body.html is not None and body.text is None:
        text = text_of(html)
    return Rendered(name, version, body.locale, text, subject, html)


def check_data(name: str, schema: DataSchema, data: dict[str, Any]) -> None:
    """Raise ProblemError `template_data_invalid` where the data breaks the schema."""
    found = schema.findings(data)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        detail = f"template `{name}`: {found[0].pointer}: {found[0].detail}{more}"
        raise problem("template_data_invalid", detail, errors=found)


def _in_layout(part: Part | None, layout: Part | None, data: dict[str, Any]) -> str:
    if part is None:
        return ""
    text = part.render(data)
    if layout is None:
        return text
    try:
        return layout.render({**data, "content": Content(text)})
    except RenderFault as fault:
        fault.partial = fault.partial or "layout"
        raise


def explained(where: str, which: str, fault: RenderFault) -> ProblemError:
    """The problem for the caller: where in the template, and which value of the data is at fault.

    Values never stand in it, for problems are logged.
    """
    partial = f", in `{fault.partial}`" if fault.partial else ""
    detail = f"{where}, {which}{partial}, line {fault.line}: {fault.detail}"
    pointer, hint = "/template", "Correct the template, or the data that it is given."
    if fault.missing:
        path = fault.missing.replace("[", ".").replace("]", "").replace("'", "").split(".")
        pointer = "/data" + "".join(f"/{escape(step)}" for step in path)
        hint = f"Give it (null, if it may be empty), or write `{fault.missing} | default: ...`."
    return problem("template_failed", detail, errors=[FieldProblem(pointer, detail, hint)])


def single_line(text: str) -> str:
    """The text on one line: what would end a header's line becomes a space."""
    return _BREAKS.sub(" ", text).strip()
