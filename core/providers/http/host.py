"""One host's part of the pool: its connections and the calls that wait for one."""

from collections import deque

from core.providers.http.connection import Connection
from core.providers.http.flight import Flight
from core.providers.http.message import Target


class Host:
    """`connections` counts those being opened, idle and busy; not those that listen for a late
    answer."""

    __slots__ = ("addresses", "connections", "idle", "key", "opening", "target", "waiting")

    def __init__(self, target: Target) -> None:
        self.key = target.key
        self.target = target  # any of the host's: only where it is counts
        self.addresses: frozenset[str] = frozenset()  # as the name was last found to have
        self.connections = 0
        self.opening = 0
        self.idle: list[Connection] = []  # the last used is used next, so that others may close
        self.waiting: deque[Flight] = deque()
