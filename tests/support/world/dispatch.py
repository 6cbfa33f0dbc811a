"""core/engine/dispatch.py and an adapter in virtual time: places, the guard, the first byte.

Which account is chosen is left to chance. The guard is asked in the turn of the first byte; the
byte reaches the provider at any time up to the write time-out later, whatever becomes of the
process.
"""

from collections.abc import Callable

from core.providers.port import Outcome
from sync.owner.state import Msg, Phase
from sync.records import Intent
from tests.support.world.history import FirstByte
from tests.support.world.plan import CALL_TIMEOUT_S, WRITE_TIMEOUT_S
from tests.support.world.process import Core


class SimDispatcher:
    """Offered messages and calls under way."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._queue: list[Msg] = []
        self._refused: dict[str, set[str]] = {}
        self._in_flight = dict.fromkeys(core.providers, 0)
        self._armed = False
        self.on_outcome: Callable[[Msg, str, str, Outcome], None] = lambda *_: None
        self.on_late: Callable[[Msg, str, str, Outcome], None] = lambda *_: None
        self.after: Callable[[], None] = lambda: None

    def offer(self, msg: Msg) -> None:
        """A message is free to send."""
        assert msg.message is not None
        self._queue.append(msg)
        self.arm()

    def forget(self, msg: Msg) -> None:
        """The message has ended."""
        self._refused.pop(msg.id, None)

    def others(self, msg: Msg, account: str) -> bool:
        """Remember the refusal; whether another account might take the message."""
        refused = self._refused.setdefault(msg.id, set())
        refused.add(account)
        return any(name not in refused for name in self._core.providers)

    def arm(self) -> None:
        """Look for places in the next turn."""
        if not self._armed:
            self._armed = True
            self._core.later(0.0, self._pump)

    def _pump(self) -> None:
        self._armed = False
        if self._core.lease_left_s() < WRITE_TIMEOUT_S:
            return
        queue, self._queue = self._queue, []
        for msg in queue:
            if msg.phase is not Phase.OFFERED:
                continue
            account = self._choose(msg)
            if account and self._core.history.is_suppressed(msg.id, self._core.loop.now):
                now_ms = self._core.wall_ms()
                self._core.owner.turn_away(msg, "suppressed", "suppressed", "bounce", now_ms)
            elif account:
                self._intend(msg, account)
            else:
                self._queue.append(msg)
        self.after()

    def _choose(self, msg: Msg) -> str:
        """One that refused the message is asked again only where no other is left."""
        providers, refused = self._core.providers, self._refused.get(msg.id, ())
        names = [name for name in providers if name not in refused] or list(providers)
        if msg.repeat:
            names = [msg.repeat.account]
        fit = [name for name in names if self._in_flight[name] < providers[name].capacity]
        return self._core.chance.choice(fit) if fit else ""

    def _intend(self, msg: Msg, account: str) -> None:
        window_ms = self._core.providers[account].window_ms
        key = ""
        if msg.repeat is not None:
            key = msg.repeat.provider_key
        elif window_ms:
            key = f"{msg.id}.{len(msg.effects)}"
        if self._core.owner.intend(msg, account, key, window_ms, self._core.wall_ms()):
            self._in_flight[account] += 1

    # Calls

    def call(self, msg: Msg, attempt: str, intent: Intent) -> None:
        """The intent stands: connect, ask the guard, send."""
        core, chance = self._core, self._core.chance
        slow = core.store.faulty and chance.random() < 0.1
        told: list[bool] = []

        def done(outcome: Outcome) -> None:
            if told:
                if outcome.kind != "unknown":
                    self.on_late(msg, attempt, intent.account, outcome)
                return
            told.append(True)
            self._in_flight[intent.account] -= 1
            self.on_outcome(msg, attempt, intent.account, outcome)
            self.arm()

        def begin() -> None:
            if core.store.faulty and chance.random() < 0.03:
                done(Outcome("not_sent"))
            elif not self.guard(msg, attempt):
                done(Outcome("withdrawn"))
            else:
                self._first_byte(msg, attempt, intent, done)

        core.later(chance.uniform(0.5, 6.0) if slow else chance.uniform(0.001, 0.1), begin)

    def guard(self, msg: Msg, attempt: str) -> bool:
        """The last word before the first byte."""
        core = self._core
        return core.lease_left_s() >= WRITE_TIMEOUT_S and core.owner.may_call(
            msg, attempt, core.wall_ms()
        )

    def _first_byte(
        self, msg: Msg, attempt: str, intent: Intent, done: Callable[[Outcome], None]
    ) -> None:
        core, chance = self._core, self._core.chance
        assert msg.message is not None
        call = FirstByte(
            0.0,
            msg.id,
            msg.shard,
            intent.epoch,
            intent.account,
            intent.provider_key,
            msg.message.payload,
            attempt,
            intent.resend,
            False,
        )
        provider = core.providers[intent.account]
        slow = core.store.faulty and chance.random() < 0.1
        travels = chance.uniform(0.5, 0.95) if slow else chance.uniform(0.001, 0.05)
        lost = core.store.faulty and chance.random() < core.plan.answer_lost
        if lost and chance.random() < 0.3:
            core.later(CALL_TIMEOUT_S, lambda: done(Outcome("unknown")))
            return
        back_in = chance.uniform(0.001, 0.1)
        if lost:
            back_in = chance.choice((1e9, chance.uniform(0.5, 4.0)))

        def arrive() -> None:
            answer = provider.called(call)
            core.later(back_in, lambda: done(answer))

        core.loop.after(travels * WRITE_TIMEOUT_S, arrive)
        core.later(CALL_TIMEOUT_S, lambda: done(Outcome("unknown")))
