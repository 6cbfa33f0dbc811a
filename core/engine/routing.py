"""Which account takes which group of messages, decided as seldom as it may be.

Messages are put into groups for which one decision serves (`kind_of`). A decision for the best
account stands for a moment, as long as that account has room. What changes seldom is counted:
`generation` with policies and accounts (a message's kind may be another one then), `version` with
what is seen of accounts: their states, circuits, pauses.
"""

from bisect import bisect_left
from random import Random

import msgspec

from core.clock import Clock
from core.decide.fair import lane_of
from core.decide.parts import parts_of
from core.decide.policy import Policy, policy_for
from core.decide.route import Decision, Wanted, choose, reasons
from core.engine.accounts import Account
from core.engine.hooks import Hooks
from core.engine.lanes import Group, Kind
from core.engine.payload import Payload
from sync.owner.state import Msg

LOOK_EVERY_S = 0.01
DECIDE_EVERY_S = 0.02
EXPLAIN_EVERY_S = 0.25
SERVED_MAX = 10_000
NOBODY: frozenset[str] = frozenset()


class Routing:
    """See the module's docstring."""

    def __init__(
        self, accounts: dict[str, Account], hooks: Hooks, clock: Clock, random: Random
    ) -> None:
        self._accounts = accounts
        self._hooks = hooks
        self._clock = clock
        self._random = random
        self._refused: dict[str, frozenset[str]] = {}
        self._policies: object = None
        self._facts: tuple[object, ...] = ()
        self._known: tuple[object, ...] = ()
        self._look_at = 0.0
        self._served: dict[tuple[str, str, str, str], tuple[Policy, str]] = {}
        self._text_limits: list[int] = []
        self._by_country: set[str] = set()
        self.generation = 0
        self.version = 0

    # What is known

    def look_again(self) -> None:
        """Something changed: look at it the next time, however soon that is."""
        self._look_at = 0.0

    def look(self, now: float) -> None:
        """Notice what changed of policies and accounts."""
        policies = self._hooks.policies()
        if policies is self._policies and now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        known = tuple(self._accounts.values())
        if policies is not self._policies or known != self._known:
            self._policies, self._known = policies, known
            self._served.clear()
            self._text_limits = sorted({a.text_chars_max for a in known if a.text_chars_max})
            self._by_country = {a.channel for a in known if a.by_country}
            self.generation += 1
            self.version += 1
        facts = tuple(account.facts() for account in known)
        if facts != self._facts:
            self._facts = facts
            self.version += 1

    def refuse(self, msg: Msg, account: str) -> None:
        """Remember that the account refused the message."""
        self._refused[msg.id] = self._refused.get(msg.id, NOBODY) | {account}

    def forget(self, msg: Msg) -> None:
        """The message has ended, or leaves the memory for long."""
        self._refused.pop(msg.id, None)

    # Groups

    def kind_of(self, msg: Msg, payload: Payload) -> Kind:
        """What the message is like."""
        policy, country = self._serving(payload)
        text = payload.text
        limits = self._text_limits
        return Kind(
            policy.name,
            lane_of(payload.message_class),
            country,
            parts_of(payload.channel, text),
            bisect_left(limits, len(text)) if limits else 0,
            bool(payload.html),
            bool(msg.effects),
            self._refused.get(msg.id, NOBODY),
            "" if msg.repeat is None else msg.repeat.account,
        )

    def policy_of(self, payload: Payload) -> Policy:
        """The policy that serves the message."""
        return self._serving(payload)[0]

    def _serving(self, payload: Payload) -> tuple[Policy, str]:
        """The policy, and the country where that makes a difference."""
        key = (payload.tenant, payload.message_class, payload.channel, payload.country)
        found = self._served.get(key)
        if found is None:
            if len(self._served) >= SERVED_MAX:
                self._served.clear()
            tenant, message_class, channel, country = key
            policy = policy_for(self._hooks.policies(), tenant, message_class, channel, country)
            found = (policy, country if channel in self._by_country else "")
            self._served[key] = found
        return found

    # Decisions

    def decide(self, group: Group, now: float) -> Decision:
        """Who takes the group's messages now."""
        decision = group.decision
        if (
            decision is not None
            and now - group.decided_at < DECIDE_EVERY_S
            and not group.policy.explore
            and decision.account
            and decision.account == decision.candidates[0].account
            and self.room(decision.account, group.kind, now) > 0
        ):
            return decision
        decision = self._choose(group.wanted, group.policy, group.kind, now)
        group.decision, group.decided_at = decision, now
        return decision

    def others(self, payload: Payload, kind: Kind) -> bool:
        """Whether an account that has not refused the message might take it, now or soon."""
        policy = self.policy_of(payload)
        decision = self._choose(wanted_of(payload), policy, kind, self._clock.boot())
        return any(not scored.refused for scored in decision.candidates)

    def room(self, account_id: str, kind: Kind, now: float) -> int:
        """How many messages of this kind the account takes now."""
        account = self._accounts.get(account_id)
        return 0 if account is None else account.room(kind.lane, kind.again, now)

    def note(self, group: Group, decision: Decision, now: float) -> bytes:
        """The explanation as bytes. Of many alike within a moment, the first one's stands."""
        known = group.notes.get(decision.account)
        if known is None or now - known[0] > EXPLAIN_EVERY_S:
            known = group.notes[decision.account] = (now, msgspec.json.encode(decision))
        return known[1]

    def _choose(self, wanted: Wanted, policy: Policy, kind: Kind, now: float) -> Decision:
        candidates = [
            each.candidate(kind.lane, kind.again, each.id in kind.refused, now)
            for each in self._accounts.values()
            if each.channel == wanted.channel and (not kind.only or each.id == kind.only)
        ]
        return choose(wanted, candidates, policy, self._random.random())


def wanted_of(payload: Payload) -> Wanted:
    """What is to be sent, as a decision needs it."""
    return Wanted(
        payload.channel,
        payload.tenant,
        payload.message_class,
        payload.country,
        parts_of(payload.channel, payload.text),
        len(payload.text),
        bool(payload.html),
    )


def why_waiting(channel: str, decision: Decision) -> str:
    """Why nobody takes them now, for people."""
    if decision.candidates:
        return f"no free place at {', '.join(s.account for s in decision.candidates)}"
    return reasons(decision.removed, channel)
