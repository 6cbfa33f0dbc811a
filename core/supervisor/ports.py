"""Addresses that stay: each part's port is chosen once and kept in ports.json.

Ports are taken from below the range that the kernel gives to outgoing connections. From within that
range, a client that tries a part's port again and again while the part restarts would in the end be
given that very port as its own, and talk to itself.
"""

import random
import socket
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from core.supervisor.folder import DataFolder, FolderError

FILE = "ports.json"
_LOWEST = 20_000
_TRIES = 500


def keep_ports(
    folder: DataFolder,
    wanted: Iterable[tuple[str, int]],
    chance: random.Random,
    others: Collection[int] = (),
) -> tuple[dict[str, int], list[str]]:
    """A port for each (name, fixed port or 0), as last time where that is still free.

    `others` are ports that somebody else was given who does not listen yet.

    Also says, in words for people, which could not be kept because a stranger listens there.
    """
    known: dict[str, int] = folder.read_json(FILE) or {}
    notices: list[str] = []
    chosen: dict[str, int] = {}
    for name, fixed in wanted:
        if fixed:
            chosen[name] = fixed
            continue
        before = known.get(name, 0)
        given = {*chosen.values(), *others}
        if before and _is_free(before) and before not in given:
            chosen[name] = before
            continue
        chosen[name] = _free_port(chance, {*known.values(), *given}, _is_free)
        if before:
            notices.append(
                f"port {before} of {name} is taken by another program; it is {chosen[name]} now"
            )
    folder.write_json(FILE, {**known, **chosen})
    return chosen, notices


def kept_ports(folder: DataFolder) -> dict[str, int]:
    """The ports as they were settled, where others were told them and nothing may move."""
    return dict(folder.read_json(FILE) or {})


def _free_port(chance: random.Random, taken: set[int], is_free: Callable[[int], bool]) -> int:
    top = _outgoing_from()
    for _ in range(_TRIES):
        port = chance.randrange(_LOWEST, top)
        if port not in taken and is_free(port):
            return port
    raise FolderError(f"no free port between {_LOWEST} and {top}; end what listens there")


def _outgoing_from() -> int:
    """Where the kernel's range of ports for outgoing connections begins."""
    try:
        begins = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
    return begins if begins > _LOWEST + 1000 else 65_536


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without it, a port whose last connections are still fading would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
