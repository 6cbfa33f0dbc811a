"""One call on its way: its parts, what was answered to each, and what that makes together.

A message of one part has the outcome of its part. Of a long one:

* all parts accepted: `accepted`, provider_id holds the ids of all parts joined by commas;
* all refused: the gravest refusal (nothing was sent);
* some of each: refused parts that may pass are repeated, for a bounded number of times and a
  bounded time, on whatever link the account has; if some stay refused the message is `accepted`
  with the accepted parts' ids and code "partial:<status>", because something did reach the
  recipient and a retry would repeat it. An empty id stands for a part that was not taken, so
  that receipts of the others never add up to a delivery;
* any part without an answer: `unknown`.
"""

import logging

from msgspec import Struct

from core.providers.port import Call, Outcome
from core.providers.smpp.classify import StatusTable

_log = logging.getLogger(__name__)


class Flight(Struct, gc=False):
    """One call under way on one session."""

    call: Call
    bodies: list[bytes]
    waiting: list[int]  # numbers (from 0) of the parts that are to be written next
    deadline: float = 0.0
    repeat_until: float = 0.0
    unanswered: int = 0
    tries: int = 0
    told: bool = False
    ids: dict[int, str] = {}
    refusals: dict[int, int] = {}


def take_answer(flight: Flight, part: int, status: int, message_id: str) -> None:
    """Note what the SMSC said to one part."""
    flight.unanswered -= 1
    if status:
        flight.refusals[part] = status
    else:
        flight.ids[part] = message_id
        flight.refusals.pop(part, None)


def settle(flight: Flight, outcome: Outcome) -> None:
    """Tell the outcome, unless one was told already."""
    if flight.told:
        return
    flight.told = True
    try:
        flight.call.done(outcome)
    except Exception:
        # A fault in the engine's bookkeeping for one call must not cost the others theirs.
        _log.exception("done() failed", extra={"ref": flight.call.message.ref})


def parts_to_repeat(flight: Flight, statuses: StatusTable, tries_max: int) -> list[int]:
    """The parts to write again, once all were answered: only where others were accepted."""
    if not flight.ids or flight.tries >= tries_max:
        return []
    if not all(statuses.may_pass(status) for status in flight.refusals.values()):
        return []
    return sorted(flight.refusals)


def outcome_of(flight: Flight, statuses: StatusTable) -> Outcome:
    """The outcome of a call no part of which is unanswered."""
    if not flight.ids:
        return statuses.gravest(list(flight.refusals.values()))
    parts = range(len(flight.bodies))
    provider_id = ",".join([flight.ids.get(part, "") for part in parts])
    missing = [part for part in parts if part not in flight.ids]
    if not missing:
        return Outcome("accepted", provider_id)
    status = next(iter(flight.refusals.values()), 0)
    code = f"partial:0x{status:08x}" if status else "partial:not_sent"
    named = ", ".join([str(part + 1) for part in missing])
    detail = f"part {named} of {len(flight.bodies)} not taken"
    return Outcome("accepted", provider_id, code, detail)
