"""The provider accounts at work in this process: adapter, window, quality, pauses, protection.

An account whose credentials cannot be opened, or that its provider refuses, is kept with the
reason as its state; nothing is sent through it until it is edited.
"""

from collections.abc import Callable
from math import inf

from core.accounts.facts import RouteFacts
from core.accounts.model import ProviderAccount
from core.clock import Clock
from core.decide.route import Candidate, Circuit
from core.engine.protection import Held, Protection
from core.providers.port import Adapter, Capabilities, Outcome, ReceiptIn
from ml.latency import Latency
from ml.quality import Quality

GOOD = frozenset({"accepted", "invalid_target", "permanent"})
SILENT = frozenset({"withdrawn", "not_sent"})


class Account:
    """One account at work. `in_flight` counts places held and calls under way."""

    def __init__(
        self,
        given: ProviderAccount,
        version: int,
        facts: RouteFacts,
        clock: Clock,
        half_life_s: float,
        protection: Protection,
    ) -> None:
        self.id = given.id
        self.channel = given.channel
        self.version = version
        self.enabled = given.enabled
        self.adapter: Adapter | None = None
        self.capabilities: Capabilities | None = None
        self.problem = ""
        self.in_flight = 0
        self.paused_until = 0.0
        self.protection = protection
        self._route = facts
        self._clock = clock
        self._quality = Quality(half_life_s)
        self._latency = Latency()

    @property
    def state(self) -> str:
        """`up`, or why it cannot be used."""
        if not self.enabled:
            return "disabled"
        if self.problem:
            return self.problem
        return "no adapter" if self.adapter is None else self.adapter.state()

    @property
    def shown(self) -> str:
        """The state for people, with that of its circuit."""
        state, circuit = self.state, self.circuit
        if state != "up" or circuit == "closed":
            return state
        breaker = self.protection.breaker
        if circuit == "half_open":
            return f"circuit half open: tried again after {breaker.why}"
        return f"circuit open for {breaker.left_s(self._clock.boot()):.0f} s: {breaker.why}"

    @property
    def circuit(self) -> Circuit:
        """How its circuit stands."""
        return self.protection.breaker.state(self._clock.boot())

    @property
    def has_receipts(self) -> bool:
        """Whether the provider may report back."""
        return self.capabilities is not None and self.capabilities.receipts

    @property
    def provider_answers(self) -> bool:
        """Whether answers are the account's provider's, and not of each recipient's own server."""
        return self.capabilities is None or self.capabilities.answers_for == "account"

    @property
    def by_country(self) -> bool:
        """Whether the country makes a difference: for its price, or whether it sends there."""
        reach = self._route.destinations
        return bool(self._route.price.by_country or reach.allow or reach.deny)

    @property
    def text_chars_max(self) -> int:
        """The longest text; 0 stands for no limit."""
        return self.capabilities.text_chars_max if self.capabilities else 0

    def room(self, lane: int, again: bool, now: float) -> int:
        """How many more calls of the lane it takes now; `again`: they are retries."""
        if self.problem or self.adapter is None or now < self.paused_until:
            return 0
        capacity = self.adapter.capacity()
        again = again and self.provider_answers
        return self.protection.room(capacity, self.in_flight, lane, again, now)

    def wait_s(self, lane: int, now: float) -> float:
        """How long until its rate lets one more of the lane through; infinite where it is not
        the rate that stands in the way."""
        if self.problem or self.adapter is None or now < self.paused_until:
            return inf
        return self.protection.wait_s(lane, now) or inf

    def facts(self) -> tuple[object, ...]:
        """What decisions rest on and seldom changes."""
        day = self.protection.day
        paused = self._clock.boot() < self.paused_until
        return (self.id, self.state, self.circuit, paused, day is not None and day.used_up)

    def candidate(self, lane: int, again: bool, refused: bool, now: float) -> Candidate:
        """The facts for a routing decision."""
        capabilities, day, route = self.capabilities, self.protection.day, self._route
        return Candidate(
            self.id,
            self.channel,
            self.enabled,
            route.priority,
            self._quality.success(now),
            self._latency.mean_ms,
            route.price,
            route.destinations,
            route.distance_km,
            self.state,
            self.protection.breaker.state(now),
            self.room(lane, again, now),
            max(0, int((self.paused_until - now) * 1000)),
            0 if day is not None and day.used_up else None,
            refused,
            capabilities.text_chars_max if capabilities else 0,
            capabilities is None or "html" in capabilities.formats,
        )

    def hold(self, again: bool, now: float) -> Held:
        """Hold a place for one call, and spend the rights for it."""
        self.in_flight += 1
        return self.protection.hold(again and self.provider_answers, now)

    def drop(self, held: Held) -> None:
        """The place is free again, and no call was made."""
        self.in_flight -= 1
        self.protection.drop(held)

    def answered(self, outcome: Outcome, held: Held, begun: float) -> None:
        """Free the place and learn from the answer to a call; a throttled account rests for as
        long as it asked. What a recipient's own server says holds for nobody else."""
        now, kind = self._clock.boot(), outcome.kind
        self.in_flight -= 1
        self.protection.answered(kind, held, now, self.provider_answers)
        if not self.provider_answers:
            return
        if kind == "throttled" and outcome.wait_ms > 0:
            self.paused_until = max(self.paused_until, now + outcome.wait_ms / 1000)
        if kind == "account_fault":
            self.problem = f"fault: {outcome.detail or outcome.code or 'refused by the provider'}"
        if kind not in SILENT:
            self._quality.seen(kind in GOOD, now)
        if kind == "accepted":
            self._latency.seen((now - begun) * 1000)


class AccountEvents:
    """What an adapter tells; bound to its account."""

    def __init__(
        self,
        account: Account,
        on_receipt: Callable[[str, ReceiptIn], None],
        on_late: Callable[[str, Outcome], None],
        on_changed: Callable[[], None],
    ) -> None:
        self._account = account
        self._on_receipt = on_receipt
        self._on_late = on_late
        self._on_changed = on_changed

    def receipt(self, receipt: ReceiptIn) -> None:
        self._on_receipt(self._account.id, receipt)

    def late(self, ref: str, outcome: Outcome) -> None:
        self._on_late(ref, outcome)

    def changed(self) -> None:
        self._on_changed()

    def fault(self, detail: str) -> None:
        self._account.problem = f"fault: {detail}"
        self._on_changed()
