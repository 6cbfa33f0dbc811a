"""The provider accounts at work in this process: adapter, window, quality, pauses.

An account whose credentials cannot be opened, or that its provider refuses, is kept with the
reason as its state; nothing is sent through it until it is edited.
"""

from collections.abc import Callable

from core.clock import Clock
from core.decide.route import Candidate
from core.providers.port import Adapter, Capabilities, Outcome, ReceiptIn
from ml.quality import Quality

GOOD = frozenset({"accepted", "invalid_target", "permanent"})
SILENT = frozenset({"withdrawn", "not_sent"})


class Account:
    """One account at work. `in_flight` counts places held and calls under way."""

    def __init__(
        self,
        account_id: str,
        channel: str,
        priority: int,
        version: int,
        enabled: bool,
        clock: Clock,
        half_life_s: float,
    ) -> None:
        self.id = account_id
        self.channel = channel
        self.priority = priority
        self.version = version
        self.enabled = enabled
        self.adapter: Adapter | None = None
        self.capabilities: Capabilities | None = None
        self.problem = ""
        self.in_flight = 0
        self.paused_until = 0.0
        self._clock = clock
        self._quality = Quality(half_life_s)

    @property
    def state(self) -> str:
        """`up`, or why it cannot be used."""
        if not self.enabled:
            return "disabled"
        if self.problem:
            return self.problem
        return "no adapter" if self.adapter is None else self.adapter.state()

    @property
    def has_receipts(self) -> bool:
        """Whether the provider may report back."""
        return self.capabilities is not None and self.capabilities.receipts

    @property
    def room(self) -> int:
        """How many more calls it takes now."""
        if self.problem or self.adapter is None or self._clock.boot() < self.paused_until:
            return 0
        return self.adapter.capacity() - self.in_flight

    def candidate(self, refused: bool) -> Candidate:
        """The facts for a routing decision."""
        now = self._clock.boot()
        capabilities = self.capabilities
        return Candidate(
            self.id,
            self.channel,
            self.enabled,
            self.priority,
            self._quality.success(now),
            state=self.state,
            room=self.room,
            paused_ms=max(0, int((self.paused_until - now) * 1000)),
            refused=refused,
            text_chars_max=capabilities.text_chars_max if capabilities else 0,
        )

    def answered(self, outcome: Outcome) -> None:
        """Learn from an answer; a throttled account rests for as long as it asked."""
        now = self._clock.boot()
        if outcome.kind == "throttled" and outcome.wait_ms > 0:
            self.paused_until = max(self.paused_until, now + outcome.wait_ms / 1000)
        if outcome.kind == "account_fault":
            self.problem = f"fault: {outcome.detail or outcome.code or 'refused by the provider'}"
        if outcome.kind not in SILENT:
            self._quality.seen(outcome.kind in GOOD, now)


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
