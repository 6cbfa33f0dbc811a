"""A block of loopback addresses that nobody else on this machine uses.

Cassandra wants one storage port for the whole cluster, so nodes on one machine differ by address.
Linux answers on all of 127.0.0.0/8; each cluster takes a 127.X.Y block by chance and looks whether
its ports are free there, so that several clusters run beside each other.
"""

import random
import socket
from collections.abc import Iterable

from core.supervisor.cassandra.config import CQL_PORT, STORAGE_PORT
from core.supervisor.cassandra.programs import CassandraError

_TRIES = 50


def free_addresses(count: int, chance: random.Random, before: Iterable[str] = ()) -> list[str]:
    """So many addresses whose ports are free: those of before where they still are."""
    kept = list(before)
    if len(kept) == count and all(map(_is_free, kept)):
        return kept
    for _ in range(_TRIES):
        # 127.0 is left to everybody else.
        block = f"127.{chance.randrange(1, 255)}.{chance.randrange(256)}"
        addresses = [f"{block}.{number}" for number in range(1, count + 1)]
        if all(map(_is_free, addresses)):
            return addresses
    raise CassandraError(
        f"no free block of {count} loopback addresses for Cassandra's ports {STORAGE_PORT} and "
        f"{CQL_PORT} was found in {_TRIES} tries",
        "Linux answers on all of 127.0.0.0/8 by itself; elsewhere run Cassandra on its own and "
        "name it in [cassandra] contact_points.",
    )


def _is_free(address: str) -> bool:
    for port in (STORAGE_PORT, CQL_PORT):
        with socket.socket() as probe:
            # Without it, a port whose last connections are still fading would look taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
