"""Routing policies as the API takes and shows them.

Of the policies that match a message the one that names the most dimensions serves it, of several
such the first by name. Where none matches, accounts go by `priority`, then by predicted success.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from core.contract.providers import Amount, Country
from core.contract.requests import ChannelName, MessageClass
from core.contract.resources import Name, Page

Weight = Annotated[float, Meta(ge=0, le=1000)]
AccountIds = Annotated[list[Name], Meta(max_length=100)]
# A step in the order outweighs any difference in success among up to a hundred accounts.
ORDER_FIRST = 100.0


class PolicyMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages a policy serves; an empty list stands for all."""

    tenants: Annotated[list[Name], Meta(max_length=1000)] = field(default_factory=list)
    classes: Annotated[list[MessageClass], Meta(max_length=10)] = field(default_factory=list)
    channels: Annotated[list[ChannelName], Meta(max_length=10)] = field(default_factory=list)
    countries: Annotated[list[Country], Meta(max_length=300)] = field(default_factory=list)


class PolicyWeights(Struct, frozen=True, forbid_unknown_fields=True):
    """How much each part counts in an account's score, beside one another. What is left out
    counts nothing; one at least has to count."""

    success: Weight = 0.0
    latency: Weight = 0.0
    cost: Weight = 0.0
    distance: Weight = 0.0
    order: Weight = 0.0


def order_first() -> PolicyWeights:
    """The weights of a policy that says nothing of them: the order decides, then success."""
    return PolicyWeights(success=1.0, order=ORDER_FIRST)


class PolicyPut(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A policy without its name, or with it: the path of a PUT has it.

    `order`: accounts, preferred first; others come behind, by `priority`. `explore`: the share of
    messages that go to another account than the best. `forbid`, and `require` where it names any:
    accounts that may not, and that alone may be used. `when_none`: with no account left a message
    waits until it expires, or ends at once. `price_max`: the most that a message may cost.
    """

    name: Name | None = None
    match: PolicyMatch = field(default_factory=PolicyMatch)
    order: AccountIds = field(default_factory=list)
    weights: PolicyWeights = field(default_factory=order_first)
    explore: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    forbid: AccountIds = field(default_factory=list)
    require: AccountIds = field(default_factory=list)
    when_none: Literal["wait", "end"] = "wait"
    price_max: Amount | None = None


class PolicyIn(PolicyPut, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A policy as it is created or replaced."""

    name: Name


class PolicyOut(Struct, frozen=True, kw_only=True):
    """A policy as it stands; `version` is its ETag, and stands in explanations. `missing` are
    accounts that it names and that were deleted since."""

    name: str
    match: PolicyMatch
    order: list[str]
    weights: PolicyWeights
    explore: float
    forbid: list[str]
    require: list[str]
    when_none: Literal["wait", "end"]
    price_max: float | None
    missing: list[str]
    version: int


class PolicyPage(Page, frozen=True):
    data: list[PolicyOut]
