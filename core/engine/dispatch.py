"""From an offered message to the call: whose turn it is, which account, a place held.

Urgent classes go before others, and tenants share what there is. A place and the rights for it are
held before the intent is asked for, so what can be in doubt is at most the sum of the windows. The
explanation of a choice is stored with the intent. One turn of the event loop takes a bounded
number of messages, whatever waits: the next turn is asked for behind what came meanwhile.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from random import Random

from msgspec import Struct

from core.clock import Clock
from core.decide.route import Decision, ends_at_once, reasons
from core.engine.accounts import Account
from core.engine.calls import Calls
from core.engine.hooks import Hooks
from core.engine.lanes import Channel, Group
from core.engine.payload import Payload, content_of
from core.engine.routing import Routing, wanted_of, why_waiting
from core.providers.port import Outcome
from sync.owner.owner import Owner
from sync.owner.state import Msg
from sync.records import Intent

SUPPRESSED = "the contact point is suppressed"
TURN_MESSAGES = 32
TURN_DECISIONS = 16


class TurnRules(Struct, frozen=True):
    """Whose turn it is: weights of tenants (1.0 where none is given), and bulk's part."""

    weights: dict[str, float] = {}
    bulk_ratio: int = 8

    def weight(self, tenant: str) -> float:
        """The tenant's weight."""
        return self.weights.get(tenant, 1.0)


class Dispatcher:
    """See the module's docstring. `lease_left_s` is asked in the turn of the first byte.

    One for the messages of all homes: `owner_of` is the owner of a home. The clocked work looks
    for places every `tick_s` seconds.
    """

    def __init__(
        self,
        owner_of: Callable[[str], Owner],
        accounts: dict[str, Account],
        clock: Clock,
        random: Random,
        lease_left_s: Callable[[], float],
        write_timeout_s: float,
        turns: TurnRules,
        tick_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner_of = owner_of
        self._accounts = accounts
        self._clock = clock
        self._lease_left_s = lease_left_s
        self._turns = turns
        self._tick_s = tick_s
        self.hooks = Hooks()
        self._routing = Routing(accounts, self.hooks, clock, random)
        self._calls = Calls(owner_of, self.hooks, clock, lease_left_s, write_timeout_s)
        self._calls.on_free = self.arm
        self.call: Callable[[Msg, str, Intent], None] = self._calls.call
        self.forget: Callable[[Msg], None] = self._routing.forget
        self._channels: dict[str, Channel] = {}
        self._armed = False
        self._timer: asyncio.TimerHandle | None = None
        self.stopping = False
        self.after: Callable[[], None] = lambda: None

    @property
    def on_outcome(self) -> Callable[[Msg, str, Account, Outcome], None]:
        """Who hears what came of each call."""
        return self._calls.on_outcome

    @on_outcome.setter
    def on_outcome(self, hears: Callable[[Msg, str, Account, Outcome], None]) -> None:
        self._calls.on_outcome = hears

    @property
    def waiting(self) -> int:
        """Messages that wait for a place."""
        return sum(channel.waiting for channel in self._channels.values())

    def waiting_in(self, lane: int) -> int:
        """Messages of one lane (`core.decide.fair.LANES`) that wait for a place."""
        return sum(channel.waiting_in(lane) for channel in self._channels.values())

    @property
    def calling(self) -> int:
        """Places held."""
        return sum(account.in_flight for account in self._accounts.values())

    def has_right(self) -> bool:
        """Whether the own lease is valid now: before each word that is told of an end."""
        return self._lease_left_s() > 0

    def offer(self, msg: Msg) -> None:
        """A message is free to send.

        By what was known at the last turn: the next one regroups what has become of another kind.
        """
        payload = content_of(msg)
        channel = self._channels.get(payload.channel)
        if channel is None:
            channel = Channel(self._turns.weight, self._turns.bulk_ratio)
            self._channels[payload.channel] = channel
        kind = self._routing.kind_of(msg, payload)
        group = channel.group(kind)
        if group is None or group.generation != self._routing.generation:
            policy = self._routing.policy_of(payload)
            group = channel.add_group(kind, wanted_of(payload), policy, self._routing.generation)
        msg.why = group.why
        group.turns.add(payload.tenant, msg)
        self.arm()

    def lost(self, home: str, shards: set[int]) -> None:
        """Shards of a home are gone: places held for intents of theirs are free again."""
        self._calls.lost(home, shards)

    def arm(self) -> None:
        """Look for places in the next turn."""
        if not self._armed:
            self._armed = True
            self._loop.call_soon(self._pump)

    def changed(self) -> None:
        """An account or a policy changed: look at all of them in the next turn."""
        self._routing.look_again()
        self.arm()

    def others(self, msg: Msg, payload: Payload, account: str) -> bool:
        """Remember that the account refused the message; whether another one might take it."""
        self._routing.refuse(msg, account)
        return self._routing.others(payload, self._routing.kind_of(msg, payload))

    def _pump(self) -> None:
        self._armed = False
        if not self._calls.may_begin:
            return  # no call could begin; the clocked work looks again
        now = self._clock.boot()
        self._routing.look(now)
        more = False
        for channel in self._channels.values():
            more = self._pump_channel(channel, now) or more
        self.after()
        if more:
            self.arm()
        else:
            self._sleep(now)

    def _pump_channel(self, channel: Channel, now: float) -> bool:
        """Serve the groups whose turn it is; whether there is more to do at once."""
        left, decisions = TURN_MESSAGES, TURN_DECISIONS
        free = partial(self._free, now)
        while not self.stopping:
            if left <= 0 or decisions <= 0:
                return True
            group, allowed = channel.next(free)
            if group is None:
                return False
            decisions -= 1
            if group.generation != self._routing.generation:
                left -= self._offer_again(group, left)
                continue
            decision = self._routing.decide(group, now)
            if decision.account:
                count = min(left, allowed or left, 1 if group.policy.explore else left)
                served = self._serve(group, decision, count, now)
                channel.went(group, served, bool(allowed))
                left -= served
            elif ends_at_once(decision, group.policy) and not group.kind.only:
                left -= self._turn_away(group, decision, left)
            else:
                self._stand_still(group, decision)
        return False

    def _free(self, now: float, group: Group) -> bool:
        """Whether it is worth a decision: it does not stand still, or what it waits for came."""
        if group.seen < 0:
            return True
        room, kind = self._routing.room, group.kind
        if group.seen != self._routing.version or any(
            room(account, kind, now) > 0 for account in group.waits_for
        ):
            group.go_on()
            return True
        return False

    def _serve(self, group: Group, decision: Decision, most: int, now: float) -> int:
        """Give the account messages of the group while it has room; how many left the queue."""
        account, kind, turns = self._accounts[decision.account], group.kind, group.turns
        note = self._routing.note(group, decision, now)
        room = min(most, account.room(kind.lane, kind.again, now))
        served, now_ms = 0, self._clock.wall_ms()
        while served < room:
            msg = turns.take()
            if msg is None:
                break
            served += 1
            why = self.hooks.suppressed(content_of(msg))
            if why:
                self._owner_of(msg.home).turn_away(msg, "suppressed", why, SUPPRESSED, now_ms)
            elif self._intend(msg, account, note, now_ms):
                self._calls.hold(msg, account, kind.again, now)
        return served

    def _intend(self, msg: Msg, account: Account, note: bytes, now_ms: int) -> bool:
        capabilities = account.capabilities
        idempotency = capabilities.idempotency if capabilities else None
        provider_key = ""
        if msg.repeat is not None:
            provider_key = msg.repeat.provider_key
        elif idempotency is not None:
            provider_key = f"{msg.id}.{len(msg.effects)}"[-idempotency.key_bytes_max :]
        return self._owner_of(msg.home).intend(
            msg,
            account.id,
            provider_key,
            idempotency.window_ms if idempotency else 0,
            now_ms,
            note,
        )

    def _turn_away(self, group: Group, decision: Decision, most: int) -> int:
        """No account is left for them, and the policy says that they need not wait."""
        why, now_ms = reasons(decision.removed, group.wanted.channel), self._clock.wall_ms()
        count = 0
        while count < most and (msg := group.turns.pull()) is not None:
            count += 1
            self._owner_of(msg.home).turn_away(msg, "failed", "no_route", why, now_ms)
        return count

    def _offer_again(self, group: Group, most: int) -> int:
        """Policies or accounts changed: what waits may be of another kind now."""
        count = 0
        while count < most and (msg := group.turns.pull()) is not None:
            count += 1
            self.offer(msg)
        return count

    def _stand_still(self, group: Group, decision: Decision) -> None:
        accounts = tuple(scored.account for scored in decision.candidates)
        why = why_waiting(group.wanted.channel, decision)
        group.stand_still(accounts, self._routing.version, why)

    def _sleep(self, now: float) -> None:
        """Wake up when a rate lets more through, where that is before the clocked work looks."""
        soonest = min(
            (
                self._accounts[account].wait_s(group.kind.lane, now)
                for channel in self._channels.values()
                for group in channel.groups()
                if group.turns.count
                for account in group.waits_for
                if account in self._accounts
            ),
            default=inf,
        )
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if soonest < self._tick_s:
            self._timer = self._loop.call_later(soonest, self.arm)
