"""How much work one rendering may do, whatever the template and the data are.

python-liquid bounds the size of nested loops and of the output, but neither loops after one
another, nor how much stands in a loop, nor what a filter does: `replace` alone can make gigabytes
of two small strings. So each rendering has a purse. One unit is about 15 ns of work or one
character handled:

* a loop is charged in advance for its rounds times the nodes in it; where the data is large, a
  node costs more, for a single comparison may read all of it;
* a filter is charged for the size of all that is handed to it, and those whose result can be much
  larger than that for the result;
* a partial works in a context of its own (`inside`) on the same purse, and is charged for that and
  for its nodes each time that it is put in.

An empty purse ends the rendering with a `ResourceLimitError`. Beside the purse this context makes
strictness complete: no filter but `default` sees a value that is missing, and there is no clock
(`now`, `today`) among the variables.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, cast

from liquid import RenderContext, Token
from liquid.ast import Node
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import LiquidTypeError, LoopIterationLimitError, ResourceLimitError
from liquid.expression import Expression
from liquid.output import LimitedStringIO
from liquid.undefined import Undefined
from liquid.utils import ReadOnlyChainMap

# A full purse is this for each round of loops that the settings allow: at the default of 10,000
# rounds it is emptied in about 30 ms.
UNITS_PER_ITERATION = 200
_NODE_UNITS = 25
_DATA_PER_NODE_UNIT = 300
_LOCAL_UNITS = 8
_PARTIAL_UNITS = 400
_ARGUMENT_UNITS = 100


class MeteredContext(RenderContext):
    """The variables of one rendering, and its purse."""

    __slots__ = ("data", "iterations_left", "loop_weight", "node_units", "units_left")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.iterations_left = self.env.loop_iteration_limit or 0
        self.units_left = self.iterations_left * UNITS_PER_ITERATION
        self.loop_weight = 1
        self.node_units = 0
        self.data = self.globals

    def spend(self, units: int) -> None:
        """Take from the purse."""
        self.units_left -= units
        if self.units_left < 0:
            raise ResourceLimitError("too much work for one rendering", token=None)

    def get_buffer(self, buf: Any = None) -> StringIO:
        """A bounded buffer that leaves the ends of lines as they are."""
        carried = buf.size if isinstance(buf, LimitedStringIO) else 0
        return LimitedStringIO((self.env.output_stream_limit or 0) - carried, newline="")

    def assign(self, key: str, val: Any) -> None:
        # The library adds up all variables at each assignment.
        self.spend(_LOCAL_UNITS * len(self.locals))
        super().assign(key, val)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Charge a loop of `length` rounds that is about to begin."""
        self.iterations_left -= length
        if self.iterations_left < 0:
            raise LoopIterationLimitError("too many rounds of loops", token=None)
        self.spend_nodes(length * self.loop_weight)

    def spend_nodes(self, nodes: int) -> None:
        """Charge for so many nodes that are about to be rendered."""
        if not self.node_units:
            most = self.units_left
            self.node_units = _NODE_UNITS + size_of(self.data, most) // _DATA_PER_NODE_UNIT
        self.spend(nodes * self.node_units)

    @contextmanager
    def inside(self, arguments: dict[str, object]) -> Iterator["MeteredContext"]:
        """The context of a partial: it sees the data and its arguments, not this one's variables,
        and takes from the same purse."""
        self.spend(_PARTIAL_UNITS + _ARGUMENT_UNITS * len(arguments))
        inner = MeteredContext(
            self.template,
            globals=ReadOnlyChainMap(arguments, self.globals),
            local_namespace_size_carry=self.get_size_of_locals(),
        )
        inner.data = self.data
        inner.node_units = self.node_units
        inner.units_left, inner.iterations_left = self.units_left, self.iterations_left
        try:
            yield inner
        finally:
            self.units_left, self.iterations_left = inner.units_left, inner.iterations_left

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """The filter, charged for what it is given."""
        function = super().filter(name, token)

        def metered(value: object, *args: object, **kwargs: object) -> object:
            _check_arguments(name, value, args, kwargs)
            # `default` does nothing with a value but look whether it is there.
            if name != "default":
                given = (value, *args)
                self.spend(size_of(given, self.units_left))
                self.spend(_growth(name, given))
            return function(value, *args, **kwargs)

        return metered


class MeteredForNode(ForNode):
    """A loop that tells the context how much stands in it."""

    __slots__ = ("weight",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.weight = 1 + weight_of(self.block.nodes)

    def render_to_output(self, context: RenderContext, buffer: Any) -> int:
        cast("MeteredContext", context).loop_weight = self.weight
        return super().render_to_output(context, buffer)


class MeteredForTag(ForTag):
    """The tag `for`."""

    node_class = MeteredForNode


def size_of(value: object, most: int) -> int:
    """Characters and items in all of `value`; counting ends soon after `most`.

    What is held several times counts several times: it is worked on several times.
    """
    total = 0
    left: list[object] = [value]
    while left and total <= most:
        one = left.pop()
        total += 1
        if isinstance(one, str):
            total += len(one)
        elif isinstance(one, (list, tuple)):
            total += len(one)
            left.extend(one)
        elif isinstance(one, dict):
            total += len(one)
            left.extend(one)
            left.extend(one.values())
        elif isinstance(one, range):
            total += max(0, one.stop - one.start)
        elif isinstance(one, int):
            total += one.bit_length()
    return total


class Content:
    """What a layout stands around: text that is shown as it is, and by no other means changed."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def weight_of(nodes: list[Node]) -> int:
    """Nodes and expressions in all of these. Loops and partials in them are charged apart."""
    return sum(_weight(node) for node in nodes)


def _check_arguments(
    name: str, value: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    """Only `default` takes a value that is missing, and only it has a named argument. What a
    layout stands around takes no filter: a part of it could be markup that was text."""
    if any(type(one) is Content for one in (value, *args)):
        raise LiquidTypeError("`content` takes no filters; write {{ content }}", token=None)
    checked = args if name == "default" else (value, *args)
    for one in checked:
        if isinstance(one, Undefined):
            one.poke()
    if kwargs and (name != "default" or kwargs.keys() != {"allow_false"}):
        raise LiquidTypeError(f"{name} has no argument {', '.join(kwargs)}", token=None)


def _growth(name: str, given: tuple[object, ...]) -> int:
    """How much larger than what it is given a filter's result, or its work, can be."""
    value = given[0]
    if name.startswith("replace") and len(given) > 2:
        return str(value).count(str(given[1])) * len(str(given[2]))
    if name == "join" and len(given) > 1:
        return size_of(value, 1 << 40) * len(str(given[1]))
    if name == "uniq":
        # It compares each with each.
        return size_of(value, 1 << 40) * (len(value) if isinstance(value, (list, range)) else 1)
    return 0


def _weight(node: Node) -> int:
    """Nodes and expressions in a node; an inner loop counts once, for it is charged by itself. So
    does a partial, which has no children here."""
    expressions = sum(_expression_weight(one) for one in node.expressions())
    if isinstance(node, ForNode):
        return 1 + expressions
    children = node.children(cast("RenderContext", None))
    return 1 + expressions + weight_of(list(children))


def _expression_weight(expression: Expression) -> int:
    return 1 + sum(_expression_weight(one) for one in expression.children())
