"""The suppressions as they are asked for in the turn before each intent: in memory, all of them.

About a hundred bytes for each. The table is loaded before anything is sent and follows the feed of
changes; what this process itself stores is in it once `refresh` returned, and what another stores
within a poll. Until a change that cannot be read is read, what was known stays.
"""

from collections.abc import Awaitable, Callable
from hashlib import blake2b

from core.contract.suppressions import SuppressionReason
from core.suppress.rules import CLASSES, REASONS, stopped
from core.suppress.store import KIND, Suppression, SuppressionStore, name_of
from sync.store.feed import EntityFeed
from sync.store.follow import Follower
from sync.store.port import StoreError

PAGE = 1000
_BITS = 4  # of the number that keeps a class's reason
_PLACES: dict[str, int] = {each: place * _BITS for place, each in enumerate(CLASSES)}


class Suppressed:
    """See the module's docstring."""

    def __init__(self, store: SuppressionStore, spawn: Callable[[Awaitable[None]], None]) -> None:
        self._store = store
        self._known: dict[int, int] = {}
        self._follower = Follower(self._read_all, self._read_one, spawn)

    def __len__(self) -> int:
        return len(self._known)

    def watch(self, feed: EntityFeed) -> None:
        """Follow what is changed, by whomever."""
        self._follower.watch(feed, KIND)

    async def load(self) -> None:
        """Read all of them; raises StoreError."""
        await self._follower.load()

    async def refresh(self, tenant: str, name: str) -> None:
        """This process stored it, or took it away: see that it is known here."""
        entity_id = f"{tenant}/{name}"
        try:
            await self._follower.read(entity_id)
        except StoreError:
            self._follower.changed(entity_id)

    def why(
        self, tenant: str, channel: str, address: str, message_class: str
    ) -> SuppressionReason | None:
        """Why a message of this class is not sent there; None where nothing is known against it."""
        if not self._known:
            return None
        packed = self._known.get(_key(f"{tenant}/{name_of(channel, address)}"), 0)
        number = (packed >> _PLACES[message_class]) & ((1 << _BITS) - 1)
        return REASONS[number - 1] if number else None

    async def _read_all(self) -> None:
        after, found = "", dict[int, int]()
        while page := await self._store.every(after, PAGE):
            found.update({_key(name): _packed(one) for name, one in page})
            after = page[-1][0]
        self._known = found

    async def _read_one(self, entity_id: str) -> None:
        found = await self._store.at(entity_id)
        if found is None:
            self._known.pop(_key(entity_id), None)
        else:
            self._known[_key(entity_id)] = _packed(found)


def _key(entity_id: str) -> int:
    return int.from_bytes(blake2b(entity_id.encode(), digest_size=8).digest(), "big")


def _packed(suppression: Suppression) -> int:
    """For each class the number of the reason that stops it, 0 for none."""
    packed = 0
    for each, reason in stopped(suppression.entries).items():
        packed |= (REASONS.index(reason) + 1) << _PLACES[each]
    return packed
