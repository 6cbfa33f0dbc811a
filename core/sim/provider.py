"""Providers: what reached them, what they answered, and the receipts that they send.

A provider belongs to no region. One without a window knows no keys; the others take a repeated
key within their window for the same message. A receipt that is refused or never acknowledged is
sent again a few times, each time to whichever core its connection then leads to. Some give back
another name than the attempt's, where a profile says so.
"""

from collections.abc import Callable
from random import Random

from core.providers.port import Outcome, OutcomeKind, ReceiptIn, ReceiptStatus
from core.sim.history import FirstByte, History
from core.sim.plan import Plan
from core.sim.process import Process
from core.sim.scheduler import Scheduler

Hand = Callable[[str, ReceiptIn, str], None]
PROVIDERS = "providers"  # a region of their own in traces
NOES: tuple[OutcomeKind, ...] = ("retryable", "retryable", "throttled", "permanent")
STATUSES: tuple[ReceiptStatus, ...] = ("delivered", "delivered", "failed", "accepted", "seen")
RECEIPT_TRIES = 8
AGAIN_S = 2.0


class Provider:
    """One account's provider. `hand` gives a receipt to some living process."""

    def __init__(
        self,
        account: str,
        channel: str,
        window_ms: int,
        scheduler: Scheduler,
        plan: Plan,
        chance: Random,
        history: History,
        hand: Hand,
    ) -> None:
        self.account = account
        self.channel = channel
        self.window_ms = window_ms
        self.faulty = True
        self._scheduler = scheduler
        self._plan = plan
        self._chance = chance
        self._history = history
        self._hand = hand
        self._keys: dict[str, tuple[float, str]] = {}
        self._next = 0
        self._chance_of_garbling = Random(f"{plan.seed}:{account} garbles")

    def called(self, call: FirstByte) -> Outcome:
        """The first byte of a call is here; the answer, as the provider gives it."""
        now = call.at = self._scheduler.now
        self._history.bytes.append(call)
        answer = self._answer(call, now)
        self._history.trace.add(
            now,
            PROVIDERS,
            self.account,
            "call",
            f"{call.attempt} in epoch {call.epoch}: {answer.kind}",
            call.id,
        )
        return answer

    def on_way(self, process: Process, text: str, message_id: str, arrives_s: float) -> None:
        """A first byte has left, whatever becomes of who sent it."""
        now, trace = self._scheduler.now, self._history.trace
        told = (process.name, "send", text, message_id, PROVIDERS, arrives_s)
        trace.add(now, process.region, *told)

    def _answer(self, call: FirstByte, now: float) -> Outcome:
        if self.window_ms and call.key in self._keys:
            at, provider_id = self._keys[call.key]
            if (now - at) * 1000 < self.window_ms:
                return Outcome("accepted", provider_id)
        if self.faulty and self._chance.random() < self._plan.no:
            kind = self._chance.choice(NOES if self.channel != "webhook" else NOES[-1:])
            return Outcome(kind, wait_ms=700 if kind == "throttled" else 0)
        self._next += 1
        provider_id = f"{self.account}{self._next}"
        self._keys[call.key] = (now, provider_id)
        call.sent = True
        self._plan_receipts(provider_id, call)
        return Outcome("accepted", provider_id)

    def _plan_receipts(self, provider_id: str, call: FirstByte) -> None:
        chance = self._chance
        named = chance.random() < 0.5
        for _ in range(chance.choice((0, 1, 1, 2))):
            early = chance.random() < self._plan.receipt_first
            wait_s = chance.uniform(0, 0.1) if early else chance.uniform(0.3, 8)
            ref = f"{call.id}.{self._name(call.attempt)}.{call.epoch}" if named else ""
            self._send(provider_id, chance.choice(STATUSES), ref, call, wait_s, RECEIPT_TRIES)

    def _name(self, attempt: str) -> str:
        """The attempt's name as the provider gives it back."""
        chance = self._chance_of_garbling
        if chance.random() >= self._plan.garbled:
            return attempt
        return chance.choice((f"{attempt[:-1]}x", f"{attempt}-0", attempt.partition("-")[2]))

    def _send(
        self,
        provider_id: str,
        status: ReceiptStatus,
        ref: str,
        call: FirstByte,
        wait_s: float,
        tries: int,
    ) -> None:
        answered: list[bool] = []

        def ack() -> None:
            answered.append(True)
            self._history.acked.append((self.account, provider_id, call.attempt, call.id))

        def send() -> None:
            receipt = ReceiptIn(provider_id, status, ack, lambda: answered.append(False), ref)
            receipt.at_ms = self._plan.start_ms + int(self._scheduler.now * 1000)
            self._hand(self.account, receipt, call.id)
            self._scheduler.after(AGAIN_S, again)

        def again() -> None:
            if True not in answered and tries > 1:
                self._send(provider_id, status, ref, call, 0.0, tries - 1)

        self._scheduler.after(wait_s, send)
