"""How many retries an account takes: a share of the first attempts, and a floor.

So that a provider which begins to fail is not asked twice as often just then. A retry begins only
while the last `window_s` hold fewer than `share` retries for each first attempt in them, plus
`floor_per_s` for each second; what is over it waits. Pure: the time comes in as seconds of one
clock.
"""

from msgspec import Struct

from core.decide.window import Window


class BudgetRules(Struct, frozen=True):
    """See the module's docstring."""

    share: float = 0.2
    floor_per_s: float = 10.0
    window_s: float = 10.0


class Budget:
    """The retry budget of one account."""

    __slots__ = ("_rules", "_window")

    def __init__(self, rules: BudgetRules) -> None:
        self._rules = rules
        self._window = Window(rules.window_s)

    def first(self, now: float) -> None:
        """A first attempt begins."""
        self._window.add(now, 1, 0)

    def retry(self, now: float) -> None:
        """A retry begins; `room` was asked before."""
        self._window.add(now, 0, 1)

    def room(self, now: float) -> int:
        """How many retries may begin now."""
        window, rules = self._window, self._rules
        window.pass_by(now)
        allowed = rules.share * window.first + rules.floor_per_s * rules.window_s
        return max(0, int(allowed) - window.second)
