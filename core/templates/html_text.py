"""The text of an e-mail that has HTML only: what a reader sees of it, without the looks.

`text_of` takes any text for HTML, never fails, and needs time in proportion to its length: what a
browser would swallow (a tag or comment that is not closed) ends it. Links show their address behind
them, pictures their `alt`, lists their bullets and numbers; rows of tables are lines; scripts,
styles, the head and what is hidden (`hidden`, `display:none`) are left out. A page of more than
`_TAGS_MAX` tags, which no e-mail needs, only has its tags taken out: time is bounded.
"""

import html
import re

_TOKEN = re.compile(
    r"([^<]++)|"
    r"<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|(?![\"'])))*+)>"
)
_TAG_BEGINS = re.compile(r"</?[a-zA-Z]")
_ANY_TAG = re.compile(r"<[^<>]*+>")
_ATTRIBUTE = re.compile(
    r"([a-zA-Z][\w:-]*+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'=<>`]++)))?+"
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_WITHOUT_END = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_LEFT_OUT = frozenset({"head", "script", "style", "template", "noscript", "object", "svg", "title"})
_RAW = frozenset({"script", "style", "title", "textarea"})
_PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre"}
)
_LINES = frozenset(
    {"div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "main", "nav"}
    | {"aside", "address", "figure", "figcaption", "form", "center", "body", "tbody", "thead"}
)
_CELLS = frozenset({"td", "th"})
_LIST_DEPTH_MAX = 8
_TAGS_MAX = 5000
_LINK_SCHEMES = ("http:", "https:", "mailto:", "tel:")


def text_of(source: str) -> str:
    """The text, with one empty line between paragraphs at most."""
    if source.count("<") > _TAGS_MAX:
        return _SPACES.sub(" ", html.unescape(_ANY_TAG.sub(" ", source))).strip()
    return _Reader().read(source)


class _Reader:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []  # pieces of the line under way
        self.space = ""  # what separates the next piece from the last
        self.wanted_empty = False
        self.lists: list[int] = []  # for each list: the last number, -1 for bullets
        self.links: list[tuple[str, int, int]] = []  # address, line and piece where it began
        self.hidden = ""  # the tag whose content is left out, and how often it is open
        self.hidden_depth = 0
        self.pre = 0

    def read(self, source: str) -> str:
        at = 0
        while at < len(source):
            found = _TOKEN.match(source, at)
            if found is None:
                at = self._odd(source, at)
                continue
            at = found.end()
            text, ending, name, attributes = found.groups()
            if text is not None:
                self._text(text)
                continue
            name = name.lower()
            if ending:
                self._end(name)
            else:
                self._begin(name, attributes)
                if name in _RAW:
                    at = self._raw(source, at, name)
        self._break()
        return "\n".join(self.lines).strip("\n")

    def _odd(self, source: str, start: int) -> int:
        """Take what begins with `<` and is no tag; answers where it ends."""
        if source.startswith("<!--", start):
            end = source.find("-->", start + 4)
            return end + 3 if end >= 0 else len(source)
        if source.startswith(("<!", "<?"), start):
            end = source.find(">", start)
            return end + 1 if end >= 0 else len(source)
        if _TAG_BEGINS.match(source, start):
            return len(source)
        self._text("<")
        return start + 1

    def _raw(self, source: str, start: int, name: str) -> int:
        """Pass over what is not markup; answers where the end tag begins."""
        closing = re.compile(f"</{name}", re.IGNORECASE).search(source, start)
        end = closing.start() if closing else len(source)
        if name == "textarea":
            self._text(source[start:end])
        return end

    def _text(self, piece: str) -> None:
        if self.hidden:
            return
        text = html.unescape(piece)
        if self.pre:
            first, *rest = text.replace("\r", "").split("\n")
            self._add(first)
            for each in rest:
                self._break(keep=True)
                self._add(each)
            return
        words = _SPACES.sub(" ", text)
        if words[:1] == " " and not self.space:
            self.space = " "
        words, tail = words.strip(" "), words[-1:] == " "
        if words:
            self._add(words)
            self.space = " " if tail else ""

    def _add(self, words: str) -> None:
        if not words:
            return
        if self.wanted_empty and self.lines and self.lines[-1]:
            self.lines.append("")
        self.wanted_empty = False
        if self.line and self.space:
            self.line.append(self.space)
        self.space = ""
        self.line.append(words)

    def _break(self, empty: bool = False, keep: bool = False) -> None:
        """End the line; with `empty` an empty one follows before the next text."""
        if self.line or keep:
            self.lines.append("".join(self.line).rstrip())
        self.line = []
        self.space = ""
        self.wanted_empty = self.wanted_empty or empty

    def _begin(self, name: str, attributes: str) -> None:
        if self.hidden:
            self.hidden_depth += name == self.hidden
            return
        if name in _LEFT_OUT or (attributes and _is_hidden(attributes)):
            if name not in _WITHOUT_END:
                self.hidden, self.hidden_depth = name, 1
            return
        if name == "br":
            self._break(keep=True)
        elif name == "hr":
            self._break(empty=True)
            self._add("-" * 20)
            self._break(empty=True)
        elif name == "img":
            self._add(_value(attributes, "alt").strip())
        elif name == "a":
            self.links.append((_value(attributes, "href").strip(), len(self.lines), len(self.line)))
        elif name in ("ul", "ol"):
            self._break(empty=not self.lists)
            self.lists.append(-1 if name == "ul" else 0)
        elif name == "li":
            self._item()
        elif name in _PARAGRAPHS:
            self._break(empty=True)
            self.pre += name == "pre"
        elif name in _LINES:
            self._break()
        elif name in _CELLS and self.line:
            self.space = "  "

    def _item(self) -> None:
        self._break()
        depth = max(0, min(len(self.lists), _LIST_DEPTH_MAX) - 1)
        mark = "-"
        if self.lists and self.lists[-1] >= 0:
            self.lists[-1] += 1
            mark = f"{self.lists[-1]}."
        self._add("  " * depth + mark)
        self.space = " "

    def _end(self, name: str) -> None:
        if self.hidden:
            self.hidden_depth -= name == self.hidden
            if not self.hidden_depth:
                self.hidden = ""
            return
        if name == "a" and self.links:
            self._end_link()
        elif name in ("ul", "ol"):
            if self.lists:
                self.lists.pop()
            self._break(empty=not self.lists)
        elif name in _PARAGRAPHS:
            self._break(empty=True)
            self.pre -= name == "pre" and self.pre > 0
        elif name in _LINES:
            self._break()

    def _end_link(self) -> None:
        address, line, piece = self.links.pop()
        if not address.lower().startswith(_LINK_SCHEMES):
            return
        shown = "".join(self.line[piece:] if line == len(self.lines) else self.line).strip()
        plain = address.partition(":")[2] if address[:4] in ("mail", "tel:") else address
        if shown in (address, plain, plain.rstrip("/")):
            return
        space, self.space = self.space, " " if self.line else ""
        self._add(f"({address})" if shown else address)
        self.space = space


def _value(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found[1].lower() == name:
            return html.unescape(found[2] or found[3] or found[4] or "")
    return ""


def _is_hidden(attributes: str) -> bool:
    for found in _ATTRIBUTE.finditer(attributes):
        name = found[1].lower()
        if name == "hidden" or (name == "style" and _HIDDEN.search(found[2] or found[3] or "")):
            return True
    return False
