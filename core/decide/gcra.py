"""How often something may happen: the generic cell rate algorithm.

One number is kept for whatever is limited: `tat`, the theoretical time of arrival, before which
the rate is used up. 0.0 is the state of one that was never used. Pure: the time comes in, in
seconds of one clock. A clock that jumps back leaves at worst an empty bucket, which fills at the
rate from there: it never lets more pass than the burst, and nobody waits for the time it jumped.
"""

from math import inf

from msgspec import Struct

_SLACK_S = 1e-5  # what adding floats of a wall clock's size may lose in one burst


class Rate(Struct, frozen=True):
    """`per_second` is above 0; up to `burst`, which is 1 or more, may come at once."""

    per_second: float
    burst: int


def take(tat: float, now: float, rate: Rate, cost: int = 1) -> tuple[float, float]:
    """The new `tat` and 0.0 where it is allowed now; else `tat` as it was and the wait in seconds.

    What costs more than the burst is never allowed: its wait is infinite.
    """
    if cost > rate.burst:
        return tat, inf
    whole_s = rate.burst / rate.per_second
    begun = min(max(tat, now), now + whole_s)  # further ahead it is only after a jump back
    after = begun + cost / rate.per_second
    wait_s = after - whole_s - now
    return (after, 0.0) if wait_s <= _SLACK_S else (tat, wait_s)


def left(tat: float, now: float, rate: Rate) -> int:
    """How many of cost 1 would be allowed now, one after the other."""
    whole_s = rate.burst / rate.per_second
    used_s = min(max(tat - now, 0.0), whole_s)
    return int((whole_s - used_s + _SLACK_S) * rate.per_second)
