"""The circuit breaker of one account: closed, open for a while, then half open for a few probes.

It opens when of at least `calls_min` answers in the last `window_s` a share of `share` are
failures, or when `in_a_row` failures come one after the other. Open, nothing goes through for a
cool-down, which doubles with each opening that follows a failed probe, up to a cap. Half open, up
to `probes` calls may be under way; a success closes it, a failure opens it again, and a probe of
which nothing was learnt gives its place back.

What speaks of the account counts: a link that is lost, an answer that is not given, a provider
that is out of order. What speaks of the message or of our pace (permanent, invalid target,
throttled) shows that the provider works. Pure: the time comes in as seconds of one clock; where it
jumps back, the cool-down begins anew and is no longer than it was.
"""

from msgspec import Struct

from core.decide.route import Circuit
from core.decide.window import Window

FAILURES = frozenset({"retryable", "unknown", "not_sent", "account_fault"})
NO_WORD = frozenset({"withdrawn"})


class BreakerRules(Struct, frozen=True):
    """See the module's docstring. `longest_s` is not below `first_s`."""

    share: float = 0.5
    calls_min: int = 20
    window_s: float = 10.0
    in_a_row: int = 10
    first_s: float = 1.0
    longest_s: float = 60.0
    probes: int = 1


class Breaker:
    """The circuit of one account. Ask `state` first, then `begun` for each call that is let go."""

    __slots__ = ("_opened", "_repeats", "_row", "_rules", "_since", "_window", "probing", "why")

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._window = Window(rules.window_s)
        self._row = 0
        self._opened: Circuit = "closed"
        self._since = 0.0
        self._repeats = 0
        self.probing = 0
        self.why = ""

    def state(self, now: float) -> Circuit:
        """How the circuit stands; a cool-down that is over makes it half open."""
        if self._opened == "open":
            self._since = min(self._since, now)
            if now >= self._since + self.cool_down_s:
                self._opened = "half_open"
                self.probing = 0
        return self._opened

    @property
    def cool_down_s(self) -> float:
        """How long it stays open this time."""
        return min(self._rules.longest_s, self._rules.first_s * 2.0 ** min(self._repeats, 40))

    def left_s(self, now: float) -> float:
        """How long it is open still."""
        return max(0.0, self._since + self.cool_down_s - now) if self._opened == "open" else 0.0

    def room(self, now: float) -> int | None:
        """How many calls it lets through now; None stands for no limit."""
        state = self.state(now)
        if state == "closed":
            return None
        return max(0, self._rules.probes - self.probing) if state == "half_open" else 0

    def begun(self) -> bool:
        """A call goes through. True where it is a probe: say so in `answered` or `dropped`."""
        if self._opened != "half_open":
            return False
        self.probing += 1
        return True

    def dropped(self, probe: bool) -> None:
        """A call that was let through was never made."""
        if probe and self._opened == "half_open":
            self.probing = max(0, self.probing - 1)

    def answered(self, kind: str, probe: bool, now: float) -> bool:
        """What came of a call. True where the circuit changed."""
        before = self.state(now)
        self.dropped(probe)
        if kind in NO_WORD:
            return False
        failed = kind in FAILURES
        self._window.add(now, 1, int(failed))
        self._row = self._row + 1 if failed else 0
        if before == "half_open" and probe:
            self._open(now, "a probe failed") if failed else self._close()
        elif before == "closed" and failed:
            self._judge(now)
        return self._opened != before

    def _judge(self, now: float) -> None:
        rules, window = self._rules, self._window
        if self._row >= rules.in_a_row:
            self._open(now, f"{self._row} failures in a row")
        elif window.first >= rules.calls_min and window.second >= rules.share * window.first:
            self._open(now, f"{window.second} of {window.first} calls failed")

    def _open(self, now: float, why: str) -> None:
        self._repeats = self._repeats + 1 if self._opened == "half_open" else 0
        self._opened, self._since, self.why = "open", now, why

    def _close(self) -> None:
        self._opened, self._repeats, self._row, self.why = "closed", 0, 0, ""
        self._window.clear()
