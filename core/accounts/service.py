"""Provider accounts: stored with their secrets sealed, opened for the engine.

What is wrong with an account is told when it is written (`ProblemError` invalid_request). What goes
wrong with a stored one later (no vault key, another one, settings that a newer version refuses)
makes `open` answer a `Fault` with the reason, and nothing else fails. `StaleVersion` and
`StoreError` go through to the caller.
"""

from collections.abc import Callable

import msgspec

from core.accounts.check import check_account, read_settings
from core.accounts.model import Fault, Opened, ProviderAccount, StoredAccount
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.contract.providers import ProviderIn
from core.providers.registry import WIRES, wire
from core.tenants.vault import Vault, VaultError
from sync.store.entities import LIST_MAX, Entity, EntityStore, StaleVersion, live
from sync.store.feed import EntityFeed

KIND = "provider"
_TRIES_MAX = 10

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ProviderAccount).decode


class Accounts:
    """The accounts in one entity store, opened with one vault."""

    def __init__(self, entities: EntityStore, vault: Vault) -> None:
        self._entities = entities
        self._vault = vault

    async def get(self, account_id: str) -> StoredAccount | None:
        """The account with its version."""
        found = await live(self._entities, KIND, account_id)
        return _stored(found) if found else None

    async def list(self, after: str = "", limit: int = 100) -> list[StoredAccount]:
        """Accounts in order of id, those after `after`."""
        return [_stored(found) for found in await self._entities.list(KIND, after, limit)]

    async def ids(self) -> set[str]:
        """The ids of all accounts."""
        found: set[str] = set()
        after = ""
        while page := await self._entities.list(KIND, after, LIST_MAX):
            found.update(entity.id for entity in page)
            after = page[-1].id
        return found

    async def put(self, given: ProviderIn, expect: int | None) -> StoredAccount:
        """Store it; `expect` 0 means that there must be none yet."""
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, given.id)
            current = found.version if found else 0
            if expect is not None and expect != current:
                raise StaleVersion(current)
            before = _decode(found.body) if found else None
            problems = check_account(given, before)
            if problems:
                raise invalid(problems)
            account = ProviderAccount(
                given.id,
                given.wire,
                given.channel,
                given.enabled,
                given.priority,
                given.settings,
                self._sealed(given, before),
                given.price,
                given.destinations,
                given.limits,
                given.location,
            )
            try:
                version = await self._entities.put(KIND, given.id, _encode(account), current)
            except StaleVersion:
                continue  # somebody was faster: check again against what is there now
            return StoredAccount(version, account)
        raise StaleVersion(current)

    async def delete(self, account_id: str, expect: int | None) -> bool:
        """Take the account away with its secrets. False if there is none."""
        return await self._entities.delete(KIND, account_id, expect) > 0

    def open(self, account: ProviderAccount) -> Opened | Fault:
        """What the wire's `make` needs, or why it cannot be had."""
        if account.wire not in WIRES:
            return Fault(f"this version knows no wire `{account.wire}`")
        settings = read_settings(wire(account.wire), account.settings)
        if isinstance(settings, FieldProblem):
            return Fault(f"{settings.pointer}: {settings.detail}")
        try:
            opened = {
                name: self._vault.unseal(account.id, name, sealed)
                for name, sealed in account.secrets.items()
            }
        except VaultError as error:
            return Fault(str(error))
        return Opened(settings, opened)

    def watch(
        self, feed: EntityFeed, changed: Callable[[str], None], forget: Callable[[], None]
    ) -> None:
        """Call `changed(id)` for each account that is written or deleted, by whomever; `forget()`
        where any may have changed."""
        feed.watch(KIND, changed, forget)

    def _sealed(self, given: ProviderIn, before: ProviderAccount | None) -> dict[str, str]:
        """Given secrets are the whole new set; without any the former ones stay."""
        if given.secrets is None:
            return before.secrets if before else {}
        try:
            return {
                name: self._vault.seal(given.id, name, secret)
                for name, secret in given.secrets.items()
            }
        except VaultError as error:
            raise problem("sealed", str(error)) from None


def _stored(entity: Entity) -> StoredAccount:
    return StoredAccount(entity.version, _decode(entity.body))
