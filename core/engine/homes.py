"""The work of one home in this process: its owner and shell, its shards, and its clocked work.

What all homes share (the store, the logs, the dispatcher, receipts, the lease) comes in as one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from core.clock import Clock
from core.contract.log import Log
from core.contract.settings import Settings
from core.decide.retry import Rules
from core.engine.behind import Behind
from core.engine.clockwork import Clockwork
from core.engine.dispatch import Dispatcher
from core.engine.logs import Logs
from core.engine.membership import Membership
from core.engine.ownership import Ownership
from core.engine.pace import Pace
from core.engine.receipts import Receipts
from core.engine.shell import Shell
from sync.hlc import Hlc
from sync.keeper.balance import Place
from sync.owner.owner import Owner
from sync.owner.state import Limits
from sync.store.port import JournalStore


@dataclass(frozen=True)
class Shared:
    """What a process has once, however many homes it works for."""

    store: JournalStore
    settings: Settings
    limits: Limits
    pace: Pace
    logs: Logs
    dispatcher: Dispatcher
    receipts: Receipts
    membership: Membership
    hlc: Hlc
    clock: Clock
    random: Random
    log: Log
    spawn: Callable[[Awaitable[Any]], None]
    place_of: Callable[[str], Place]


class HomeWork:
    """Its parts are public: whoever wires the process hangs hooks on those of every home."""

    def __init__(self, home: str, shared: Shared) -> None:
        self.home = home
        self._shared = shared
        self.owner = Owner(home, shared.membership.incarnation, shared.limits)
        self.behind = Behind(shared.store, self.owner, shared.logs, shared.clock, shared.hlc)
        self.shell = self._make_shell()
        self.ownership = self._make_ownership()
        self.shell.learn_logs = self.ownership.learn_logs
        self.clockwork = self._make_clockwork()

    def _make_shell(self) -> Shell:
        shared, retry = self._shared, self._shared.settings.retry
        return Shell(
            shared.store,
            self.owner,
            shared.logs,
            shared.dispatcher,
            shared.receipts,
            self.behind,
            Rules(retry.first_ms, retry.longest_ms, retry.jitter),
            shared.clock,
            shared.random,
            shared.log,
        )

    def _make_ownership(self) -> Ownership:
        shared = self._shared
        return Ownership(
            shared.store,
            self.owner,
            shared.logs,
            self.shell,
            shared.membership,
            shared.clock,
            shared.random,
            shared.log,
            shared.place_of(self.home),
            shared.pace,
        )

    def _make_clockwork(self) -> Clockwork:
        shared, settings = self._shared, self._shared.settings
        return Clockwork(
            self.owner,
            self.shell,
            self.ownership,
            shared.dispatcher,
            shared.logs,
            shared.clock,
            settings.core.seal_ms / 1000,
            settings.protocol.floor_ms / 1000,
            shared.spawn,
            shared.pace,
        )
