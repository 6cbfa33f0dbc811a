"""The suppressions as they are asked for in the turn before each intent: in memory, all of them.

About a hundred bytes for each. The table is loaded before anything is sent and follows the feed of
changes; what this process itself adds is in it at once, and what another adds within a poll. Until
a change that cannot be read is read, what was known stays.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from core.contract.requests import MessageClass
from core.contract.suppressions import SuppressionReason
from core.suppress.rules import CLASSES, REASONS, stopped
from core.suppress.store import Suppression, SuppressionStore, name_of
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

PAGE = 1000
AGAIN_S = 1.0
_BITS = 4  # of the number that keeps a class's reason


class Suppressed:
    """See the module's docstring."""

    def __init__(self, store: SuppressionStore, spawn: Callable[[Awaitable[None]], None]) -> None:
        self._store = store
        self._spawn = spawn
        self._known: dict[int, int] = {}
        self._meanwhile: dict[str, None] = {}
        self._loading = False

    def __len__(self) -> int:
        return len(self._known)

    def watch(self, feed: EntityFeed, kind: str) -> None:
        """Follow what is changed, by whomever."""
        feed.watch(kind, self.changed, lambda: self._spawn(self.load()))

    def why(
        self, tenant: str, channel: str, address: str, message_class: str
    ) -> SuppressionReason | None:
        """Why a message of this class is not sent there; None where nothing is known against it."""
        if not self._known:
            return None
        packed = self._known.get(_key(f"{tenant}/{name_of(channel, address)}"), 0)
        return _reason(packed, message_class)

    async def load(self) -> None:
        """Read all of them; raises StoreError."""
        self._loading, self._meanwhile = True, {}
        after, found = "", dict[int, int]()
        while page := await self._store.every(after, PAGE):
            found.update({_key(name): _packed(one) for name, one in page})
            after = page[-1][0]
        self._known, changed, self._meanwhile = found, self._meanwhile, {}
        self._loading = False
        for entity_id in changed:
            self.changed(entity_id)

    def changed(self, entity_id: str) -> None:
        """One was changed."""
        self._spawn(self.reload(entity_id))

    def now(self, suppression: Suppression) -> None:
        """This process just stored it."""
        name = name_of(suppression.channel, suppression.address)
        self._take(f"{suppression.tenant}/{name}", suppression)

    async def reload(self, entity_id: str) -> None:
        """Read one again, however long the store needs."""
        while True:
            try:
                found = await self._store.at(entity_id)
            except StoreError:
                await asyncio.sleep(AGAIN_S)
                continue
            self._take(entity_id, found)
            return

    def _take(self, entity_id: str, found: Suppression | None) -> None:
        if self._loading:
            self._meanwhile[entity_id] = None  # the load may have read it before
        if found is None:
            self._known.pop(_key(entity_id), None)
        else:
            self._known[_key(entity_id)] = _packed(found)


def _key(entity_id: str) -> int:
    return int.from_bytes(blake2b(entity_id.encode(), digest_size=8).digest(), "big")


def _packed(suppression: Suppression) -> int:
    """For each class the number of the reason that stops it, 0 for none."""
    stops = stopped(suppression.entries)
    packed = 0
    for place, each in enumerate(CLASSES):
        if each in stops:
            packed |= (REASONS.index(stops[each]) + 1) << (place * _BITS)
    return packed


def _reason(packed: int, message_class: str) -> SuppressionReason | None:
    if not packed:
        return None
    classes: tuple[MessageClass, ...] = CLASSES
    place = next((n for n, each in enumerate(classes) if each == message_class), None)
    number = 0 if place is None else (packed >> (place * _BITS)) & ((1 << _BITS) - 1)
    return REASONS[number - 1] if number else None
