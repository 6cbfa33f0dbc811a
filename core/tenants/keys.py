"""API keys of tenants: made, listed, revoked, and looked up for the edges.

A key's text is returned once, by `create`; stored is the SHA-256 of its secret. A revoked key stays
on record, so that its holder is told so and nobody gets the same id. What is written is durable
when the call returns; `StoreError` goes through to the caller.
"""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from core.clock import Clock
from core.contract.keys import (
    MINT_RANDOM_BYTES,
    SCOPES,
    Scope,
    format_key,
    mint_key,
    parse_key,
    secret_hash,
)
from sync.store.entities import Entity, EntityStore, StaleVersion, live

KIND = "key"
_PAGE = 500
_TRIES_MAX = 10


class KeyRecord(Struct, frozen=True):
    """A key as it is stored. `hash` is the hex of the secret's SHA-256."""

    id: str
    tenant: str
    hash: str
    scopes: list[Scope]
    created_ms: int
    revoked: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(KeyRecord).decode


class KeyService:
    """The keys in one entity store."""

    def __init__(
        self, entities: EntityStore, clock: Clock, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._entities = entities
        self._clock = clock
        self._random_bytes = random_bytes

    async def create(self, tenant: str, scopes: Iterable[Scope]) -> tuple[KeyRecord, str]:
        """A new key: its record, and its text, which is not kept."""
        for _ in range(_TRIES_MAX):
            key = mint_key(self._random_bytes(MINT_RANDOM_BYTES))
            record = KeyRecord(
                key.id,
                tenant,
                secret_hash(key.secret).hex(),
                sorted(set(scopes)),
                self._clock.wall_ms(),
            )
            try:
                await self._entities.put(KIND, key.id, _encode(record), 0)
            except StaleVersion:
                continue  # the id is taken: with 60 random bits, next to never
            return record, format_key(key)
        raise RuntimeError("the random source gives ids that are taken")

    async def get(self, key_id: str) -> KeyRecord | None:
        """The key, also a revoked one."""
        found = await live(self._entities, KIND, key_id)
        return _decode(found.body) if found else None

    async def list(self, tenant: str | None, after: str, limit: int) -> list[KeyRecord]:
        """Keys in order of id, those after `after`; of one tenant, or of all for None."""
        chosen: list[KeyRecord] = []
        while len(chosen) < limit:
            page: list[Entity] = await self._entities.list(KIND, after, _PAGE)
            records = [_decode(entity.body) for entity in page]
            chosen += [one for one in records if tenant is None or one.tenant == tenant]
            if len(page) < _PAGE:
                break
            after = page[-1].id
        return chosen[:limit]

    async def revoke(self, key_id: str) -> bool:
        """Stop a key; doing it again is harmless. False if there is no such key."""
        version = 0
        for _ in range(_TRIES_MAX):
            found = await live(self._entities, KIND, key_id)
            if found is None:
                return False
            version = found.version
            record = _decode(found.body)
            if record.revoked:
                return True
            gone = msgspec.structs.replace(record, revoked=True)
            try:
                await self._entities.put(KIND, key_id, _encode(gone), version)
            except StaleVersion:
                continue
            return True
        raise StaleVersion(version)


async def ensure_key(
    entities: EntityStore, key_text: str, tenant: str, scopes: Iterable[Scope], now_ms: int
) -> None:
    """Register a key that exists already (of `goutong up`), or give it the scopes that it lacks.

    One that was revoked stays revoked. ValueError if the text is no key, or its id is that of
    another key.
    """
    key = parse_key(key_text)
    wanted = sorted(set(scopes))
    if key is None or not SCOPES.issuperset(wanted):
        raise ValueError("this is no API key of goutong, or a scope is unknown")
    record = KeyRecord(key.id, tenant, secret_hash(key.secret).hex(), wanted, now_ms)
    try:
        await entities.put(KIND, key.id, _encode(record), 0)
    except StaleVersion:
        found = await live(entities, KIND, key.id)
        known = _decode(found.body) if found else None
        if found is None or known is None or known.hash != record.hash:
            raise ValueError(f"another key has the id {key.id}") from None
        scopes = sorted({*known.scopes, *wanted})
        if scopes != known.scopes and not known.revoked:
            wider = msgspec.structs.replace(known, scopes=scopes)
            await entities.put(KIND, key.id, _encode(wider), found.version)
