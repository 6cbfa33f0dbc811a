"""The one place that reads time.

`boot()` counts on while the machine sleeps (CLOCK_BOOTTIME) and never jumps: durations and leases
are measured on it. `wall_ms()` is for people, expiries and keys of views; nothing that decides a
send compares two machines' wall clocks.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the code may ask of time."""

    def boot(self) -> float: ...

    def wall_ms(self) -> int: ...

    def wall_us(self) -> int: ...


class SystemClock:
    """The machine's own clocks."""

    def boot(self) -> float:
        """Seconds since the machine started, sleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""
        return time.time_ns() // 1_000_000

    def wall_us(self) -> int:
        """Microseconds since 1970, as the machine believes."""
        return time.time_ns() // 1_000
