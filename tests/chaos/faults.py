"""What is done to one region in the middle of a load, by the pids of its ready line."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from tests.support.regions import Regions

Fault = Callable[[Regions, str], None]


def _signal(up: Regions, region: str, number: int, *roles: str) -> None:
    for process in up.processes_of(region):
        if not roles or process["role"] in roles:
            with suppress(ProcessLookupError):
                os.kill(process["pid"], number)


def kill(up: Regions, region: str) -> None:
    """All processes of the region at once, for good."""
    up.kill(region)


def freeze(up: Regions, region: str) -> None:
    """All processes of the region stand still until `thaw`."""
    _signal(up, region, signal.SIGSTOP)


def thaw(up: Regions, region: str) -> None:
    """What stood still goes on, and learns what happened meanwhile."""
    _signal(up, region, signal.SIGCONT)


def kill_core(up: Regions, region: str) -> None:
    """The core alone; its supervisor starts a new one."""
    _signal(up, region, signal.SIGKILL, "core")


def kill_cassandra(up: Regions, region: str) -> None:
    """The region's Cassandra node alone; its supervisor starts it again."""
    _signal(up, region, signal.SIGKILL, "cassandra")


def kill_nats(up: Regions, region: str) -> None:
    """The region's hub alone; its supervisor starts it again."""
    _signal(up, region, signal.SIGKILL, "nats")
