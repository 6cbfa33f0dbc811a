"""The engine of a core, put together: journal, owner, logs, dispatch, receipts, ownership.

Made once from the settings by the composition root; nothing here decides anything.
"""

from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.contract.settings import Settings
from core.decide.breaker import BreakerRules
from core.decide.budget import BudgetRules
from core.decide.fair import weights_of
from core.decide.retry import Rules
from core.engine.accounts import Account
from core.engine.behind import Behind
from core.engine.clockwork import Clockwork
from core.engine.day_rights import DayRights
from core.engine.dispatch import Dispatcher, TurnRules
from core.engine.logs import Logs
from core.engine.ownership import Ownership
from core.engine.pressure import Pressure
from core.engine.protection import ProtectionRules
from core.engine.receipts import Receipts
from core.engine.shell import Shell
from core.process import Process
from sync.hlc import Hlc
from sync.lease import Holder, Watch
from sync.owner.owner import Owner
from sync.owner.state import Limits
from sync.store.entities import EntityStore
from sync.store.port import JournalStore


class Engine:
    """Its parts are public: the composition root wires them to doors, numbers and accounts."""

    def __init__(
        self,
        store: JournalStore,
        settings: Settings,
        incarnation: str,
        url: str,
        clock: Clock,
        random: Random,
        process: Process,
        log: Log,
    ) -> None:
        home = settings.region.name
        self.store = store
        self._settings = settings
        self._clock = clock
        self._log = log
        self._spawn = process.spawn
        self.owner = Owner(home, incarnation, limits_of(settings))
        self.logs = self._make_logs(incarnation)
        self.accounts: dict[str, Account] = {}
        protocol = settings.protocol
        self.holder = Holder(protocol.lease_ms / 1000, protocol.renew_ms / 1000)
        self.pressure = Pressure(lambda: self.logs.waiting_share)
        self.dispatcher = self._make_dispatcher(random)
        self.receipts = Receipts(
            store,
            self.logs,
            clock,
            log,
            incarnation,
            settings.core.provider_ids_max,
            settings.core.receipt_buckets_back,
            process.spawn,
        )
        self.hlc = Hlc(protocol.clock_bound_ms * 1000)
        self.behind = Behind(store, self.owner, self.logs, clock, self.hlc)
        self.shell = self._make_shell(random)
        self.ownership = self._make_ownership(url, random)
        self.shell.learn_logs = self.ownership.learn_logs
        self.clockwork = Clockwork(
            self.owner,
            self.shell,
            self.ownership,
            self.dispatcher,
            self.logs,
            clock,
            self.pressure,
            settings.core.seal_ms / 1000,
            protocol.floor_ms / 1000,
            process.spawn,
        )
        self.receipts.account_of = self._account_of
        self.ownership.on_lost = process.lost
        self.logs.on_revoked = lambda: process.lost("the lease was revoked")

    def lease_left_s(self) -> float:
        """How long the own lease still gives the right to act."""
        return self.holder.left_s(self._clock.boot())

    def _account_of(self, message_id: str, attempt: str) -> str:
        """The account that an attempt went to, "" where it is not in memory."""
        msg = self.owner.find(message_id)
        return msg.account_of(attempt) if msg is not None else ""

    def day_rights(self, entities: EntityStore, account_id: str, per_day: int) -> DayRights:
        """The rights of a day of an account that has such a limit."""
        arm = self.dispatcher.arm
        return DayRights(account_id, per_day, entities, self._clock, self._log, self._spawn, arm)

    def _make_dispatcher(self, random: Random) -> Dispatcher:
        dispatch = self._settings.dispatch
        return Dispatcher(
            self.owner,
            self.accounts,
            self._clock,
            random,
            self.lease_left_s,
            self._settings.protocol.write_timeout_ms / 1000,
            TurnRules(weights_of(dispatch.tenant_weights), dispatch.bulk_ratio),
        )

    def _make_logs(self, incarnation: str) -> Logs:
        store = self._settings.store
        return Logs(
            self.store,
            self.owner.home,
            incarnation,
            self._log,
            store.row_records_max,
            store.row_bytes_max,
            store.records_waiting_max,
        )

    def _make_shell(self, random: Random) -> Shell:
        retry = self._settings.retry
        return Shell(
            self.store,
            self.owner,
            self.logs,
            self.dispatcher,
            self.receipts,
            self.behind,
            Rules(retry.first_ms, retry.longest_ms, retry.jitter),
            self._clock,
            random,
            self._log,
        )

    def _make_ownership(self, url: str, random: Random) -> Ownership:
        protocol = self._settings.protocol
        return Ownership(
            self.store,
            self.owner,
            self.logs,
            self.shell,
            self.holder,
            Watch(protocol.lease_ms / 1000, protocol.epsilon_ms / 1000),
            self._clock,
            random,
            self._log,
            self.owner.home,
            url,
            protocol.shards_poll_ms / 1000,
            protocol.write_timeout_ms / 1000,
        )


def limits_of(settings: Settings) -> Limits:
    """The owner's bounds, from the settings."""
    core = settings.core
    return Limits(
        core.held_messages_max,
        core.recent_messages_max,
        core.remembered_ids_max,
        core.early_events_max,
        settings.protocol.clock_bound_ms,
        core.dedupe_margin_ms,
        core.park_after_ms,
        core.park_waiting_ms,
        core.set_aside_ms,
        core.await_in_memory_ms,
    )


def protection_of(settings: Settings) -> ProtectionRules:
    """What every account is spared, from the settings."""
    breaker, dispatch = settings.breaker, settings.dispatch
    return ProtectionRules(
        BreakerRules(
            breaker.share,
            breaker.calls_min,
            breaker.window_ms / 1000,
            breaker.in_a_row,
            breaker.first_ms / 1000,
            breaker.longest_ms / 1000,
            breaker.probes,
        ),
        BudgetRules(dispatch.retry_share, dispatch.retry_floor_per_s),
        dispatch.urgent_reserve,
        settings.supervisor.cores,
    )
