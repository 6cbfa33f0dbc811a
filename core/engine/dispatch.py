"""From an offered message to the call: queues, the choice of an account, a place in its window.

Urgent messages go before others of the same channel. A place in the account's window is held
before the intent is asked for, so what can be in doubt is at most the sum of the windows. The
explanation of a choice is stored with the intent.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from core.clock import Clock
from core.decide.policy import DEFAULT
from core.decide.route import Decision, Wanted, choose
from core.engine.accounts import Account
from core.engine.payload import Payload, content_of
from core.providers.port import Call, Outcome, OutMessage
from sync.owner.owner import Owner
from sync.owner.state import Msg, Phase
from sync.records import Intent

EXPLAIN_EVERY_S = 0.25
CHOOSY_AT_ONCE = 64


class Dispatcher:
    """See the module's docstring. `lease_left_s` is asked in the turn of the first byte."""

    def __init__(
        self,
        owner: Owner,
        accounts: dict[str, Account],
        clock: Clock,
        lease_left_s: Callable[[], float],
        write_timeout_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._accounts = accounts
        self._clock = clock
        self._lease_left_s = lease_left_s
        self._write_timeout_s = write_timeout_s
        self._queues: dict[tuple[str, bool], deque[Msg]] = {}
        self._choosy: dict[tuple[str, bool], deque[Msg]] = {}
        self._refused: dict[str, set[str]] = {}
        self._places: dict[str, tuple[Msg, Account]] = {}
        self._armed = False
        self._why: dict[str, str] = {}
        self._notes: dict[tuple[str, str], tuple[float, bytes]] = {}
        self.stopping = False
        self.on_outcome: Callable[[Msg, str, Account, Outcome], None] = lambda *_: None
        self.after: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> int:
        """Messages that wait for a place."""
        queues = (*self._queues.values(), *self._choosy.values())
        return sum(len(queue) for queue in queues)

    @property
    def calling(self) -> int:
        """Places held."""
        return sum(account.in_flight for account in self._accounts.values())

    def has_right(self) -> bool:
        """Whether the own lease is valid now: before each word that is told of an end."""
        return self._lease_left_s() > 0

    def offer(self, msg: Msg) -> None:
        """A message is free to send."""
        assert msg.message is not None
        payload = content_of(msg)
        key = (payload.channel, msg.message.urgent)
        if key not in self._queues:
            self._queues[key] = deque()
            self._choosy[key] = deque()
        msg.why = self._why.get(payload.channel, "")
        choosy = msg.id in self._refused or msg.repeat is not None
        (self._choosy if choosy else self._queues)[key].append(msg)
        self.arm()

    def forget(self, msg: Msg) -> None:
        """The message has ended."""
        self._refused.pop(msg.id, None)

    def lost(self, shards: set[int]) -> None:
        """Shards are gone: places held for intents of theirs are free again."""
        for message_id, (msg, account) in list(self._places.items()):
            if msg.shard in shards:
                del self._places[message_id]
                account.in_flight -= 1

    def arm(self) -> None:
        """Look for places in the next turn."""
        if not self._armed:
            self._armed = True
            self._loop.call_soon(self._pump)

    def others(self, msg: Msg, payload: Payload, account: str) -> bool:
        """Remember that the account refused the message; whether another one might take it."""
        refused = self._refused.setdefault(msg.id, set())
        refused.add(account)
        return any(
            a.channel == payload.channel and a.state == "up" and a.id not in refused
            for a in self._accounts.values()
        )

    def _pump(self) -> None:
        self._armed = False
        if self._lease_left_s() < self._write_timeout_s:
            return  # no call could begin; the clocked work looks again
        for (channel, urgent), queue in sorted(self._queues.items(), key=_urgent_first):
            self._pump_choosy(channel, self._choosy[(channel, urgent)])
            self._pump_queue(channel, queue)
        self.after()

    def _pump_queue(self, channel: str, queue: deque[Msg]) -> None:
        """One decision serves as many messages as the chosen account has room for."""
        while queue and not self.stopping:
            if queue[0].phase is not Phase.OFFERED:
                queue.popleft()  # parked or ended while it waited
                continue
            decision = choose(
                Wanted(channel), [a.candidate(False) for a in self._accounts.values()], DEFAULT, 0.0
            )
            if not decision.account:
                self._explain(channel, queue, decision)
                return
            self._why.pop(channel, None)
            left = self._accounts[decision.account].room
            while queue and left > 0:
                msg = queue.popleft()
                if msg.phase is Phase.OFFERED and self._intend(msg, decision):
                    left -= 1

    def _explain(self, channel: str, queue: deque[Msg], decision: Decision) -> None:
        """Say why messages wait: all are told when no account can be used, and only once."""
        why = queue[0].why = _why_waiting(channel, decision)
        if decision.candidates or self._why.get(channel) == why:
            return
        self._why[channel] = why
        for (of, _), waiting in self._queues.items():
            for msg in waiting if of == channel else ():
                msg.why = why

    def _pump_choosy(self, channel: str, queue: deque[Msg]) -> None:
        """Messages that an account refused, or that must go to one: each is decided by itself."""
        for _ in range(min(len(queue), CHOOSY_AT_ONCE)):
            if self.stopping:
                return
            msg = queue.popleft()
            if msg.phase is not Phase.OFFERED:
                continue
            decision = self._decide(channel, msg)
            if decision.account:
                self._intend(msg, decision)
            else:
                msg.why = _why_waiting(channel, decision)
                queue.append(msg)

    def _decide(self, channel: str, msg: Msg) -> Decision:
        refused = self._refused.get(msg.id, ())
        accounts: Iterable[Account] = self._accounts.values()
        if msg.repeat is not None:
            accounts = [a for a in accounts if a.id == msg.repeat.account]
        candidates = [a.candidate(a.id in refused) for a in accounts]
        return choose(Wanted(channel), candidates, DEFAULT, 0.0)

    def _intend(self, msg: Msg, decision: Decision) -> bool:
        account = self._accounts[decision.account]
        capabilities = account.capabilities
        idempotency = capabilities.idempotency if capabilities else None
        provider_key = ""
        if msg.repeat is not None:
            provider_key = msg.repeat.provider_key
        elif idempotency is not None:
            provider_key = f"{msg.id}.{len(msg.effects)}"[-idempotency.key_bytes_max :]
        held = self._owner.intend(
            msg,
            account.id,
            provider_key,
            idempotency.window_ms if idempotency else 0,
            self._clock.wall_ms(),
            self._note(msg, decision),
        )
        if held:
            account.in_flight += 1
            self._places[msg.id] = (msg, account)
        return held

    def _note(self, msg: Msg, decision: Decision) -> bytes:
        """The explanation as bytes. Of many alike within a moment, the first one's stands."""
        if msg.id in self._refused or msg.repeat is not None:
            return msgspec.json.encode(decision)
        now = self._clock.boot()
        key = (decision.account, decision.candidates[0].account)
        known = self._notes.get(key)
        if known is None or now - known[0] > EXPLAIN_EVERY_S:
            known = self._notes[key] = (now, msgspec.json.encode(decision))
        return known[1]

    # Calls

    def call(self, msg: Msg, attempt: str, intent: Intent) -> None:
        """The intent stands: call the account's adapter."""
        _, account = self._places.pop(msg.id)
        assert msg.message is not None
        payload = content_of(msg)

        def guard() -> bool:
            return self._lease_left_s() >= self._write_timeout_s and self._owner.may_call(
                msg, attempt, self._clock.wall_ms()
            )

        def done(outcome: Outcome) -> None:
            account.in_flight -= 1
            account.answered(outcome)
            self.on_outcome(msg, attempt, account, outcome)
            self.arm()

        if account.adapter is None:
            done(Outcome("not_sent", detail="the account was taken away"))
            return
        out = OutMessage(
            f"{msg.id}.{attempt}.{intent.epoch}",
            payload.to,
            "",
            payload.text,
            payload.subject,
            payload.html,
            intent.expires_ms - self._clock.wall_ms(),
        )
        account.adapter.submit(Call(out, guard, done))


def _urgent_first(item: tuple[tuple[str, bool], object]) -> bool:
    return not item[0][1]


def _why_waiting(channel: str, decision: Decision) -> str:
    if decision.candidates:
        return f"no free place at {', '.join(s.account for s in decision.candidates)}"
    reasons = [r for r in decision.removed if not r.why.startswith("serves ")]
    if not reasons:
        return f"no account serves the channel {channel}"
    return "; ".join(f"{r.account}: {r.why}" for r in reasons)
