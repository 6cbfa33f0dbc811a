"""What one account is spared: its rate, its day, its concurrency, its circuit, its retries.

`room` says how many calls may be begun now, beside what the adapter takes; `hold` spends a right
for one, before its intent is written, and `drop` gives back what can be given back when no call
was made. A part of the window and of the burst is for urgent lanes only, so that what is urgent
finds a place however much else waits.
"""

from msgspec import Struct

from core.contract.providers import AccountLimits
from core.decide.breaker import Breaker, BreakerRules
from core.decide.budget import Budget, BudgetRules
from core.decide.fair import TRANSACTIONAL
from core.decide.gcra import Rate, left, take
from core.engine.day_rights import DayRights

BURST_S = 0.1  # a rate of tokens for so long may be used at once
RESERVE_FROM = 10


class ProtectionRules(Struct, frozen=True):
    """What holds for all accounts. `processes` share an account's rate and concurrency."""

    breaker: BreakerRules = BreakerRules()
    budget: BudgetRules = BudgetRules()
    urgent_reserve: float = 0.1
    processes: int = 1


class Held(Struct, frozen=True, gc=False):
    """A right that was spent: whether on a probe of the circuit, and on which day's account."""

    probe: bool
    day: int


USUAL = Held(False, -1)


class Protection:
    """The protection of one account; times are of the clock that counts on."""

    def __init__(
        self, rules: ProtectionRules, limits: AccountLimits, day: DayRights | None
    ) -> None:
        self.breaker = Breaker(rules.breaker)
        self.day = day
        self.tat = 0.0
        self._budget = Budget(rules.budget)
        self._reserve = rules.urgent_reserve
        self._rate = rate_of(limits.per_second, rules.processes)
        concurrency = limits.concurrency
        self._concurrency = None if concurrency is None else max(1, concurrency // rules.processes)

    def room(self, capacity: int, in_flight: int, lane: int, again: bool, now: float) -> int:
        """How many more calls of this lane may be begun now. `again`: they are retries."""
        if self._concurrency is not None and self._concurrency < capacity:
            capacity = self._concurrency
        urgent = lane < TRANSACTIONAL
        room = capacity - in_flight - (0 if urgent else self._kept(capacity))
        if self._rate is not None and room > 0:
            kept = 0 if urgent else self._kept_burst(self._rate.burst)
            room = min(room, left(self.tat, now, self._rate) - kept)
        probes = self.breaker.room(now)
        if probes is not None:
            room = min(room, probes)
        if self.day is not None and room > 0:
            room = min(room, self.day.room())
        if again and room > 0:
            room = min(room, self._budget.room(now))
        return room

    def wait_s(self, lane: int, now: float) -> float:
        """How long until the rate lets one more of this lane through; 0.0: it does."""
        if self._rate is None:
            return 0.0
        kept = 0 if lane < TRANSACTIONAL else self._kept_burst(self._rate.burst)
        return take(self.tat, now, self._rate, 1 + kept)[1]

    def hold(self, again: bool, now: float) -> Held:
        """Spend a right for one call; `room` was asked in the same turn."""
        if self._rate is not None:
            self.tat, _ = take(self.tat, now, self._rate)
        day = -1 if self.day is None else self.day.take()
        if again:
            self._budget.retry(now)
        else:
            self._budget.first(now)
        probe = self.breaker.begun()
        return Held(probe, day) if probe or day >= 0 else USUAL

    def drop(self, held: Held) -> None:
        """The call was never made."""
        self.breaker.dropped(held.probe)
        if self.day is not None:
            self.day.give_back(held.day)

    def answered(self, kind: str, held: Held, now: float, of_provider: bool = True) -> None:
        """What came of the call; `of_provider` false: its answer says nothing about the account."""
        self.breaker.answered(kind if of_provider else "withdrawn", held.probe, now)
        if self.day is not None and kind in ("withdrawn", "not_sent"):
            self.day.give_back(held.day)

    def _kept(self, whole: int) -> int:
        """What of it only urgent lanes may use."""
        return max(1, int(whole * self._reserve)) if whole >= RESERVE_FROM and self._reserve else 0

    def _kept_burst(self, burst: int) -> int:
        """What of the burst only urgent lanes may use: half at least, for nobody is slower by that.

        What waits goes at the rate with a small burst as with a large one.
        """
        kept = self._kept(burst)
        return max(kept, burst // 2) if kept else 0


def rate_of(per_second: float | None, processes: int) -> Rate | None:
    """One process's part of an account's rate."""
    if per_second is None:
        return None
    own = per_second / processes
    return Rate(own, max(1, int(own * BURST_S)))
