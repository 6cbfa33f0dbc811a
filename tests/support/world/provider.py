"""Providers of a walk: what reached them, what they answered, and the receipts they send.

Account "plain" knows no keys; "keyed" takes a repeated key within its window for the same message.
A receipt that is refused or never acknowledged is sent again a few times.
"""

from collections.abc import Callable
from random import Random

from core.providers.port import Outcome, OutcomeKind, ReceiptIn, ReceiptStatus
from tests.support.world.history import FirstByte, History
from tests.support.world.loop import Loop
from tests.support.world.plan import Plan

Hand = Callable[[str, ReceiptIn], None]
NOES: tuple[OutcomeKind, ...] = ("retryable", "retryable", "throttled", "permanent")
RECEIPT_TRIES = 8


class Provider:
    """One account. `hand` gives a receipt to some living process."""

    def __init__(
        self,
        account: str,
        window_ms: int,
        capacity: int,
        loop: Loop,
        plan: Plan,
        chance: Random,
        history: History,
        hand: Hand,
    ) -> None:
        self.account = account
        self.window_ms = window_ms
        self.capacity = capacity
        self.faulty = True
        self._loop = loop
        self._plan = plan
        self._chance = chance
        self._history = history
        self._hand = hand
        self._keys: dict[str, tuple[float, str]] = {}
        self._next = 0

    def called(self, call: FirstByte) -> Outcome:
        """The first byte of a call is here; the answer, as the provider gives it."""
        call.at = self._loop.now
        self._history.bytes.append(call)
        if self.window_ms and call.key in self._keys:
            at, provider_id = self._keys[call.key]
            if (self._loop.now - at) * 1000 < self.window_ms:
                return Outcome("accepted", provider_id)
        if self.faulty and self._chance.random() < self._plan.no:
            kind = self._chance.choice(NOES)
            return Outcome(kind, wait_ms=700 if kind == "throttled" else 0)
        self._next += 1
        provider_id = f"{self.account}{self._next}"
        self._keys[call.key] = (self._loop.now, provider_id)
        call.sent = True
        self._plan_receipts(provider_id, call)
        return Outcome("accepted", provider_id)

    def _plan_receipts(self, provider_id: str, call: FirstByte) -> None:
        chance = self._chance
        named = chance.random() < 0.5
        for _ in range(chance.choice((0, 1, 1, 2))):
            early = chance.random() < self._plan.receipt_first
            wait = chance.uniform(0, 0.1) if early else chance.uniform(0.3, 8)
            status = chance.choice(("delivered", "delivered", "failed", "accepted", "seen"))
            ref = f"{call.id}.{call.attempt}.{call.epoch}" if named else ""
            self._send_receipt(provider_id, status, ref, call, wait, RECEIPT_TRIES)

    def _send_receipt(
        self,
        provider_id: str,
        status: ReceiptStatus,
        ref: str,
        call: FirstByte,
        wait: float,
        tries: int,
    ) -> None:
        answered: list[bool] = []

        def ack() -> None:
            answered.append(True)
            self._history.acked.append((self.account, provider_id, call.attempt, call.id))

        def send() -> None:
            receipt = ReceiptIn(provider_id, status, ack, lambda: answered.append(False), ref)
            receipt.at_ms = int(self._loop.now * 1000)
            self._hand(self.account, receipt)
            self._loop.after(2.0, again)

        def again() -> None:
            if True not in answered and tries > 1:
                self._send_receipt(provider_id, status, ref, call, 0.0, tries - 1)

        self._loop.after(wait, send)
