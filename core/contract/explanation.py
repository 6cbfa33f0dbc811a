"""A routing decision with its explanation, as it is stored with an attempt and shown to people."""

from msgspec import Struct


class Removed(Struct, frozen=True, gc=False, omit_defaults=True):
    """An account that is out of the question, and why. `passing`: by itself and soon not so."""

    account: str
    why: str
    passing: bool = False


class Parts(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a score is the sum of; what the policy does not weigh is left out."""

    success: float | None = None
    latency: float | None = None
    cost: float | None = None
    distance: float | None = None
    order: float | None = None


class Scored(Struct, frozen=True, gc=False, omit_defaults=True):
    """An account that may be used. `price` is of the whole message; `full`: no free room now;
    `refused`: it said no to this message before, and nobody else is left."""

    account: str
    score: float
    parts: Parts
    price: float
    full: bool = False
    refused: bool = False


class Decision(Struct, frozen=True, gc=False, omit_defaults=True):
    """The choice and how it came about. `account` is "" when nobody can take it now.

    `candidates` stand best first, which is the order of failover. `explored`: another one than the
    best was chosen, to learn how it does. Policy version 0 is the one that is built in.
    """

    account: str
    policy: str
    version: int
    candidates: list[Scored]
    removed: list[Removed] = []
    explored: bool = False
