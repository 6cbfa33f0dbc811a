"""What rendering ends in: the parts of a message, or a problem that says where it went wrong."""

import re

from msgspec import Struct

from core.contract.pointers import FieldProblem, escape
from core.contract.problems import ProblemError, problem
from core.templates.language import RenderFault

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


def explained(where: str, which: str, fault: RenderFault) -> ProblemError:
    """The problem for the caller: where in the template, and which value of the data is at fault.

    Values never stand in it, for problems are logged.
    """
    detail = f"{where}, {which}, line {fault.line}: {fault.detail}"
    pointer, hint = "/template", "Correct the template, or the data that it is given."
    if fault.missing:
        path = fault.missing.replace("[", ".").replace("]", "").replace("'", "").split(".")
        pointer = "/data" + "".join(f"/{escape(step)}" for step in path)
        hint = f"Give it (null, if it may be empty), or write `{fault.missing} | default: ...`."
    return problem("template_failed", detail, errors=[FieldProblem(pointer, detail, hint)])


def single_line(text: str) -> str:
    """The text on one line: what would end a header's line becomes a space."""
    return _BREAKS.sub(" ", text).strip()
