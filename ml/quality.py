"""How likely an account is to take a message, from what it did lately.

A Beta estimate whose evidence decays: each call counts one, and counts half after `half_life_s`.
With no evidence the prior speaks (nineteen of twenty succeed), so a new account is neither shunned
nor favoured. Pure: time comes in as seconds, and may stand still but is not taken backwards.
"""

from msgspec import Struct

PRIOR_GOOD = 1.9
PRIOR_BAD = 0.1


class Quality(Struct):
    """Decayed counts of good and bad answers. `at_s` is when they were last brought up to date."""

    half_life_s: float
    good: float = 0.0
    bad: float = 0.0
    at_s: float = 0.0

    def seen(self, good: bool, now_s: float) -> None:
        """One more answer."""
        self._decay(now_s)
        if good:
            self.good += 1.0
        else:
            self.bad += 1.0

    def success(self, now_s: float) -> float:
        """The expected share of calls that succeed, in (0, 1)."""
        self._decay(now_s)
        total = self.good + self.bad + PRIOR_GOOD + PRIOR_BAD
        return (self.good + PRIOR_GOOD) / total

    def _decay(self, now_s: float) -> None:
        passed = now_s - self.at_s
        if passed > 0:
            factor = 0.5 ** (passed / self.half_life_s)
            self.good *= factor
            self.bad *= factor
            self.at_s = now_s
