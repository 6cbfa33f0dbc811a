"""A first look at a template's source, in linear time, before python-liquid parses it.

The library's lexer is one regular expression that needs cubic time on some broken sources: six
kilobytes of `{{` keep it busy for seconds. After `scan` each opening mark has its end within
`TAG_CHARS_MAX`, holds no long run of spaces, and names a tag that is allowed here, and `raw` blocks
are closed; on such a source the lexer is linear.
"""

import re

TAGS_MAX = 2000
TAG_CHARS_MAX = 1000
_SPACES_MAX = 50

# Left out are `include`, which loads templates by names that the data may choose, tags that only
# write what others can write (echo, liquid, tablerow, ifchanged, increment, decrement, doc), and
# cycle, which turns whole values into text at each step.
TAGS: frozenset[str] = frozenset(
    {"if", "unless", "case", "for", "break", "continue", "assign", "capture", "comment", "#"}
    | {"render"}
)
_INNER: frozenset[str] = frozenset(
    {"elsif", "else", "when", "raw", "endraw", "endif", "endunless", "endcase", "endfor"}
    | {"endcapture", "endcomment"}
)
_OPENING = re.compile(r"\{\{|\{%")
_TAG_NAME = re.compile(r"-?\s*(#|\w*)")
_RENDER = re.compile(r"\{%-?\s*render\s+(?:'([^'%]*)'|\"([^\"%]*)\")")
_END_RAW = re.compile(r"\{%-?\s{0,50}endraw\s{0,50}-?%\}")
_LONG_SPACE = re.compile(rf"\s{{{_SPACES_MAX + 1}}}")


class SourceFault(Exception):  # noqa: N818 - a finding about the author's text
    """The template's source is wrong at `line` (from 1); `detail` says how."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line
        self.detail = detail


def scan(source: str) -> None:
    """Raise `SourceFault` for what the library must not see."""
    position = 0
    for _ in range(TAGS_MAX + 1):
        found = _OPENING.search(source, position)
        if found is None:
            return
        position = _after(source, found.start())
    raise _fault(source, position, f"there are more than {TAGS_MAX} tags and outputs")


def names_rendered(source: str) -> set[str]:
    """The partials that a source may put in: also those in its comments, so rather too many."""
    return {single or double for single, double in _RENDER.findall(source)}


def _after(source: str, start: int) -> int:
    """The position after the tag or output that opens at `start`."""
    is_tag = source.startswith("{%", start)
    closing = "%}" if is_tag else "}}"
    end = source.find(closing, start + 2, start + TAG_CHARS_MAX + 2)
    if end < 0:
        what = "the tag" if is_tag else "the output"
        raise _fault(
            source, start, f"{what} is not closed by {closing} within {TAG_CHARS_MAX} characters"
        )
    if _LONG_SPACE.search(source, start, end):
        raise _fault(source, start, f"more than {_SPACES_MAX} spaces in a row within a tag")
    if not is_tag:
        return end + 2
    named = _TAG_NAME.match(source, start + 2)
    name = named[1] if named else ""
    if name not in TAGS and name not in _INNER:
        known = ", ".join(sorted(TAGS - {"#"} | {"raw"}))
        raise _fault(source, start, f"there is no tag `{name}` here; there are: {known}")
    if name != "raw":
        return end + 2
    closed = _END_RAW.search(source, end)
    if closed is None:
        raise _fault(source, start, "the tag `raw` is not closed by `endraw`")
    return closed.end()


def _fault(source: str, position: int, detail: str) -> SourceFault:
    return SourceFault(source.count("\n", 0, position) + 1, detail)
