"""How long an account's calls take, from what they took lately.

A mean in which each new call counts a twentieth: after some dozens of calls the old ones hardly
count. With no call yet it is 0. Pure.
"""

from msgspec import Struct

NEWEST = 0.05


class Latency(Struct):
    """The mean so far, in milliseconds."""

    mean_ms: float = 0.0

    def seen(self, took_ms: float) -> None:
        """One more call."""
        took_ms = max(0.0, took_ms)
        known = self.mean_ms
        self.mean_ms = known + NEWEST * (took_ms - known) if known else took_ms
