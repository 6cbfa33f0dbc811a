"""The configuration of a simulated core: the parts of `core/app.py` that load and follow it.

Accounts, policies and suppressions are read from the entity store before the doors open, and follow
the feed of changes. What stands in for production: the adapters, and that an account's settings
name servers that are not there.
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from core.accounts.model import Opened, ProviderAccount
from core.accounts.service import Accounts
from core.contract.settings import Settings
from core.decide.breaker import BreakerRules
from core.decide.budget import BudgetRules
from core.engine.accounts import AccountEvents
from core.engine.adapters import Workforce
from core.engine.engine import Engine
from core.engine.protection import ProtectionRules
from core.policies.active import ActivePolicies
from core.policies.store import PolicyStore
from core.providers.port import Adapter, Outcome
from core.sim.adapter import SimAdapter
from core.sim.lines import NodeLog
from core.sim.process import Process
from core.suppress.links import Links
from core.suppress.service import Suppressions
from core.suppress.store import SuppressionStore
from core.suppress.table import Suppressed
from core.tenants.vault import Vault
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.world import World

# Name, channel, wire, how long its provider knows keys. Settings are checked when one is edited.
ACCOUNTS = (
    ("plain", "sms", "smpp", 0),
    ("keyed", "sms", "smpp", 4_000),
    ("mail", "email", "smtp", 0),
    ("hook", "webhook", "webhook", 4_000),
)
SETTINGS: dict[str, dict[str, Any]] = {
    "smpp": {"host": "smsc", "system_id": "us"},
    "smtp": {"host": "mail", "from_address": "us@mail"},
    "webhook": {},
}
ROOMY = ProtectionRules(
    BreakerRules(share=1.0, in_a_row=1_000_000), BudgetRules(share=10.0, floor_per_s=1_000)
)
NO_VAULT = Vault(None, "accounts of the simulator have no secrets")
HALF_LIFE_S = 60.0


def first_accounts() -> list[ProviderAccount]:
    """The accounts before the first edit."""
    return [
        ProviderAccount(name, wire, channel, settings=SETTINGS[wire])  # type: ignore[arg-type]
        for name, channel, wire, _ in ACCOUNTS
    ]


class Config:
    """See the module's docstring. `call_begins` hears of each call that an adapter is given, and
    of its first byte, with the account."""

    def __init__(
        self,
        world: "World",
        process: Process,
        engine: Engine,
        settings: Settings,
        chance: Random,
        log: NodeLog,
    ) -> None:
        self._world = world
        self._process = process
        self._engine = engine
        self.disabled_s: dict[str, float] = {}
        self.call_begins: Callable[[str, str], None] = lambda _account, _what: None
        entities = world.store.entities.view(process)
        self.feed = EntityFeed(entities, self._feed_failed)
        self.accounts = Accounts(entities, NO_VAULT)
        self.workforce = Workforce(
            self.accounts,
            engine.accounts,
            process,
            chance,
            log,  # type: ignore[arg-type]
            HALF_LIFE_S,
            process.spawn,  # type: ignore[arg-type]
            settings.region,
            ROOMY,
            partial(engine.day_rights, entities),
            self._adapter,
        )
        self.accounts.watch(self.feed, self.workforce.changed, self.workforce.reload_all)
        self.workforce.on_receipt = engine.receipts.received
        self.workforce.on_changed = engine.dispatcher.changed
        self.workforce.on_late = self._late
        self.workforce.on_loaded = self._note_disabled
        spawn = process.spawn
        self.policies = ActivePolicies(PolicyStore(entities, self.accounts), spawn, log)  # type: ignore[arg-type]
        self.policies.watch(self.feed)
        self.policies.on_changed = engine.dispatcher.changed
        store = SuppressionStore(entities)
        table = Suppressed(store, spawn)  # type: ignore[arg-type]
        table.watch(self.feed)
        links = Links("", None)
        self.suppressions = Suppressions(store, table, links, process, log, spawn)  # type: ignore[arg-type]
        engine.dispatcher.hooks.policies = lambda: self.policies.all

    async def start(self) -> None:
        """In the order of `core/app.py`; raises StoreError."""
        if self._world.plan.edits:
            await self.feed.start()
        await self.policies.load()
        await self.suppressions.table.load()
        await self.workforce.load()

    def _adapter(
        self, given: ProviderAccount, _opened: Opened, events: AccountEvents, chance: Random
    ) -> Adapter:
        world = self._world
        provider = world.providers[given.id]
        begins = lambda what: self.call_begins(given.id, what)  # noqa: E731 - bound to its account
        return SimAdapter(provider, self._process, world.plan, chance, events, begins)

    def _late(self, account: str, ref: str, outcome: Outcome) -> None:
        message_id, attempt, _ = ref.split(".")
        self._engine.late(message_id, attempt, account, outcome)

    def _note_disabled(self) -> None:
        """Since when this core knows of each account that it is disabled."""
        for account in self._engine.accounts.values():
            if account.enabled:
                self.disabled_s.pop(account.id, None)
            else:
                self.disabled_s.setdefault(account.id, self._process.scheduler.now)

    def _feed_failed(self, error: Exception) -> None:
        """A store that fails is asked again; a watcher that fails is a defect."""
        if not isinstance(error, StoreError):
            self._process.loop.call_exception_handler({"message": "a watcher", "exception": error})
