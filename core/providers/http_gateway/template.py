"""Fields of a request with placeholders: `{to}`, `{text}` and the like. Pure, and no code.

Placeholders are replaced once, by names of a fixed list; what a message puts in is never looked at
for placeholders again. `{{` and `}}` stand for braces. Escaping is the form's business: a JSON
body is made of values, a form or query is percent-encoded as a whole, a part of an address is
percent-encoded by itself.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

NAMES = frozenset(
    {
        *("to", "to_digits", "text", "sender", "ref", "valid_for_s", "coding", "message_class"),
        *("username", "password", "token", "callback_secret"),
    }
)
NUMBERS = frozenset({"valid_for_s"})
SECRETS = frozenset({"password", "token", "callback_secret"})
DEPTH_MAX = 8
_PIECE = re.compile(r"\{\{|\}\}|\{([a-z_]*)\}|[{}]")


class TemplateError(ValueError):
    """A text that is no template; says why."""


def check(text: str) -> set[str]:
    """The placeholders of a text; raises TemplateError where it is none."""
    found = set()
    for piece in _PIECE.finditer(text):
        if piece[0] in ("{{", "}}"):
            continue
        name = piece[1]
        if name is None:
            raise TemplateError("a brace stands alone; write it twice to mean itself")
        if name not in NAMES:
            raise TemplateError(f"there is no placeholder {{{name}}}")
        found.add(name)
    return found


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced."""

    def piece(found: re.Match[str]) -> str:
        name = found[1]
        return found[0][0] if name is None else values[name]

    return _PIECE.sub(piece, text)


def fill_address(url: str, values: Mapping[str, str]) -> str:
    """An address; values are percent-encoded, so that none can leave its place."""
    return fill(url, {name: quote(value, safe="") for name, value in values.items()})


def fill_value(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value; a text that is one placeholder of a number becomes that number."""
    if isinstance(value, str):
        if value[1:-1] in NUMBERS and value == f"{{{value[1:-1]}}}":
            return int(values[value[1:-1]] or 0)
        return fill(value, values)
    if isinstance(value, dict):
        return {name: fill_value(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill_value(inner, values) for inner in value]
    return value
