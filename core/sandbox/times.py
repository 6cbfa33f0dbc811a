"""Times as people read them. Pure."""

import time
from functools import lru_cache


def rfc3339(wall_ms: int) -> str:
    """The time in UTC with milliseconds."""
    return f"{_second(wall_ms // 1000)}.{wall_ms % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(seconds_since_1970: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds_since_1970))
