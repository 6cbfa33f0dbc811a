"""A new message from one that has ended (PROTOCOL.md 8).

The new one has an id, a life and attempts of its own and names the old one (`resend_of`); content,
recipient, class and delivery are the same. It stands in the same home and shard, and alone: of a
chain only this step is sent again, nothing follows it. What was durable when `send` returned is
under way; `accept_unknown` says that it may be.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from core.clock import Clock
from core.contract.problems import ProblemError, problem
from core.engine.logs import Logs, Ticket
from core.engine.payload import Payload, encode_payload
from core.messages.view import Facts
from sync.hlc import Hlc
from sync.lattice import ENDED, gather, join
from sync.records import Message, Place, State
from sync.store.port import PutKey


def state_now(facts: Facts) -> State:
    """The state that all that is known of the message proves."""
    return join(gather(facts.records)[1], facts.state)


def has_ended(facts: Facts) -> bool:
    """Whether it may be sent again: an open message is still going to be sent by itself."""
    return state_now(facts) in ENDED


def copy_of(
    message: Message,
    payload: Payload,
    new_id: str,
    *,
    stamp: int,
    now_ms: int,
    lifetime_ms: int,
    trace: str,
) -> Message:
    """The new message. The same `new_id` always has the same body, so copies of it are one."""
    content = msgspec.structs.replace(
        payload, trace=trace, key="", steps=(), step=0, parent="", resend_of=message.id
    )
    return Message(
        new_id,
        message.shard,
        message.body_hash,
        stamp,
        message.urgent,
        message.at_most_once,
        now_ms + lifetime_ms,
        now_ms,
        encode_payload(content),
    )


class Again:
    """Writes new messages to an own accept log. `refusal` says why nothing may be taken in now."""

    def __init__(
        self,
        logs: Logs,
        clock: Clock,
        hlc: Hlc,
        expires_in_s: Mapping[str, int],
        timeout_s: float,
        refusal: Callable[[], ProblemError | None],
    ) -> None:
        self._logs = logs
        self._clock = clock
        self._hlc = hlc
        self._expires_in_s = expires_in_s
        self._timeout_s = timeout_s
        self._refusal = refusal
        self.on_accepted: Callable[[str, str], None] = lambda *_: None

    async def send(
        self,
        message: Message,
        payload: Payload,
        new_id: str,
        *,
        trace: str,
        expires_in_s: int | None = None,
        key_row: PutKey | None = None,
        told: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """Return when the new message is durable; ProblemError otherwise.

        `told` hears once whether it stands, later than this raised `accept_unknown` perhaps; not
        at all where it was refused. Without `expires_in_s` it lives as long as its class says, or
        as long as the old one was meant to, whichever is longer.
        """
        refused = self._refusal()
        if refused is not None:
            raise refused
        now_us = self._clock.wall_us()
        new = copy_of(
            message,
            payload,
            new_id,
            stamp=self._hlc.stamp(now_us),
            now_ms=now_us // 1000,
            lifetime_ms=self._lifetime_ms(message, payload, expires_in_s),
            trace=trace,
        )
        stands: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def placed(place: Place | None) -> None:
            told(place is not None)
            if place is not None:
                self.on_accepted(payload.channel, payload.message_class)
            if not stands.done():
                stands.set_result(place is not None)

        durably = payload.durability == "global"
        if not self._logs.accept(new, new.urgent, durably, Ticket(placed, key_row)):
            raise problem("overloaded", "The log is behind.", headers={"Retry-After": "1"})
        try:
            durable = await asyncio.wait_for(stands, self._timeout_s)
        except TimeoutError:
            durable = False
        if not durable:
            detail = "Not known to be durable in time; it may have been accepted."
            raise problem("accept_unknown", detail, message_ids=[new_id])

    def _lifetime_ms(self, message: Message, payload: Payload, expires_in_s: int | None) -> int:
        if expires_in_s is not None:
            return expires_in_s * 1000
        meant_ms = message.expires_ms - max(message.accepted_ms, message.not_before_ms)
        return max(meant_ms, self._expires_in_s[payload.message_class] * 1000)
