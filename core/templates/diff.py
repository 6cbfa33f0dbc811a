"""What differs between two contents of a template: each part of each body, each other field. Pure.

Texts are compared line by line. Two long texts with nothing in common would take long to compare:
what is left of them without common beginning and end is then shown as replaced whole.
"""

import difflib
from typing import Any, Literal

from core.contract.pointers import escape
from core.contract.templates import Change, TemplateIn
from core.templates.versions import Pins, Published

_PARTS = ("text", "subject", "html", "layout")
_CONTEXT_LINES = 3
# Lines of one times lines of the other, compared within tens of milliseconds.
_COMPARED_MAX = 1_000_000


def changes(before: Published, after: Published, pinned: bool = True) -> list[Change]:
    """All differences in order of their pointers; none where both are the same. Without `pinned`
    the versions of partials are passed over: a draft has none yet."""
    old, new = _flat(before.template), _flat(after.template)
    if pinned:
        old |= _used(before.pins)
        new |= _used(after.pins)
    found = []
    for pointer in sorted(old.keys() | new.keys()):
        was, now = old.get(pointer), new.get(pointer)
        if was == now:
            continue
        what: Literal["added", "removed", "changed"] = "changed"
        if was is None:
            what = "added"
        elif now is None:
            what = "removed"
        if pointer.startswith("/bodies/") and not pointer.endswith("/layout"):
            found.append(Change(pointer, what, diff=unified(was or "", now or "")))
        else:
            found.append(Change(pointer, what, before=was, after=now))
    return found


def unified(before: str, after: str) -> list[str]:
    """The lines of a unified diff, without its head; none where both are the same."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return [] if before == after else ["@@ only the ends of lines differ @@"]
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    if (len(old) - start - end) * (len(new) - start - end) <= _COMPARED_MAX:
        # The common beginning and end are the cheap part; they are left in for their context.
        begin = max(0, start - _CONTEXT_LINES)
        behind = max(0, end - _CONTEXT_LINES)
        lines = difflib.unified_diff(
            old[begin : len(old) - behind],
            new[begin : len(new) - behind],
            n=_CONTEXT_LINES,
            lineterm="",
        )
        return [_moved(line, begin) for line in list(lines)[2:]]
    removed, added = old[start : len(old) - end], new[start : len(new) - end]
    head = f"@@ -{start + 1},{len(removed)} +{start + 1},{len(added)} @@"
    return [head, *(f"-{line}" for line in removed), *(f"+{line}" for line in added)]


def _flat(template: TemplateIn) -> dict[str, Any]:
    flat: dict[str, Any] = {"/default_locale": template.default_locale, "/kind": template.kind}
    if template.schema is not None:
        flat["/schema"] = template.schema
    for channel, locales in template.bodies.items():
        for locale, body in locales.items():
            for part in _PARTS:
                if (value := getattr(body, part)) is not None:
                    flat[f"/bodies/{channel}/{escape(locale)}/{part}"] = value
    return flat


def _used(pins: Pins) -> dict[str, Any]:
    return {f"/uses/{escape(name)}": pin.version for name, pin in pins.items()}


def _moved(line: str, by: int) -> str:
    """A hunk's head counts lines of what was compared; the text begins `by` lines earlier."""
    if not by or not line.startswith("@@ "):
        return line
    old, new = line.split()[1:3]
    return f"@@ {_shifted(old, by)} {_shifted(new, by)} @@"


def _shifted(place: str, by: int) -> str:
    start, comma, length = place[1:].partition(",")
    return f"{place[0]}{int(start) + by}{comma}{length}"
