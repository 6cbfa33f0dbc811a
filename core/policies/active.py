"""The policies in force in this process, ready to decide with.

They are read again whenever a policy or an account changes. When the store cannot be read, those
read last stay in force, the log says so, and they are read again until they can be.
"""

from collections.abc import Awaitable, Callable, Set

from core.contract.log import Log
from core.decide.policy import Policy, policy_for, scaled
from core.policies.check import names_of
from core.policies.store import PolicyStore, StoredPolicy
from sync.store.feed import EntityFeed
from sync.store.follow import Follower
from sync.store.port import StoreError

KNOWN_MAX = 10_000


def policy_of(stored: StoredPolicy, accounts: Set[str]) -> Policy:
    """The policy ready to decide with; `accounts` are those that exist."""
    given = stored.policy
    w = given.weights
    return Policy(
        name=given.name,
        version=stored.version,
        tenants=frozenset(given.match.tenants),
        classes=frozenset(given.match.classes),
        channels=frozenset(given.match.channels),
        countries=frozenset(given.match.countries),
        rank={account: place for place, account in enumerate(given.order)},
        millionths=scaled(w.success, w.latency, w.cost, w.distance, w.order),
        explore=given.explore,
        forbid=frozenset(given.forbid),
        require=frozenset(given.require),
        when_none=given.when_none,
        price_max=given.price_max,
        gone=tuple(sorted(names_of(given) - accounts)),
    )


class ActivePolicies:
    """See the module's docstring. `all` is replaced as a whole; `on_changed` is told of it."""

    def __init__(
        self, store: PolicyStore, spawn: Callable[[Awaitable[None]], None], log: Log
    ) -> None:
        self.all: tuple[Policy, ...] = ()
        self.on_changed: Callable[[], None] = lambda: None
        self.store = store
        self._log = log
        self._follower = Follower(self._read, lambda _name: self._read(), spawn)
        self._known: dict[tuple[str, str, str, str], Policy] = {}

    def watch(self, feed: EntityFeed) -> None:
        """Follow what changes from now on."""
        self.store.watch(feed, self._changed, self._follower.forget)
        self.store.accounts.watch(feed, self._changed, self._follower.forget)

    async def load(self) -> None:
        """Read them all; StoreError if they cannot be read."""
        await self._follower.load()

    def serving(self, tenant: str, message_class: str, channel: str, country: str) -> Policy:
        """The policy that serves such a message."""
        key = (tenant, message_class, channel, country)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            known = self._known[key] = policy_for(self.all, *key)
        return known

    def _changed(self, _name: str) -> None:
        self._follower.forget()

    async def _read(self) -> None:
        try:
            accounts = await self.store.accounts.ids()
            stored = await self.store.all()
        except StoreError as error:
            self._log.error("policies cannot be read", error=str(error))
            raise
        found = tuple(policy_of(one, accounts) for one in stored)
        if found != self.all:
            self.all = found
            self._known.clear()
            self.on_changed()
