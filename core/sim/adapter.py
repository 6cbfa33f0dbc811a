"""The adapter of a simulated account in one process: connecting, the guard, the first byte.

The guard is asked in the turn of the first byte; the byte reaches the provider at any time up to
the write time-out later, whatever becomes of the process. Answers get lost, or come after the
time-out; a connection may be made slowly, or not at all. One that was stopped takes no more calls,
and ends those that have not begun to send within the grace.
"""

from collections.abc import Callable
from math import inf
from random import Random

from core.providers.port import (
    AdapterEvents,
    Call,
    Capabilities,
    Idempotency,
    Outcome,
)
from core.sim.history import FirstByte
from core.sim.plan import CALL_TIMEOUT_S, WRITE_TIMEOUT_S, Plan
from core.sim.process import Process
from core.sim.provider import Provider

WINDOW = 2
NOT_CONNECTED = 0.03
NEVER_HEARD = 0.3


class SimAdapter:
    """See the module's docstring; implements `core.providers.port.Adapter`. `hears` is told
    of each call that is taken, and when its first byte is sent."""

    def __init__(
        self,
        provider: Provider,
        process: Process,
        plan: Plan,
        chance: Random,
        events: AdapterEvents,
        hears: Callable[[str], None],
    ) -> None:
        keys = Idempotency(provider.window_ms, 64) if provider.window_ms else None
        self.capabilities = Capabilities(
            "sim", provider.channel, ("text",), 0, receipts=True, reference=True, idempotency=keys
        )
        self._provider = provider
        self._process = process
        self._plan = plan
        self._chance = chance
        self._events = events
        self._hears = hears
        self._stopping = False
        self._closes_at = inf

    async def start(self) -> None:
        """It is always there."""

    async def stop(self, grace_ms: int) -> None:
        """No more calls; those under way have the grace."""
        self._stopping = True
        self._closes_at = self._process.boot() + grace_ms / 1000

    def capacity(self) -> int:
        """Calls at once."""
        return WINDOW

    def state(self) -> str:
        """Always up."""
        return "up"

    def submit(self, call: Call) -> None:
        """Connect, ask the guard, send."""
        chance, faulty, told = self._chance, self._provider.faulty, _Told(call, self._events)
        if self._stopping:
            told.done(Outcome("not_sent", detail="the account is being closed"))
            return
        self._hears("call")

        def begin() -> None:
            if self._process.boot() > self._closes_at:
                told.done(Outcome("not_sent", detail="the account was closed"))
            elif faulty and chance.random() < NOT_CONNECTED:
                told.done(Outcome("not_sent"))
            elif not call.guard():
                told.done(Outcome("withdrawn"))
            else:
                self._hears("first byte")
                self._first_byte(call, told)

        slow = faulty and chance.random() < self._plan.call_slow
        self._process.later(chance.uniform(0.5, 6.0) if slow else chance.uniform(0.001, 0.1), begin)

    def _first_byte(self, call: Call, told: "_Told") -> None:
        chance, process, provider = self._chance, self._process, self._provider
        message_id, attempt, epoch = call.message.ref.split(".")
        message = call.message
        first = FirstByte(
            0.0,
            message_id,
            int(epoch),
            provider.account,
            message.provider_key,
            message.text,
            attempt,
            process.name,
            process.region,
        )
        slow = provider.faulty and chance.random() < self._plan.call_slow
        now = process.scheduler.now
        travels_s = chance.uniform(0.5, 0.95) if slow else chance.uniform(0.001, 0.05)
        lost = provider.faulty and chance.random() < self._plan.answer_lost
        process.later(CALL_TIMEOUT_S, lambda: told.done(Outcome("unknown")))
        if lost and chance.random() < NEVER_HEARD:
            return
        back_s: float | None = chance.uniform(0.001, 0.1)
        if lost:
            back_s = chance.choice((None, chance.uniform(0.5, 4.0)))

        there_s = now + travels_s * WRITE_TIMEOUT_S
        provider.on_way(process, f"{attempt} in epoch {epoch}", message_id, there_s)

        def arrive() -> None:
            answer = provider.called(first)
            if back_s is not None:
                process.later(back_s, lambda: told.done(answer))

        process.scheduler.after(travels_s * WRITE_TIMEOUT_S, arrive)


class _Told:
    """The outcome is told once; what comes later is told as late."""

    def __init__(self, call: Call, events: AdapterEvents) -> None:
        self._call = call
        self._events = events
        self._told = False

    def done(self, outcome: Outcome) -> None:
        if not self._told:
            self._told = True
            self._call.done(outcome)
        elif outcome.kind != "unknown":
            self._events.late(self._call.message.ref, outcome)
