"""A dispatcher with accounts whose calls a test answers, and an owner that says yes to intents."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from core.accounts.facts import facts_of
from core.accounts.model import ProviderAccount
from core.contract.providers import AccountLimits
from core.contract.sections.common import RegionSettings
from core.engine.accounts import Account
from core.engine.dispatch import Dispatcher, TurnRules
from core.engine.payload import Payload, encode_payload
from core.engine.protection import Protection, ProtectionRules
from core.providers.port import Call, Capabilities, Outcome
from sync.owner.state import Msg, Phase
from sync.records import Intent, Message, Place

DAY_MS = 86_400_000


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.wall = 20_000 * DAY_MS + 5

    def boot(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return self.wall

    def wall_us(self) -> int:
        return self.wall * 1000

    def go(self, seconds: float) -> None:
        self.now += seconds
        self.wall += int(seconds * 1000)


class FakeAdapter:
    """Takes calls up to `window` and keeps them until the test answers."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.calls: list[Call] = []
        self.says = "up"

    def capacity(self) -> int:
        return self.window if self.says == "up" else 0

    def state(self) -> str:
        return self.says

    def submit(self, call: Call) -> None:
        self.calls.append(call)

    def answer(self, kind: str = "accepted", **more: Any) -> None:
        """Answer the oldest call."""
        self.calls.pop(0).done(Outcome(kind, **more))


class FakeOwner:
    """Writes an intent at once, and remembers what was turned away."""

    def __init__(self) -> None:
        self.intended: list[tuple[Msg, str]] = []
        self.turned: list[tuple[str, str, str, str]] = []
        self.call: Callable[[Msg, str, Intent], None] = lambda *_: None

    def intend(
        self, msg: Msg, account: str, key: str, dedupe_ms: int, now_ms: int, note: bytes
    ) -> bool:
        assert msg.message is not None
        assert msg.accept is not None
        msg.phase = Phase.CALLING
        expires_ms = msg.message.expires_ms
        intent = Intent(
            msg.id, 0, 1, msg.accept, b"", account, key, dedupe_ms, now_ms, False, expires_ms, 0,
            now_ms, (), note,
        )  # fmt: skip
        self.intended.append((msg, account))
        self.call(msg, "a", intent)
        return True

    def turn_away(self, msg: Msg, state: str, reason: str, detail: str, now_ms: int) -> None:
        msg.phase = Phase.ENDING
        self.turned.append((msg.id, state, reason, detail))

    def may_call(self, msg: Msg, attempt: str, now_ms: int) -> bool:
        return True


class Stage:
    """The dispatcher, its clock, its owner; `accounts` are made by `account`."""

    def __init__(self, turns: TurnRules | None = None) -> None:
        self.clock = Clock()
        self.owner = FakeOwner()
        self.accounts: dict[str, Account] = {}
        self.lease_s = 10.0
        self.dispatcher = Dispatcher(
            lambda _: self.owner,  # type: ignore[arg-type,return-value]
            self.accounts,
            self.clock,
            Random(1),
            lambda: self.lease_s,
            1.0,
            turns or TurnRules(),
            0.025,
        )
        self._loop = asyncio.get_running_loop()
        self.owner.call = lambda *a: self._ready.append(a)
        self._ready: list[tuple[Msg, str, Intent]] = []
        self.dispatcher.after = self._durable
        self._made = 0
        self.home = "h"

    def _durable(self) -> None:
        ready, self._ready = self._ready, []
        for msg, attempt, intent in ready:
            self.dispatcher.call(msg, attempt, intent)

    def account(
        self,
        name: str,
        window: int = 10,
        *,
        priority: int = 100,
        limits: AccountLimits | None = None,
        rules: ProtectionRules | None = None,
        channel: str = "sms",
        day: Any = None,
        **more: Any,
    ) -> FakeAdapter:
        given = ProviderAccount(name, "fake", channel, True, priority, **more)  # type: ignore[arg-type]
        protection = Protection(rules or ProtectionRules(), limits or AccountLimits(), day)
        facts = facts_of(given, RegionSettings())
        account = Account(given, 1, facts, self.clock, 60.0, protection)
        adapter = FakeAdapter(window)
        account.adapter = adapter  # type: ignore[assignment]
        account.capabilities = Capabilities("fake", channel, ("text", "html"), 1000, True, True)
        self.accounts[name] = account
        self.dispatcher.changed()
        return adapter

    def offer(self, message_class: str = "transactional", tenant: str = "t", **more: Any) -> Msg:
        fields = {"channel": "sms", "to": "+447300000001", "country": "GB", "text": "hello", **more}
        effects = fields.pop("effects", [])
        payload = Payload(
            tenant=tenant,
            notification="n",
            message_class=message_class,
            durability="local",
            trace="",
            **fields,
        )
        self._made += 1
        msg = Msg(f"{self.home}-m{self._made}", 0)
        urgent = message_class in ("otp", "alert")
        expires_ms = self.clock.wall + 10**9
        body = encode_payload(payload)
        msg.message = Message(msg.id, 0, b"", 0, urgent, False, expires_ms, 77, body)
        msg.accept = Place("accept", 1, 0)
        msg.effects = effects
        self.again(msg)
        return msg

    def again(self, msg: Msg) -> None:
        """Offer a message, perhaps not for the first time."""
        msg.phase = Phase.OFFERED
        self.dispatcher.offer(msg)

    async def settle(self) -> None:
        """Let the loop turn until the dispatcher has nothing to do at once."""
        self.dispatcher.changed()
        for _ in range(3):
            await asyncio.sleep(0)
        while self.dispatcher._armed:
            await asyncio.sleep(0)

    def sent(self) -> list[str]:
        """Ids in the order of their intents."""
        return [msg.id for msg, _ in self.owner.intended]
