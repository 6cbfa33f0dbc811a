"""So many a second, evenly, and no burst after a pause. Pure."""

CATCH_UP_S = 1.0


class Pace:
    """Asked with the time of one clock, in seconds."""

    def __init__(self, per_second: float, now_s: float) -> None:
        self._every_s = 1.0 / per_second
        self._next_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long until the next one; 0: now."""
        return max(0.0, self._next_s - now_s)

    def took(self, now_s: float) -> None:
        """One went. What was late is caught up for a second at most."""
        self._next_s = max(self._next_s, now_s - CATCH_UP_S) + self._every_s
