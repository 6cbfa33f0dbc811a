"""What an operator wants of routes, ready to decide with, and which policy serves a message.

A `Policy` is made once from what is stored (`core.policies`) and asked for every message, so its
sets and ranks are ready. The policy that names the most dimensions of those that match serves;
of several such the first by name; where none matches, `DEFAULT` (version 0), under which accounts
go by their `priority` and, within one priority, by predicted success.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from core.contract.policies import ORDER_FIRST

WhenNone = Literal["wait", "end"]
# Scores are whole millionths while they are added up, so that the parts of one are its sum.
MILLION = 1_000_000.0


def scaled(
    success: float, latency: float, cost: float, distance: float, order: float
) -> tuple[float, float, float, float, float]:
    """The given weights, each >= 0 and one of them > 0, as shares of a million."""
    share = MILLION / (success + latency + cost + distance + order)
    return (success * share, latency * share, cost * share, distance * share, order * share)


class Policy(Struct, frozen=True, kw_only=True):
    """One policy. An empty set in the match stands for all.

    `rank` has the place of each account in the policy's order. `millionths` are the weights of
    success, latency, cost, distance and order, scaled to add up to a million. `price_max` bounds
    what one message may cost. `gone` are accounts that the policy names and that do not exist any
    more.
    """

    name: str = "built-in"
    version: int = 0
    tenants: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    rank: dict[str, int] = field(default_factory=dict)
    millionths: tuple[float, float, float, float, float] = scaled(1.0, 0.0, 0.0, 0.0, ORDER_FIRST)
    explore: float = 0.0
    forbid: frozenset[str] = frozenset()
    require: frozenset[str] = frozenset()
    when_none: WhenNone = "wait"
    price_max: float | None = None
    gone: tuple[str, ...] = ()

    @property
    def dimensions(self) -> int:
        """How many dimensions the match names."""
        named = (self.tenants, self.classes, self.channels, self.countries)
        return sum(1 for each in named if each)

    def serves(self, tenant: str, message_class: str, channel: str, country: str) -> bool:
        """Whether a message of these is matched."""
        return (
            (not self.tenants or tenant in self.tenants)
            and (not self.classes or message_class in self.classes)
            and (not self.channels or channel in self.channels)
            and (not self.countries or country in self.countries)
        )


DEFAULT = Policy()


def policy_for(
    policies: Sequence[Policy], tenant: str, message_class: str, channel: str, country: str
) -> Policy:
    """The policy that serves such a message. Asked in any order, the answer is the same."""
    best, named = DEFAULT, -1
    for policy in policies:
        if policy.serves(tenant, message_class, channel, country):
            dimensions = policy.dimensions
            if dimensions > named or (dimensions == named and policy.name < best.name):
                best, named = policy, dimensions
    return best
