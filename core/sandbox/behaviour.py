"""How badly a provider behaves, and what that means for one call. Pure.

A `Behaviour` is what `PUT /sandbox/behaviour/{provider}` sets; `merge` puts new keys over old ones
and refuses what makes no sense with a problem that points at the place. The `draw_*` functions
decide about one call with the source of randomness that they are given.
"""

import math
from random import Random
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from core.contract.pointers import FieldProblem
from core.contract.problems import ProblemError, decode_json, invalid

RefuseAs = Literal["throttled", "temporary", "permanent", "invalid_target", "account"]
After = Literal["accepted", "reset", "hang"]
IdNotation = Literal["same", "hex", "dec_in_receipt", "hex_in_receipt", "case", "zeros"]

B = TypeVar("B", bound="Behaviour")
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Millis = Annotated[int, Meta(ge=0, le=86_400_000)]
LatencyMs = Annotated[float, Meta(ge=0.0, le=600_000.0)]

_Z99 = 2.3263478740408408
_DEPTH_MAX = 4
_SHARE = "Write a share of the calls from 0 to 1, such as 0.1."
_DELAY = "Write a whole number of milliseconds from 0 to 86400000 (a day)."
_HINTS = {
    "": 'Write an object such as {"refuse": {"ratio": 0.1, "as": "throttled"}}.',
    "/down": "Write true or false.",
    "/latency_ms": "Write two numbers of milliseconds, the median first: [20, 200].",
    "/refuse": 'Write an object such as {"ratio": 0.1, "as": "throttled"}.',
    "/refuse/ratio": _SHARE,
    "/reset_after_body": _SHARE,
    "/hang": _SHARE,
    "/receipt": 'Write an object such as {"none": 0.1, "delay_ms": 50}.',
    "/receipt/none": _SHARE,
    "/receipt/early": _SHARE,
    "/receipt/twice": _SHARE,
    "/receipt/fail": _SHARE,
    "/receipt/delay_ms": _DELAY,
    "/bounce": 'Write an object such as {"dsn": 0.1, "delay_ms": 50}.',
    "/bounce/delay_ms": _DELAY,
    **{
        f"/bounce/{name}": _SHARE
        for name in ("dsn", "delayed", "complaint", "auto_reply", "malformed", "forged")
    },
    "/receipt/out_of_order": _SHARE,
    "/receipt/unknown_status": _SHARE,
    "/receipt/read": _SHARE,
    "/receipt/wrong_signature": _SHARE,
    "/error_in_200": _SHARE,
    "/redirect": _SHARE,
    "/slow_drip": _SHARE,
}


class Refuse(Struct, frozen=True, forbid_unknown_fields=True):
    """Which share of the calls is refused, and with what kind of error."""

    ratio: Share = 0.0
    as_: RefuseAs = msgspec.field(default="temporary", name="as")


class ReceiptHabits(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of receipts. The ratios are of the messages (parts of a long one) accepted."""

    none: Share = 0.0
    early: Share = 0.0
    twice: Share = 0.0
    delay_ms: Millis = 50
    fail: Share = 0.0


class BounceHabits(Struct, frozen=True, forbid_unknown_fields=True):
    """What comes back for mails that were accepted, to their return path: shares of them."""

    dsn: Share = 0.0
    delayed: Share = 0.0
    complaint: Share = 0.0
    auto_reply: Share = 0.0
    malformed: Share = 0.0
    forged: Share = 0.0
    delay_ms: Millis = 50


class Behaviour(Struct, frozen=True, forbid_unknown_fields=True):
    """How one provider behaves; the defaults are a good day."""

    down: bool = False
    latency_ms: tuple[LatencyMs, LatencyMs] = (0.0, 0.0)
    refuse: Refuse = Refuse()
    reset_after_body: Share = 0.0
    hang: Share = 0.0
    receipt: ReceiptHabits = ReceiptHabits()
    bounce: BounceHabits = BounceHabits()
    id_notation: IdNotation = "same"


class ReceiptPlan(Struct, frozen=True, gc=False):
    """The receipts of one accepted message: how many at once, how many after the delay."""

    early: int
    later: int
    failed: bool


def merge(current: B, body: bytes) -> B:
    """The behaviour after a PUT: keys that it names replace, all others stay. Raises ProblemError.

    Named is what stands in the body, also inside `refuse` and `receipt`.
    """
    try:
        decode_json(body, type(current), max_depth=_DEPTH_MAX)
    except ProblemError as refused:
        refused.errors = [_with_our_hint(error) for error in refused.errors]
        raise
    merged = msgspec.to_builtins(current)
    _put_over(merged, msgspec.json.decode(body))
    behaviour = msgspec.convert(merged, type(current))
    median, p99 = behaviour.latency_ms
    if median > p99:
        detail = f"p50 ({median:g}) is more than p99 ({p99:g})"
        raise invalid([FieldProblem("/latency_ms", detail, _HINTS["/latency_ms"])])
    return behaviour


def _with_our_hint(error: FieldProblem) -> FieldProblem:
    pointer = error.pointer.rstrip("/0123456789")
    hint = _HINTS.get(pointer, error.hint)
    return FieldProblem(error.pointer, error.detail, hint)


def _put_over(old: dict[str, Any], new: dict[str, Any]) -> None:
    for name, value in new.items():
        if isinstance(value, dict):
            _put_over(old[name], value)
        else:
            old[name] = value


def draw_latency_ms(behaviour: Behaviour, random: Random) -> float:
    """A log-normal time with the p50 and p99 asked for, at most ten times p99."""
    median, p99 = behaviour.latency_ms
    if p99 <= 0.0:
        return 0.0
    mu = math.log(max(median, 0.001))
    sigma = (math.log(p99) - mu) / _Z99
    return min(random.lognormvariate(mu, max(sigma, 0.0)), 10.0 * p99)


def draw_refusal(behaviour: Behaviour, random: Random) -> RefuseAs | None:
    """Whether this call is refused, and as what."""
    refuse = behaviour.refuse
    return refuse.as_ if refuse.ratio and random.random() < refuse.ratio else None


def draw_after(behaviour: Behaviour, random: Random) -> After:
    """What follows the effect of an accepted call: an answer, a reset or silence."""
    reset, hang = behaviour.reset_after_body, behaviour.hang
    if not reset and not hang:
        return "accepted"
    share = random.random()
    if share < reset:
        return "reset"
    return "hang" if share < reset + hang else "accepted"


def draw_receipts(behaviour: Behaviour, random: Random) -> ReceiptPlan:
    """The receipts that an accepted message will have."""
    habits = behaviour.receipt
    if habits.none and random.random() < habits.none:
        return ReceiptPlan(0, 0, False)
    early = 1 if habits.early and random.random() < habits.early else 0
    count = 2 if habits.twice and random.random() < habits.twice else 1
    failed = bool(habits.fail) and random.random() < habits.fail
    return ReceiptPlan(early, count - early, failed)


def write_id(number: int, notation: IdNotation) -> tuple[str, str]:
    """The message id as the submit_sm_resp shows it, and as the receipt does."""
    match notation:
        case "same":
            return str(number), str(number)
        case "hex":
            return f"{number:x}", f"{number:x}"
        case "dec_in_receipt":
            return f"{number:x}", str(number)
        case "hex_in_receipt":
            return str(number), f"{number:x}"
        case "case":
            return f"{number:x}", f"{number:X}"
        case "zeros":
            return str(number), f"{number:020d}"
