"""What leads to a suppression: a hard bounce, a complaint, an invalid target, a link, a hand.

What a message tells is taken down beside its own way; should the process end before, the next owner
reads the same receipts and takes it down then. What is known already costs a look into the table.
"""

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

    def why(self, payload: Payload) -> str:
        """Why the message is not to be sent, for people; "" where it may be."""
        if payload.kind:
            return ""
        reason = self.table.why(payload.tenant, payload.channel, payload.to, payload.message_class)
        return "" if reason is None else reason

    async def add(
        self, tenant: str, channel: ChannelName, address: str, entry: Entry
    ) -> StoredSuppression:
        """Take a cause down; it is in force here when this returns."""
        stored = await self.store.add(tenant, channel, address, [entry])
        self.table.now(stored.suppression)
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
        await self.table.reload(f"{tenant}/{name}")
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
        if payload.kind or not msg.receipts:
            return
        for _, receipt in msg.receipts:
            if receipt.status == "complained":
                self._soon(msg.id, payload, "complaint", receipt.detail)
            elif receipt.status == "failed" and receipt.code in GONE:
                self._soon(msg.id, payload, "bounce", f"{receipt.code} {receipt.detail}")

    def invalid(self, message_id: str, payload: Payload, detail: str) -> None:
        """A provider said that there is no such contact point."""
        if not payload.kind:
            self._soon(message_id, payload, "invalid", detail)

    def _soon(
        self, message_id: str, payload: Payload, reason: SuppressionReason, detail: str
    ) -> None:
        known = self.table.why(payload.tenant, payload.channel, payload.to, "bulk")
        if known != reason:
            self._spawn(self._add(message_id, payload, reason, detail))

    async def _add(
        self, message_id: str, payload: Payload, reason: SuppressionReason, detail: str
    ) -> None:
        channel = cast("ChannelName", payload.channel)
        entry = entry_of(reason, self._clock.wall_ms(), detail=detail, message=message_id)
        try:
            await self.add(payload.tenant, channel, payload.to, entry)
        except (StoreError, StaleVersion) as error:
            self._log.error("a suppression is not stored", message=message_id, error=str(error))
