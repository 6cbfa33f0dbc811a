"""Which account takes a message (DESIGN.md 8, without its learned parts), and why.

Hard filters first, each naming what it removed and why; then a score for each that is left, the
sum of parts from 0 to 1 times the policy's weights; then the choice, the best one with free room,
or now and then another one (`explore`). The candidates, best first, are the order of failover. An
account without free room stays a candidate and cannot be the choice now.

How a part is had: `success` is the predicted share; `cost` is 1 for the cheapest and falls with
the price; `latency` and `distance` are 1 for none, a half at 500 ms and 2,000 km, and so on;
`order` is 1 for the first in the policy's order (accounts that it does not name come behind, by
`priority`) and falls to 0 in equal steps. What is not known of an account counts 0. Equal scores
go by price, then priority, then id.

Pure: same facts, same decision. `chance` is in [0, 1) and comes from outside.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from core.contract.explanation import Decision, Parts, Removed, Scored
from core.contract.providers import Destinations, Price
from core.decide.policy import MILLION, Policy

__all__ = [
    "BY_NUMBER", "CONNECTING", "EVERYWHERE", "FREE", "Candidate", "Circuit", "Decision", "Parts",
    "Reach", "Removed", "Scored", "Wanted", "choose", "ends_at_once", "reach_of", "reasons",
]  # fmt: skip

# Channels whose recipients have a country, so that destinations bind.
BY_NUMBER = frozenset({"sms"})
Circuit = Literal["closed", "open", "half_open"]
LATENCY_HALF_MS = 500.0
HALF_KM = 2000.0
CONNECTING = "connecting"
_PRIORITIES = 1 << 16


class Wanted(Struct, frozen=True, gc=False):
    """What is to be sent. `country` is "" where the channel knows none; `html`: it has a body in
    HTML that has to be carried."""

    channel: str
    tenant: str = ""
    message_class: str = "transactional"
    country: str = ""
    parts: int = 1
    chars: int = 0
    html: bool = False


class Reach(Struct, frozen=True):
    """Where an account sends. An empty `allow` stands for everywhere."""

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()


EVERYWHERE = Reach()
FREE = Price()


def reach_of(destinations: Destinations) -> Reach:
    """An account's destinations, ready to be asked."""
    return Reach(frozenset(destinations.allow), frozenset(destinations.deny))


class Candidate(Struct, frozen=True, gc=False):
    """What is known of an account when a message is routed.

    `state` is "up", or why it cannot be used. `room` is how many calls it takes now, `paused_ms`
    how long it is throttled still, `quota_left` what may be sent today (None: no limit).
    `refused`: it said no to this very message. `text_chars_max` 0 means no limit.
    """

    id: str
    channel: str
    enabled: bool = True
    priority: int = 100
    success: float = 0.95
    latency_ms: float = 0.0
    price: Price = FREE
    destinations: Reach = EVERYWHERE
    distance_km: float | None = None
    state: str = "up"
    circuit: Circuit = "closed"
    room: int = 1
    paused_ms: int = 0
    quota_left: int | None = None
    refused: bool = False
    text_chars_max: int = 0
    html: bool = True


def choose(
    wanted: Wanted, candidates: Sequence[Candidate], policy: Policy, chance: float
) -> Decision:
    """The account that takes the message now, with the explanation."""
    removed = [Removed(name, "named by the policy, but there is none") for name in policy.gone]
    left: list[Candidate] = []
    refused: list[Candidate] = []
    prices: list[float] = []
    for each in candidates:
        table = each.price
        price = table.by_country.get(wanted.country, table.amount) * wanted.parts
        no = _why_not(wanted, each, policy, price)
        if no is not None:
            removed.append(no)
        elif each.refused:
            refused.append(each)
        else:
            left.append(each)
            prices.append(price)
    if refused and left:
        removed += [Removed(each.id, "refused this message before") for each in refused]
    elif refused:
        left = refused
        prices = [_price(wanted, each) for each in refused]
    scored = _scored(left, prices, policy)
    best, explored = _pick(scored, policy.explore, chance)
    return Decision(best, policy.name, policy.version, scored, removed, explored)


def ends_at_once(decision: Decision, policy: Policy) -> bool:
    """Whether the message ends now, with the reasons, because no account is left for it.

    What is removed for a moment only (throttled, still connecting) is worth waiting for.
    """
    if policy.when_none == "wait" or decision.candidates:
        return False
    return not any(each.passing for each in decision.removed)


def reasons(removed: Iterable[Removed], channel: str) -> str:
    """Why no account is left, for people; accounts of other channels are not worth a word."""
    told = [f"{each.account}: {each.why}" for each in removed if each.why[:7] != "serves "]
    return "; ".join(told) or f"no account serves the channel {channel}"


def _price(wanted: Wanted, each: Candidate) -> float:
    return each.price.by_country.get(wanted.country, each.price.amount) * wanted.parts


def _why_not(wanted: Wanted, each: Candidate, policy: Policy, price: float) -> Removed | None:
    """The first hard filter that the account does not pass."""
    why, passing = "", False
    reach = each.destinations
    if each.channel != wanted.channel:
        why = f"serves {each.channel}"
    elif not each.enabled:
        why = "disabled"
    elif each.id in policy.forbid:
        why = "forbidden by the policy"
    elif policy.require and each.id not in policy.require:
        why = "not among those that the policy requires"
    elif wanted.channel in BY_NUMBER and (
        wanted.country in reach.deny or (reach.allow and wanted.country not in reach.allow)
    ):
        why = f"does not send to {wanted.country or 'ZZ'}"
    elif 0 < each.text_chars_max < wanted.chars:
        why = f"takes {each.text_chars_max} characters, the text has {wanted.chars}"
    elif wanted.html and not each.html:
        why = "takes no HTML"
    elif policy.price_max is not None and price > policy.price_max:
        why = f"costs {price:g}, above the policy's {policy.price_max:g}"
    elif each.state != "up":
        why, passing = each.state, each.state == CONNECTING
    elif each.circuit == "open":
        why = "circuit open after failures"
    elif each.paused_ms > 0:
        why, passing = "throttled by the provider", True
    elif each.quota_left is not None and each.quota_left <= 0:
        why = "its quota of today is used up"
    else:
        return None
    return Removed(each.id, why, passing)


def _scored(left: list[Candidate], prices: list[float], policy: Policy) -> list[Scored]:
    """All that are left with their scores, best first."""
    if not left:
        return []
    success, latency, cost, distance, order = policy.millionths
    if order:
        last, rank = len(policy.rank), policy.rank
        keys = tuple([rank.get(each.id, last) * _PRIORITIES + each.priority for each in left])
        places = _places(keys, order)
    if cost:
        # The cheapest that is not free is the scale; where all are free, any will do.
        scale = min([price for price in prices if price > 0.0], default=1.0)
        cheapest = cost * (scale + min(prices))
    rows = []
    by_latency = by_cost = by_distance = by_order = None
    for place, each in enumerate(left):
        price = prices[place]
        total = success * each.success // 1.0
        by_success = total / MILLION if success else None
        if latency:
            part = latency * LATENCY_HALF_MS / (LATENCY_HALF_MS + each.latency_ms) // 1.0
            total += part
            by_latency = part / MILLION
        if cost:
            part = cheapest / (scale + price) // 1.0
            total += part
            by_cost = part / MILLION
        if distance:
            km = each.distance_km
            part = 0.0 if km is None else distance * HALF_KM / (HALF_KM + km) // 1.0
            total += part
            by_distance = part / MILLION
        if order:
            part = places[place]
            total += part
            by_order = part / MILLION
        parts = Parts(by_success, by_latency, by_cost, by_distance, by_order)
        scored = Scored(each.id, total / MILLION, parts, price, each.room <= 0, each.refused)
        rows.append((-total, price, each.priority, each.id, place, scored))
    rows.sort()
    return [row[5] for row in rows]


@lru_cache(maxsize=1000)
def _places(keys: tuple[int, ...], weight: float) -> tuple[float, ...]:
    """Each one's part for its place in the order, in equal steps from the whole weight down to
    nothing; equal places share one. Asked for the same accounts again and again."""
    levels = sorted(set(keys))
    step = weight / max(1, len(levels) - 1)
    worth = {key: (weight - step * place) // 1.0 for place, key in enumerate(levels)}
    return tuple([worth[key] for key in keys])


def _pick(scored: list[Scored], explore: float, chance: float) -> tuple[str, bool]:
    """The best with free room; for a share of `explore` of the chances another one with room."""
    free = [each.account for each in scored if not each.full]
    if not free:
        return "", False
    others = len(free) - 1
    if chance < explore and others:
        # Below the share, the chance is as evenly spread as it was over the whole.
        return free[1 + min(int(chance / explore * others), others - 1)], True
    return free[0], False
