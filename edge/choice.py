"""Which core takes a call. Pure.

Calls with an idempotency key go to the same core each time, so that this one knows what runs and
what it answered: rendezvous hashing over all configured cores, the next best while that one has no
connection. Calls without a key take turns.
"""

from collections.abc import Sequence
from hashlib import blake2b


def rendezvous(cores: Sequence[str], tenant: str, key: str) -> list[str]:
    """The cores in this key's order of preference: the same on every edge, and nothing moves
    between two cores when a third one comes or goes."""
    if len(cores) == 1:
        return list(cores)
    what = f"{len(tenant)}:{tenant}{key}".encode()

    def weight(core: str) -> bytes:
        return blake2b(what, digest_size=8, key=core.encode()[:64]).digest()

    return sorted(cores, key=weight, reverse=True)
