"""What leads to a suppression: a hard bounce, a complaint, an invalid target, a link, a hand.

What a message tells is taken down beside its own way, and tried until the store takes it. Should
the process end before, the next owner reads the same receipts and takes it down then, unless all
else of the message was written by then; the next message to the address tells it again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import cast

from core.clock import Clock
from core.contract.log import Log
from core.contract.requests import ChannelName, MessageClass
from core.contract.suppressions import SuppressionReason
from core.engine.payload import Payload
from core.suppress.links import Leaving, Links
from core.suppress.rules import Entry, entry_of
from core.suppress.store import StoredSuppression, SuppressionStore
from core.suppress.table import Suppressed
from sync.owner.state import Msg
from sync.store.entities import StaleVersion
from sync.store.port import StoreError

# Enhanced status codes of a mailbox, or a domain, that is not there and will not be.
GONE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
HEARD_MAX = 10_000
AGAIN_S = 1.0


class Suppressions:
    """Adds to the store and to the table."""

    def __init__(
        self,
        store: SuppressionStore,
        table: Suppressed,
        links: Links,
        clock: Clock,
        log: Log,
        spawn: Callable[[Awaitable[None]], None],
    ) -> None:
        self.store = store
        self.table = table
        self.links = links
        self._clock = clock
        self._log = log
        self._spawn = spawn
        self._heard: OrderedDict[tuple[str, SuppressionReason], None] = OrderedDict()

    def why(self, payload: Payload) -> str:
        """The reason that the message is not to be sent; "" where it may be."""
        if payload.kind:
            return ""
        reason = self.table.why(payload.tenant, payload.channel, payload.to, payload.message_class)
        return reason or ""

    async def add(
        self, tenant: str, channel: ChannelName, address: str, entry: Entry
    ) -> StoredSuppression:
        """Take a cause down; it is in force here when this returns."""
        stored = await self.store.add(tenant, channel, address, [entry])
        await self.table.refresh(tenant, stored.id)
        self._log.info(
            "suppressed",
            tenant=tenant,
            channel=channel,
            recipient=self._log.hashed(address),
            reason=entry.reason,
            message=entry.message,
        )
        return stored

    async def remove(self, tenant: str, name: str, expect: int | None) -> bool:
        """Send to it again; in force here when this returns. False if it is not suppressed."""
        done = await self.store.remove(tenant, name, expect)
        await self.table.refresh(tenant, name)
        return done

    def link(self, payload: Payload, message_id: str) -> str:
        """The unsubscribe link of a message, "" for what nobody can leave (codes, alerts)."""
        if payload.kind or payload.message_class not in ("bulk", "transactional"):
            return ""
        channel = cast("ChannelName", payload.channel)
        message_class = cast("MessageClass", payload.message_class)
        return self.links.url(
            Leaving(payload.tenant, channel, payload.to, message_class, message_id)
        )

    async def left(self, leaving: Leaving) -> None:
        """Somebody followed a link."""
        also: tuple[MessageClass, ...] = (leaving.message_class,)
        entry = entry_of("unsubscribe", self._clock.wall_ms(), also=also, message=leaving.message)
        await self.add(leaving.tenant, leaving.channel, leaving.address, entry)

    def heard(self, msg: Msg, payload: Payload) -> None:
        """A message changed: its receipts may say that its address is gone, or a complaint."""
        if payload.kind:
            return
        for _, receipt in msg.receipts:
            if receipt.status == "complained":
                self._take_down(msg.id, payload, "complaint", receipt.detail)
            elif receipt.status == "failed" and receipt.code in GONE:
                self._take_down(msg.id, payload, "bounce", f"{receipt.code} {receipt.detail}")

    def invalid(self, message_id: str, payload: Payload, detail: str) -> None:
        """A provider said that there is no such contact point."""
        self._take_down(message_id, payload, "invalid", detail)

    def _take_down(
        self, message_id: str, payload: Payload, reason: SuppressionReason, detail: str
    ) -> None:
        """Once for each message and reason, however often the message changes."""
        if (message_id, reason) in self._heard:
            return
        self._heard[message_id, reason] = None
        if len(self._heard) > HEARD_MAX:
            self._heard.popitem(last=False)
        channel = cast("ChannelName", payload.channel)
        entry = entry_of(reason, self._clock.wall_ms(), detail=detail, message=message_id)
        self._spawn(self._until_stored(payload.tenant, channel, payload.to, entry))

    async def _until_stored(
        self, tenant: str, channel: ChannelName, address: str, entry: Entry
    ) -> None:
        while True:
            try:
                await self.add(tenant, channel, address, entry)
            except (StoreError, StaleVersion) as error:
                message = entry.message
                self._log.error("a suppression is not stored", message=message, error=str(error))
                await asyncio.sleep(AGAIN_S)
            else:
                return
