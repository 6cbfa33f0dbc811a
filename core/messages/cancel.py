"""Asking the owner to cancel a message and all that may follow it (PROTOCOL.md 8).

What may follow is cancelled first, in the same log, so whoever reads that the message is to be
cancelled finds the others cancelled too. All of them are taken down, or none: a chain of which
only the end is cancelled would stop in silence.
"""

import asyncio

from core.contract.problems import problem
from core.engine.chain import later_ids
from core.engine.logs import Logs, Ticket
from core.engine.payload import decode_payload
from sync.records import Cancel, Message, Place

STANDS_WITHIN_S = 5.0


async def cancel_all(logs: Logs, message: Message, now_ms: int, trace: str) -> None:
    """Returns when the request stands. ProblemError `overloaded`: nothing was taken down;
    `accept_unknown`: it may have been."""
    ids = [*later_ids(message.id, decode_payload(message.payload)), message.id]
    if not logs.takes(ids, True, False):
        raise problem("overloaded", "The log is behind.", headers={"Retry-After": "1"})
    told: asyncio.Future[Place | None] = asyncio.get_running_loop().create_future()

    def done(place: Place | None) -> None:
        if not told.done():
            told.set_result(place)

    for each in ids:
        record = Cancel(each, message.shard, now_ms, trace.encode())
        logs.accept(record, True, False, Ticket(done if each == message.id else _unheard))
    try:
        place = await asyncio.wait_for(told, STANDS_WITHIN_S)
    except TimeoutError:
        place = None
    if place is None:
        detail = "The request to cancel may or may not have been taken down; ask again."
        raise problem("accept_unknown", detail, message_ids=[message.id])


def _unheard(_: Place | None) -> None:
    """The last one of a chain answers for all: they stand in the same log, in this order."""
