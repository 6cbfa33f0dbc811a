"""An account whose provider is called by one HTTP request a message.

What is written and what an answer means is the wire's affair (`Talk`); here is what such accounts
have in common. There is no session to set up, so the account counts as up until a call finds no
connection while no other call was answered. Then it rests, for longer each time, and the next
call alone tries whether the provider can be reached again. A provider that refuses the account
itself takes it out until it is edited.

Addresses come from the operator and are called whatever network they are in.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from core.clock import Clock
from core.providers.http import (
    AddressRules,
    Answered,
    HttpLimits,
    HttpPool,
    HttpRequest,
    HttpResult,
    Names,
    NotSent,
    Refused,
    Withdrawn,
    tls_context,
)
from core.providers.http_answers import wait_ms
from core.providers.http_places import HttpPlace
from core.providers.port import (
    AdapterEvents,
    Call,
    Callback,
    CallbackAnswer,
    Capabilities,
    Outcome,
    OutMessage,
)


class Talk(Protocol):
    """One provider's way of speaking; pure."""

    def request(self, message: OutMessage) -> HttpRequest | Outcome:
        """The request, or why the provider is not asked."""

    def outcome(self, ref: str, status: int, body: bytes, throttle_wait_ms: int) -> Outcome:
        """What an answer to the attempt `ref` means; `throttle_wait_ms` is the wait if it is a
        throttling one."""

    def callback(self, callback: Callback, wall_ms: int) -> CallbackAnswer:
        """What a callback tells, if it is genuine."""


class HttpAccount:
    """See the module; it implements `core.providers.port.Adapter` and `TakesCallbacks`."""

    def __init__(
        self,
        account_id: str,
        capabilities: Capabilities,
        talk: Talk,
        place: HttpPlace,
        events: AdapterEvents,
        random: Random,
        clock: Clock,
    ) -> None:
        self.account_id = account_id
        self.capabilities = capabilities
        self._talk = talk
        self._place = place
        self._events = events
        self._random = random
        self._clock = clock
        self._pool: HttpPool | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._answers = 0
        self._failures = 0
        self._failure = ""
        self._fault = ""
        self._stopping = False

    # --- port.Adapter ---

    async def start(self) -> None:
        """Be ready to call; nothing is connected before the first call."""
        try:
            tls = tls_context(self._place.ca_file)
        except OSError as error:
            self._take_out(f"ca_file cannot be used: {error.strerror or type(error).__name__}")
            return
        limits = limits_of(self._place)
        self._pool = HttpPool(limits, Names(AddressRules(everything=True), limits), tls)
        self._events.changed()

    async def stop(self, grace_ms: int) -> None:
        """Let what was written be answered within the grace, then close by reset."""
        self._stopping = True
        if self._resting is not None:
            self._resting.cancel()
        if self._pool is not None:
            await self._pool.stop(grace_ms)

    def capacity(self) -> int:
        """How many calls may be under way: one while it is not known whether any gets through."""
        if self._pool is None or self._fault or self._stopping or self._resting is not None:
            return 0
        return 1 if self._failures else self._place.window

    def state(self) -> str:
        """`up`, `connecting`, `down: <why>` or `fault: <why>`."""
        if self._fault:
            return f"fault: {self._fault}"
        if self._stopping:
            return "down: stopped"
        if self._pool is None:
            return "connecting"
        return f"down: {self._failure}" if self._resting is not None else "up"

    def submit(self, call: Call) -> None:
        """Carry out one call."""
        request = self._talk.request(call.message)
        if isinstance(request, Outcome):
            self._later(call.done, request)
            return
        if self._pool is None or self._fault:
            self._later(call.done, Outcome("not_sent", detail=self.state()))
            return

        answers = self._answers

        def done(result: HttpResult) -> None:
            outcome = self._outcome(call.message.ref, result)
            self._learn(result, outcome, self._answers > answers)
            call.done(outcome)

        def late(result: HttpResult) -> None:
            outcome = self._outcome(call.message.ref, result)
            if outcome.kind != "unknown":
                self._events.late(call.message.ref, outcome)

        self._pool.send(request, call.guard, done, late)

    # --- port.TakesCallbacks ---

    def callback(self, callback: Callback) -> CallbackAnswer:
        """Verify and read what the provider reports."""
        return self._talk.callback(callback, self._clock.wall_ms())

    # --- inside ---

    def _outcome(self, ref: str, result: HttpResult) -> Outcome:
        if isinstance(result, Answered):
            return self._answered(ref, result)
        if isinstance(result, Withdrawn):
            return Outcome("withdrawn")
        if isinstance(result, NotSent):
            return Outcome("not_sent", detail=result.detail)
        if isinstance(result, Refused):
            return Outcome("account_fault", detail=result.detail)
        return Outcome("unknown", detail=result.detail)

    def _answered(self, ref: str, result: Answered) -> Outcome:
        if not result.complete and 200 <= result.status < 300:
            return Outcome("unknown", code=str(result.status), detail="the answer broke off")
        place = self._place
        held_ms = wait_ms(
            result.headers.get("retry-after", ""),
            self._clock.wall_ms(),
            place.throttle_wait_ms,
            place.throttle_wait_max_ms,
        )
        return self._talk.outcome(ref, result.status, result.body, held_ms)

    def _learn(self, result: HttpResult, outcome: Outcome, others_answered: bool) -> None:
        """What a call says of the account itself."""
        if isinstance(result, Answered):
            self._answers += 1
            if self._failures:
                self._failures, self._failure = 0, ""
                self._events.changed()
        if outcome.kind == "account_fault":
            self._take_out(outcome.detail or outcome.code)
        elif isinstance(result, NotSent) and not (self._stopping or others_answered):
            self._rest(result.detail)

    def _rest(self, why: str) -> None:
        """The provider cannot be reached. Calls that were under way together count as one try."""
        if self._resting is not None:
            return
        place = self._place
        longest_ms = min(place.reconnect_min_ms << min(self._failures, 20), place.reconnect_max_ms)
        pause_s = longest_ms * self._random.uniform(0.5, 1.0) / 1_000
        self._failures += 1
        self._failure = why
        self._resting = asyncio.get_running_loop().call_later(pause_s, self._rested)
        self._events.changed()

    def _rested(self) -> None:
        self._resting = None
        self._events.changed()

    def _take_out(self, why: str) -> None:
        if not self._fault:
            self._fault = why
            self._events.fault(why)

    def _later(self, done: Callable[[Outcome], None], outcome: Outcome) -> None:
        asyncio.get_running_loop().call_soon(done, outcome)


def limits_of(place: HttpPlace) -> HttpLimits:
    """The client's bounds: all connections may go to the one host that there is."""
    return HttpLimits(
        calls_max=place.window,
        connections_max=place.connections_max,
        host_connections_max=place.connections_max,
        host_waiting_max=place.window,
        timeout_ms=place.timeout_ms,
        connect_timeout_ms=place.connect_timeout_ms,
        body_bytes_max=place.answer_bytes_max,
        late_ms=place.late_answer_ms,
    )
