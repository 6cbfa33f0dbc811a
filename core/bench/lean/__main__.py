"""`python -m core.bench.lean`: started by the bench, not by people."""

import os
import time

import uvloop

from core.bench.lean.service import serve

# Message ids go on rising from one process to the next, so that a store that remembers the ids of
# an earlier bench never meets one of them again.
_FIRST_ID = 1_000_000_000 + time.time_ns() // 1_000_000_000 % 8_000 * 1_000_000

if __name__ == "__main__":
    uvloop.run(serve(os.getpid(), _FIRST_ID))
