"""What the sandbox's HTTP providers share: what becomes of a message, by the behaviour told.

Order of things for a message: decide, write its entry to the operating system, then the callbacks
that come early, then the answer. A refusal has no effect. A reset or a hang comes after the effect
and takes the connection with it. If the disk takes no more, the call is answered as a failure of
the provider, and nothing has happened.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.contract.times import rfc3339
from core.sandbox.behaviour import RefuseAs, draw_after, draw_latency_ms
from core.sandbox.callbacks import Callback, CallbackDesk
from core.sandbox.gate import Gate
from core.sandbox.history import Entry, History
from core.sandbox.http_behaviour import (
    HttpBehaviour,
    Refusal,
    Story,
    draw_http_refusal,
    draw_story,
)
from core.sandbox.http_peer import Ending, HttpCall, HttpPeer, HttpReply
from core.sandbox.limits import SandboxLimits

SECRET = "sandbox"  # noqa: S105 - everybody's


class HttpDouble(ABC):
    """One provider. A subclass reads its calls in `handle` and hands them to `take`."""

    provider = ""
    wire = ""

    def __init__(
        self, history: History, limits: SandboxLimits, clock: Clock, random: Random, log: Log
    ) -> None:
        self.behaviour = HttpBehaviour()
        self.limits = limits
        self.random = random
        self.clock = clock
        self._history = history
        self._log = log
        self._desk = CallbackDesk(limits, log)
        self._last_us = 0

    @abstractmethod
    async def handle(self, call: HttpCall) -> Ending:
        """Answer one request."""

    def session(self, gate: Gate) -> HttpPeer:
        """A new connection."""
        return HttpPeer(gate, self.handle, self.limits)

    async def close(self) -> None:
        """Send no more callbacks."""
        await self._desk.close()

    def new_number(self) -> int:
        """A number that never comes again, not even after a restart."""
        self._last_us = max(self._last_us + 1, self.clock.wall_us())
        return self._last_us

    async def take(
        self,
        to: str,
        text: str,
        ref: str | None,
        refused: Callable[[Refusal], HttpReply],
        accepted: Callable[[], tuple[HttpReply, Callable[[Story], Sequence[Callback]]]],
        wrong: RefuseAs | None = None,
    ) -> Ending:
        """Decide about a message that was read; `wrong` is why it can never be taken.

        `accepted` is asked once it was taken: for its answer, and what makes its callbacks.
        """
        behaviour = self.behaviour
        latency_ms = draw_latency_ms(behaviour, self.random)
        refusal = Refusal(wrong, False) if wrong else draw_http_refusal(behaviour, self.random)
        if refusal is None and self._desk.full:
            refusal = Refusal("throttled", False)
        after = "refused" if refusal else draw_after(behaviour, self.random)
        if not self._enter(to, text, ref, after):
            return refused(Refusal("temporary", False))
        if refusal is not None:
            await asyncio.sleep(latency_ms / 1_000)
            return refused(refusal)
        reply, callbacks_of = accepted()
        story = draw_story(behaviour, self.random)
        delay_ms = behaviour.receipt.delay_ms
        await self._desk.send(callbacks_of(story), delay_ms, story.early)
        if after in ("reset", "hang"):
            return "reset" if after == "reset" else "hang"
        await asyncio.sleep(latency_ms / 1_000)
        return reply

    def _enter(self, to: str, text: str, ref: str | None, outcome: str) -> bool:
        at = rfc3339(self.clock.wall_ms())
        effective = outcome != "refused"
        return self.enter(Entry(at, self.provider, self.wire, to, text, outcome, effective, ref))

    def enter(self, entry: Entry) -> bool:
        """Hand the entry to the operating system; False if the disk takes no more."""
        try:
            self._history.append([entry])
        except OSError as error:
            self._log.error("sandbox cannot write", error=error.strerror or str(error))
            return False
        return True


def number_can_be_reached(to: str) -> bool:
    """Whether this is a telephone number."""
    digits = to.removeprefix("+")
    return digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 20
