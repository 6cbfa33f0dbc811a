"""Where something stands in an answer or a report: JSON pointers and text patterns. Pure.

A pointer is RFC 6901 ("/data/0/id"); a form or query counts as one object of texts. A pattern is
plain text in which `*` stands for any text, and `{id}` for the part that is wanted:
`Success "{id}"`. It has to fit the whole text, without the white space around it. Patterns take
time proportional to the text, whatever the text is.
"""

import re
from typing import Any

Scalar = str | int | float | bool | None
TEXT_CHARS_MAX = 4_000
POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
WANTED = "{id}"
_MISSING = object()


def find(value: Any, pointer: str) -> Any:
    """What stands there, or `MISSING`."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif isinstance(value, list) and name.isascii() and name.isdigit():
            index = int(name) if len(name) < 10 else len(value)
            value = value[index] if index < len(value) else _MISSING
        else:
            return _MISSING
    return value


def is_missing(value: Any) -> bool:
    """Whether `find` found nothing."""
    return value is _MISSING


def as_text(value: Any) -> str:
    """A scalar as text, "" for what is none: ids come as numbers from some gateways."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return ""


def alike(value: Any, wanted: Scalar) -> bool:
    """Whether they are the same; a number and its text are, for gateways do not agree on that."""
    if value is None or wanted is None:
        return value is wanted
    return not isinstance(value, (dict, list)) and as_text(value) == as_text(wanted)


class Pattern:
    """A pattern, ready to be tried."""

    def __init__(self, written: str) -> None:
        parts = re.split(r"(\*|\{id\})", written.strip())
        shape = []
        for index in range(0, len(parts), 2):
            literal = re.escape(parts[index])
            if index == 0:
                shape.append(literal)
                continue
            last = index == len(parts) - 1
            taken = r"\S*?" if literal or last else r"\S*"
            any_text = f"(?P<id>{taken})" if parts[index - 1] == WANTED else ".*?"
            # What a `*` takes is settled by the first fit of what follows: no way back, so
            # the time stays linear. The last one is tried against the end.
            end = r"\Z" if last else ""
            shape.append(f"(?>{any_text}{literal}{end})")
        self._shape = re.compile("".join(shape) + r"\Z", re.DOTALL)

    def fits(self, text: str) -> bool:
        """Whether the whole text has this form."""
        return self._shape.match(text[:TEXT_CHARS_MAX].strip()) is not None

    def wanted(self, text: str) -> str:
        """What stands at `{id}`, "" where the pattern does not fit."""
        found = self._shape.match(text[:TEXT_CHARS_MAX].strip())
        return found["id"] if found else ""
