"""What the dispatcher keeps of each call, its limits, and the two ways to end unanswered."""

import asyncio

from msgspec import Struct

from core.contract.frames import AcceptCall, AcceptReply
from core.contract.problems import ProblemError, problem
from core.contract.recipients import Recipient
from edge.links import Link

Address = tuple[str, int]


class DispatchLimits(Struct, frozen=True):
    """How long calls live and wait, in milliseconds, and how many there may be."""

    deadline_ms: int
    try_timeout_ms: int
    same_core_wait_ms: int
    no_core_wait_ms: int
    retry_pause_ms: int
    outstanding_max: int
    links_per_core: int = 1


class DispatchCounts(Struct):
    """What happened since the start."""

    calls: int = 0
    repeats: int = 0
    minted_again: int = 0
    passed_on: int = 0
    late_replies: int = 0
    unknown: int = 0
    no_core: int = 0


class Pending(Struct, gc=False):
    """A call until it is answered. `tries` counts those that a core may have seen. `recipients` are
    kept for the case that its ids have to be minted again."""

    call: AcceptCall
    recipients: list[Recipient]
    future: asyncio.Future[AcceptReply]
    order: list[str] | None
    deadline: float
    link: Link | None = None
    tries: int = 0
    tried_at: float = 0.0
    parked_at: float = 0.0
    not_before: float = 0.0
    same_core: str | None = None


def accept_unknown(call: AcceptCall) -> ProblemError:
    """The call was written to a core that has not answered."""
    return problem(
        "accept_unknown",
        "No core has answered in time. Ask for the messages by their ids, or send the same"
        " request with the same Idempotency-Key again.",
        headers={"Retry-After": "1"},
        message_ids=call.ids,
        notification_id=call.ntf,
    )


def no_core() -> ProblemError:
    """Nothing was ever written to a core."""
    return problem(
        "no_core",
        "No core can be reached; nothing was accepted. Try again.",
        headers={"Retry-After": "1"},
    )
