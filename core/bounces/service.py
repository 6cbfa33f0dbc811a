"""The taking of bounces in one process, put together from the settings."""

from collections.abc import Awaitable, Callable

from core.accounts.service import Accounts
from core.bounces.book import Book
from core.bounces.desk import Desk
from core.bounces.listener import BounceListener
from core.bounces.session import Bounds
from core.contract.log import Log
from core.contract.settings import Settings
from core.providers.port import ReceiptIn
from sync.store.feed import EntityFeed


class Bounces:
    """`receive` is the engine's door for receipts; `on_told(account, kind)` counts each mail."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        receive: Callable[[str, ReceiptIn], None],
        on_told: Callable[[str, str], None],
        log: Log,
        spawn: Callable[[Awaitable[None]], None],
    ) -> None:
        core = settings.core
        self._host = core.bounce_host
        self._book = Book(accounts, (settings.region.name,), log, spawn)
        self.listener = BounceListener(
            Desk(self._book, receive, on_told, core.bounce_answer_ms),
            Bounds(core.bounce_bytes_max, core.bounce_idle_ms, core.bounce_session_ms),
            core.bounce_connections_max,
            log,
        )

    def watch(self, feed: EntityFeed) -> None:
        """Follow the accounts while they are edited; before the feed starts."""
        self._book.watch(feed)

    async def start(self, port: int) -> None:
        """Listen; port 0: no bounces are taken here. Raises OSError where it cannot be had."""
        await self._book.load()
        if port:
            await self.listener.start(self._host, port)

    async def stop(self) -> None:
        """Take no more."""
        await self.listener.stop()
