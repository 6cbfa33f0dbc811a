"""Policies in the entity store, each under its name.

`put` refuses (`ProblemError` invalid_request) what cannot be, an account that does not exist among
it. An account that is deleted later stays in the policy by name and is told in explanations.
`StaleVersion` and `StoreError` go through to the caller.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from core.accounts.service import Accounts
from core.contract.policies import PolicyIn
from core.contract.problems import invalid
from core.policies.check import check_policy
from sync.store.entities import LIST_MAX, Entity, EntityStore, StaleVersion, live
from sync.store.feed import EntityFeed

KIND = "policy"
_TRIES_MAX = 10

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PolicyIn).decode


class StoredPolicy(Struct, frozen=True):
    """A policy with its version."""

    version: int
    policy: PolicyIn


class PolicyStore:
    """The policies in one entity store, which name the accounts there."""

    def __init__(self, entities: EntityStore, accounts: Accounts) -> None:
        self._entities = entities
        self.accounts = accounts

    async def get(self, name: str) -> StoredPolicy | None:
        """The policy with its version."""
        found = await live(self._entities, KIND, name)
        return _stored(found) if found else None

    async def list(self, after: str = "", limit: int = 100) -> list[StoredPolicy]:
        """Policies in order of name, those after `after`."""
        return [_stored(found) for found in await self._entities.list(KIND, after, limit)]

    async def all(self) -> tuple[StoredPolicy, ...]:
        """Every policy."""
        found: tuple[StoredPolicy, ...] = ()
        while page := await self.list(found[-1].policy.name if found else "", LIST_MAX):
            found += tuple(page)
        return found

    async def put(self, given: PolicyIn, expect: int | None) -> StoredPolicy:
        """Store it; `expect` 0 means that there must be none yet. The same again is no new
        version."""
        problems = check_policy(given, await self.accounts.ids())
        if problems:
            raise invalid(problems)
        body = _encode(given)
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, given.name)
            current = found.version if found else 0
            if expect is not None and expect != current:
                raise StaleVersion(current)
            if found and found.body == body:
                return StoredPolicy(current, given)
            try:
                version = await self._entities.put(KIND, given.name, body, current)
            except StaleVersion:
                continue  # somebody was faster; with an expectation the next round refuses
            return StoredPolicy(version, given)
        raise StaleVersion(current)

    async def delete(self, name: str, expect: int | None) -> bool:
        """Take the policy away. False if there is none."""
        return await self._entities.delete(KIND, name, expect) > 0

    def watch(
        self, feed: EntityFeed, changed: Callable[[str], None], forget: Callable[[], None]
    ) -> None:
        """Call `changed(name)` for each policy that is written or deleted, by whomever; `forget()`
        where any may have changed."""
        feed.watch(KIND, changed, forget)


def _stored(entity: Entity) -> StoredPolicy:
    return StoredPolicy(entity.version, _decode(entity.body))
