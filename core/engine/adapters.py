"""Bringing the configured accounts to work, and keeping them so while they are edited.

An account that cannot be opened stands there with its reason; the others work on. One that was
edited while the store cannot be read stays as it was known and is read again until it can be.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from core.accounts.facts import facts_of
from core.accounts.model import Fault, Opened, ProviderAccount, StoredAccount
from core.accounts.service import Accounts
from core.clock import Clock
from core.contract.log import Log
from core.contract.sections.common import RegionSettings
from core.engine.accounts import Account, AccountEvents
from core.engine.day_rights import DayRights
from core.engine.protection import Protection, ProtectionRules
from core.providers.port import Adapter, Outcome, ReceiptIn
from core.providers.registry import wire
from sync.store.follow import Follower
from sync.store.port import StoreError

STOP_GRACE_MS = 2000
PAGE = 100
Make = Callable[[ProviderAccount, Opened, AccountEvents, Random], Adapter]


def of_its_wire(
    given: ProviderAccount, opened: Opened, events: AccountEvents, random: Random
) -> Adapter:
    """The adapter of an account, made by its wire."""
    how = wire(given.wire)
    return how.make(given.id, opened.settings, opened.secrets, events, random)


class Workforce:
    """The accounts of this process by id, shared with the dispatcher (`accounts`).

    `days` makes the rights of a day of an account, `make` the adapter.
    """

    def __init__(
        self,
        service: Accounts,
        accounts: dict[str, Account],
        clock: Clock,
        random: Random,
        log: Log,
        half_life_s: float,
        spawn: Callable[[Awaitable[None]], None],
        region: RegionSettings,
        rules: ProtectionRules,
        days: Callable[[str, int], DayRights],
        make: Make = of_its_wire,
    ) -> None:
        self.accounts = accounts
        self._region = region
        self._rules = rules
        self._make_day = days
        self._days: dict[str, DayRights] = {}
        self._service = service
        self._clock = clock
        self._random = random
        self._log = log
        self._half_life_s = half_life_s
        self._spawn = spawn
        self._make = make
        self._follower = Follower(self._read_all, self._read_one, spawn)
        self.on_receipt: Callable[[str, ReceiptIn], None] = lambda *_: None
        self.on_late: Callable[[str, str, Outcome], None] = lambda *_: None
        self.on_changed: Callable[[], None] = lambda: None
        self.on_loaded: Callable[[], None] = lambda: None

    async def load(self) -> None:
        """Bring all accounts to work; raises StoreError."""
        await self._follower.load()

    def changed(self, account_id: str) -> None:
        """An account was written or deleted."""
        self._follower.changed(account_id)

    def reload_all(self) -> None:
        """Any account may have changed."""
        self._follower.forget()

    async def stop(self, grace_ms: int) -> None:
        """Let calls under way end, then close all connections."""
        adapters = [a.adapter for a in self.accounts.values() if a.adapter is not None]
        await asyncio.gather(*(adapter.stop(grace_ms) for adapter in adapters))
        await asyncio.gather(*(day.stop() for day in self._days.values()))

    async def _read_all(self) -> None:
        after, gone = "", set(self.accounts)
        while page := await self._service.list(after, PAGE):
            for stored in page:
                gone.discard(stored.account.id)
                await self._apply(stored.account.id, stored)
            after = page[-1].account.id
        for account_id in gone:
            await self._apply(account_id, None)

    async def _read_one(self, account_id: str) -> None:
        try:
            stored = await self._service.get(account_id)
        except StoreError as error:
            self._log.error("an account cannot be read", account=account_id, error=str(error))
            raise
        await self._apply(account_id, stored)

    async def _apply(self, account_id: str, stored: StoredAccount | None) -> None:
        known = self.accounts.get(account_id)
        if stored is not None and known is not None and known.version == stored.version:
            return
        if known is not None:
            del self.accounts[account_id]
            if known.adapter is not None:
                self._spawn(known.adapter.stop(STOP_GRACE_MS))
        if stored is not None:
            await self._begin(stored, self._protection(stored.account, known))
        self.on_loaded()
        self.on_changed()

    def _protection(self, given: ProviderAccount, before: Account | None) -> Protection:
        """What the account is spared; editing it gives neither a second burst nor a second day."""
        day = None
        if given.limits.per_day is not None:
            day = self._days.get(given.id)
            if day is None:
                day = self._days[given.id] = self._make_day(given.id, given.limits.per_day)
            day.limit(given.limits.per_day)
        protection = Protection(self._rules, given.limits, day)
        if before is not None:
            protection.tat = before.protection.tat
        return protection

    async def _begin(self, stored: StoredAccount, protection: Protection) -> None:
        given = stored.account
        account = Account(
            given,
            stored.version,
            facts_of(given, self._region),
            self._clock,
            self._half_life_s,
            protection,
        )
        self.accounts[given.id] = account
        if not given.enabled:
            return
        opened = self._service.open(given)
        if isinstance(opened, Fault):
            account.problem = opened.reason
            self._log.error("an account cannot be used", account=given.id, reason=opened.reason)
            return
        events = AccountEvents(
            account,
            self._receipt,
            lambda ref, outcome: self.on_late(given.id, ref, outcome),
            self._changed,
        )
        account.adapter = self._make(given, opened, events, self._random)
        account.capabilities = account.adapter.capabilities
        await account.adapter.start()

    def _receipt(self, account: str, receipt: ReceiptIn) -> None:
        self.on_receipt(account, receipt)

    def _changed(self) -> None:
        self.on_changed()
