"""The dialect of Liquid that templates are written in: python-liquid, made strict and bounded.

`Language(html, limits)` compiles one part of a template (`compile`) into a `Part` whose `render`
takes the data. Text and HTML differ in one thing: in HTML every value is escaped, and no filter
switches that off. A value that is missing, an object where a text is wanted, an unknown filter or
tag, and work beyond the limits are faults that name the line; nothing reads files, the network or
the clock. Partials are put in by `core.templates.link`; in a part with `renders` that were not
linked, rendering is a mistake of the program.
"""

import re
from datetime import UTC, datetime
from typing import Any, cast

from liquid import BoundTemplate, Environment, RenderContext, Token
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import (
    FilterArgumentError,
    FilterError,
    FilterItemTypeError,
    FilterValueError,
    LiquidError,
    LiquidInterrupt,
    LiquidTypeError,
    ResourceLimitError,
    UndefinedError,
)
from liquid.filter import liquid_filter
from liquid.stringify import to_liquid_string
from liquid.undefined import StrictDefaultUndefined
from markupsafe import escape
from msgspec import Struct

from core.contract.sections.core import TemplatesSettings
from core.templates.meter import Content, MeteredContext, MeteredForTag
from core.templates.partials import PartialNode, PartialTag, partials_in
from core.templates.scan import TAGS, SourceFault, scan

# Left out are `safe` and `escapejs` (they switch escaping off), `strip_html` (quadratic on some
# inputs), and what decodes text that somebody encoded (it would undo escaping and limits).
_FILTERS = """
    abs append at_least at_most base64_encode base64_url_safe_encode capitalize ceil compact
    concat date default divided_by downcase escape escape_once find find_index first floor has
    join last lstrip map minus modulo newline_to_br plus prepend reject remove remove_first
    remove_last replace replace_first replace_last reverse round rstrip size slice sort
    sort_natural split squish strip strip_newlines sum times truncate truncatewords uniq upcase
    url_encode where
"""
FILTERS: frozenset[str] = frozenset(_FILTERS.split())
_LIBRARY_TAGS = ("content", "output", "illegal")
_DATE_DIRECTIVE = re.compile(r"%(-?[dmHIjMSy]|[aAbBpYZz%])|(%)")
_DATE_FORMAT_CHARS_MAX = 100
_LOCAL_BYTES_MAX = 4 << 20
_FILTER_ERRORS = (FilterError, FilterArgumentError, FilterValueError, FilterItemTypeError)


class RenderFault(Exception):  # noqa: N818 - a finding about the caller's text
    """Rendering failed at `line`, of the partial of that name if there is one; `missing` is the
    path of the value that the data lacks."""

    def __init__(self, line: int, detail: str, missing: str = "", partial: str = "") -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line
        self.detail = detail
        self.missing = missing
        self.partial = partial


class Part(Struct, frozen=True):
    """A compiled part: its text with its outputs and tags, ready to be rendered often. `renders`
    are the places where partials are put in."""

    template: BoundTemplate
    renders: list[PartialNode]

    def render(self, data: dict[str, Any]) -> str:
        """The text; raises `RenderFault` and nothing else."""
        template = self.template
        context = MeteredContext(template, globals=data)
        buffer = context.get_buffer()
        node = None
        try:
            for node in template.nodes:
                node.render(context, buffer)
        except LiquidError as error:
            error.token = error.token or (node.token if node else None)
            raise _render_fault(error) from None
        except LiquidInterrupt as error:
            line = _line(node.token if node else None)
            raise RenderFault(line, f"`{error}` stands outside of a loop") from None
        except Exception as error:
            # Filters let arithmetic and conversions fail in many ways of their own; whatever it
            # is, it is this template with this data, and the message may hold the data.
            line = _line(node.token if node else None)
            raise RenderFault(line, f"a filter failed ({type(error).__name__})") from None
        return buffer.getvalue()


class Language:
    """Compiles sources of one kind. Building one costs milliseconds: keep it."""

    def __init__(self, html: bool, limits: TemplatesSettings) -> None:
        class Bounded(Environment):
            block_nesting_limit = limits.depth_max
            context_depth_limit = limits.depth_max + 5
            loop_iteration_limit = limits.iterations_max
            output_stream_limit = limits.output_bytes_max
            local_namespace_limit = _LOCAL_BYTES_MAX

        self._source_bytes_max = limits.source_bytes_max
        self._environment = Bounded(autoescape=html, undefined=StrictDefaultUndefined)
        kept = TAGS.union(_LIBRARY_TAGS)
        tags = self._environment.tags
        for name in [name for name in tags if name not in kept]:
            del tags[name]
        self._environment.add_tag(MeteredForTag)
        self._environment.add_tag(PartialTag)
        self._environment.add_tag(_ScalarOutput)
        filters = self._environment.filters
        for name in [name for name in filters if name not in FILTERS]:
            del filters[name]
        self._environment.add_filter("date", date)

    def compile(self, source: str) -> Part:
        """The part, or `SourceFault` with the line."""
        size = len(source.encode())
        if size > self._source_bytes_max:
            detail = f"{size} bytes are more than the {self._source_bytes_max} allowed"
            raise SourceFault(1, detail)
        scan(source)
        try:
            template = self._environment.from_string(source)
            used = template.analyze(include_partials=False).filters
        except LiquidError as error:
            raise SourceFault(_line(error.token), _message(error)) from None
        except RecursionError:
            raise SourceFault(1, "expressions are nested too deeply") from None
        for name in sorted(used.keys() - FILTERS):
            line = source.count("\n", 0, used[name][0].index) + 1
            raise SourceFault(line, f"there is no filter `{name}` here")
        return Part(template, list(partials_in(template.nodes)))


class _ScalarOutputNode(OutputNode):
    """`{{ ... }}`. Python's notation of an object or a list of lists helps no recipient."""

    def render_to_output(self, context: RenderContext, buffer: Any) -> int:
        value = self.expression.evaluate(context)
        if type(value) is str:
            return int(buffer.write(escape(value) if context.autoescape else value))
        if type(value) is Content:
            return int(buffer.write(value.text))
        if isinstance(value, list):
            cast("MeteredContext", context).spend(len(value))
            if any(isinstance(one, (dict, list)) for one in value):
                raise LiquidTypeError("a list of objects cannot be shown; loop over it", token=None)
        if isinstance(value, dict):
            raise LiquidTypeError("an object cannot be shown; name one of its fields", token=None)
        return int(buffer.write(to_liquid_string(value, context.autoescape)))


class _ScalarOutput(Output):
    node_class = _ScalarOutputNode


@liquid_filter
def date(value: object, pattern: object) -> str:
    """A date of the data (ISO 8601, or seconds since 1970) in a `strftime` pattern.

    Replaces the library's filter, which reads the machine's clock and time zone and guesses at
    what a text may mean. A time without an offset is taken as UTC.
    """
    if not isinstance(pattern, str) or len(pattern) > _DATE_FORMAT_CHARS_MAX:
        raise LiquidTypeError("date needs a pattern such as `%Y-%m-%d`", token=None)
    if any(bad for _, bad in _DATE_DIRECTIVE.findall(pattern)):
        raise LiquidTypeError("date: a directive of the pattern is not known here", token=None)
    return _moment(value).strftime(pattern)


def _moment(value: object) -> datetime:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise LiquidTypeError("date needs an ISO 8601 date or seconds since 1970", token=None)


def _render_fault(error: LiquidError) -> RenderFault:
    missing = ""
    if isinstance(error, UndefinedError):
        missing = _missing(error)
        detail = f"the data has no `{missing}`"
    elif isinstance(error, ResourceLimitError):
        detail = f"a limit of rendering is reached: {_message(error)}"
    elif isinstance(error, _FILTER_ERRORS):
        # The library quotes the data in some of these messages, and it may be anybody's.
        name = error.token.value if error.token else ""
        which = f"the filter `{name}`" if name in FILTERS else "a filter"
        detail = f"{which} cannot take what it is given here"
    else:
        detail = _message(error)
    return RenderFault(_line(error.token), detail, missing, str(error.template_name or ""))


def _missing(error: UndefinedError) -> str:
    """The path in the words of the library: "'name' is undefined" or "a.b is undefined"."""
    message = str(error.args[0]) if error.args else ""
    if message.endswith(" is undefined"):
        return message.removesuffix(" is undefined").strip("'")
    return error.token.value if error.token else "value"


def _line(token: Token | None) -> int:
    if token is None or token.start_index < 0:
        return 1
    return token.source.count("\n", 0, token.start_index) + 1


def _message(error: LiquidError) -> str:
    """The first line of the library's message."""
    text = str(error.message or type(error).__name__).splitlines()
    return text[0][:200] if text else type(error).__name__
