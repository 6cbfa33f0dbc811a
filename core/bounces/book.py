"""Which accounts have return paths, and which attempt an address names.

Accounts that are disabled or at fault are in it too: bounces come for days after a mail went out.
An account whose secrets cannot be opened, or that was deleted, names nothing.
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from core.accounts.model import Fault, StoredAccount
from core.accounts.service import Accounts
from core.contract.log import Log
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.verp import Verp
from sync.store.feed import EntityFeed
from sync.store.follow import Follower
from sync.store.port import StoreError

FEEDBACK_MAILBOX = "fbl"
_PAGE = 100


class Target(Struct, frozen=True):
    """Whom a report is about: the account, and its attempt as "message.attempt.0"."""

    account: str
    ref: str


class Book:
    """Kept up to date while accounts are edited. `regions` are all whose messages may bounce."""

    def __init__(
        self,
        accounts: Accounts,
        regions: tuple[str, ...],
        log: Log,
        spawn: Callable[[Awaitable[None]], None],
    ) -> None:
        self._accounts = accounts
        self._regions = regions
        self._log = log
        self._paths: dict[str, Verp] = {}
        self._follower = Follower(self._read_all, self._read_one, spawn)

    def watch(self, feed: EntityFeed) -> None:
        """Follow the accounts from now on."""
        self._accounts.watch(feed, self._follower.changed, self._forget)

    async def load(self) -> None:
        """Read all accounts; raises StoreError."""
        await self._follower.load()

    def target(self, address: str) -> Target | None:
        """The attempt that a return path names; None for an address that nobody signed."""
        for account, verp in self._paths.items():
            ref = verp.ref_of(address, self._regions)
            if ref:
                return Target(account, ref)
        return None

    def takes_feedback(self, address: str) -> bool:
        """Whether it is the mailbox that mailbox providers send their reports to."""
        local, _, domain = address.lower().rpartition("@")
        return local == FEEDBACK_MAILBOX and any(v.domain == domain for v in self._paths.values())

    def _forget(self) -> None:
        self._paths.clear()
        self._follower.forget()

    async def _read_all(self) -> None:
        after = ""
        while page := await self._accounts.list(after, _PAGE):
            for stored in page:
                self._enter(stored.account.id, stored)
            after = page[-1].account.id

    async def _read_one(self, account_id: str) -> None:
        try:
            self._enter(account_id, await self._accounts.get(account_id))
        except StoreError as error:
            self._log.error("an account cannot be read", account=account_id, error=str(error))
            raise

    def _enter(self, account_id: str, stored: StoredAccount | None) -> None:
        self._paths.pop(account_id, None)
        if stored is None or stored.account.wire != "smtp":
            return
        opened = self._accounts.open(stored.account)
        if isinstance(opened, Fault):
            return
        settings, key = opened.settings, opened.secrets.get("bounce_key", "")
        if isinstance(settings, SmtpSettings) and settings.bounce_domain and key:
            self._paths[account_id] = Verp(settings.bounce_domain, key)
