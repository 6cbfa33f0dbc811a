"""The tag `render`: another template's text, put in where the tag stands.

`{% render "footer" %}`, with arguments (`name: user.name`), `with order as o`, or once for each of
`for items as item`. A partial sees the data and its arguments. The tag only takes a name in quotes;
what stands under that name is set once, before the first rendering (`PartialNode.link`), by
`core.templates.link`. Nothing is looked up while rendering.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from liquid import Token
from liquid.ast import Node
from liquid.builtin.expressions import Identifier, KeywordArgument, StringLiteral
from liquid.builtin.tags.for_tag import ForLoop
from liquid.builtin.tags.render_tag import RenderTag
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError
from liquid.expression import Expression

from core.templates.meter import MeteredContext, weight_of


class PartialNode(Node):
    """One `render` tag."""

    __slots__ = ("alias", "args", "loop", "name", "nodes", "var", "weight")

    def __init__(
        self,
        token: Token,
        name: StringLiteral | Identifier,
        *,
        var: Expression | None = None,
        loop: bool = False,
        alias: Identifier | None = None,
        args: list[KeywordArgument] | None = None,
    ) -> None:
        super().__init__(token)
        if not isinstance(name, StringLiteral):
            raise LiquidSyntaxError(
                'write the partial\'s name in quotes: render "name"', token=token
            )
        self.name = str(name.value)
        self.var = var
        self.loop = loop
        self.alias = str(alias or self.name.split(".")[0])
        self.args = args or []
        self.nodes: list[Node] | None = None
        self.weight = 0
        self.blank = False

    def link(self, nodes: list[Node]) -> None:
        """Set what is put in."""
        self.nodes = nodes
        self.weight = 1 + weight_of(nodes)

    def expressions(self) -> Iterable[Expression]:
        if self.var is not None:
            yield self.var
        yield from (argument.value for argument in self.args)

    def render_to_output(self, context: Any, buffer: Any) -> int:
        arguments = {each.name: each.value.evaluate(context) for each in self.args}
        value = None if self.var is None else self.var.evaluate(context)
        outer = cast("MeteredContext", context)
        if self.loop and isinstance(value, (list, tuple)):
            with outer.inside(arguments) as inner:
                inner.loop_weight = self.weight
                inner.raise_for_loop_limit(len(value))
                round_of = ForLoop(self.alias, iter(value), len(value), None)
                arguments["forloop"] = round_of
                for item in round_of:
                    arguments[self.alias] = item
                    self._put_in(inner, buffer)
            return 1
        if self.var is not None:
            arguments[self.alias] = value
        with outer.inside(arguments) as inner:
            inner.spend_nodes(self.weight)
            self._put_in(inner, buffer)
        return 1

    def _put_in(self, context: MeteredContext, buffer: Any) -> None:
        assert self.nodes is not None, "a partial is linked before it is rendered"
        for node in self.nodes:
            try:
                node.render(context, buffer)
            except LiquidError as error:
                # The innermost partial is the one whose line the token tells.
                if not error.template_name:
                    error.token = error.token or node.token
                    error.template_name = self.name
                raise
            except LiquidInterrupt as error:
                detail = f"`{error}` stands outside of a loop"
                wrong = LiquidSyntaxError(detail, token=node.token)
                wrong.template_name = self.name
                raise wrong from None


class PartialTag(RenderTag):
    """The tag `render`."""

    node_class = PartialNode  # type: ignore[assignment]  # it loads nothing, unlike the library's


def partials_in(nodes: Iterable[Node]) -> Iterator[PartialNode]:
    """Every `render` tag in these nodes, also within loops and conditions."""
    for node in nodes:
        if isinstance(node, PartialNode):
            yield node
        else:
            yield from partials_in(node.children(cast("Any", None), include_partials=False))
