"""API keys: shown once, stored as hashes, revoked for good, registered twice without harm."""

import secrets

import pytest

from core.contract.keys import MINT_RANDOM_BYTES, format_key, mint_key, parse_key, secret_hash
from core.tenants.keys import KIND, KeyService, ensure_key
from sync.store.entities import live
from sync.store.entities_memory import MemoryEntities


class Clock:
    def boot(self) -> float:
        return 1.0

    def wall_ms(self) -> int:
        return 1_700_000_000_000

    def wall_us(self) -> int:
        return 1_700_000_000_000_000


@pytest.fixture
def entities() -> MemoryEntities:
    return MemoryEntities()


@pytest.fixture
def keys(entities: MemoryEntities) -> KeyService:
    return KeyService(entities, Clock(), secrets.token_bytes)


async def test_a_key_is_stored_without_its_secret(
    keys: KeyService, entities: MemoryEntities
) -> None:
    record, text = await keys.create("acme", ["send", "read", "send"])
    parsed = parse_key(text)
    assert parsed is not None and parsed.id == record.id
    assert record.hash == secret_hash(parsed.secret).hex()
    assert (record.tenant, record.scopes, record.revoked) == ("acme", ["read", "send"], False)
    assert record.created_ms == 1_700_000_000_000
    stored = await live(entities, KIND, record.id)
    assert stored is not None
    assert parsed.secret.encode() not in stored.body
    assert await keys.get(record.id) == record


async def test_an_id_that_is_taken_is_not_taken_over(entities: MemoryEntities) -> None:
    drawn = [b"a" * MINT_RANDOM_BYTES, b"a" * MINT_RANDOM_BYTES, b"b" * MINT_RANDOM_BYTES]
    keys = KeyService(entities, Clock(), lambda count: drawn.pop(0))
    first, _ = await keys.create("one", ["send"])
    second, _ = await keys.create("two", ["send"])
    assert first.id != second.id
    assert await keys.get(first.id) == first


async def test_a_revoked_key_stays_on_record(keys: KeyService) -> None:
    record, _ = await keys.create("acme", ["send"])
    assert await keys.revoke(record.id) is True
    assert await keys.revoke(record.id) is True
    found = await keys.get(record.id)
    assert found is not None and found.revoked and found.hash == record.hash
    assert await keys.revoke("nothing") is False
    assert await keys.get("nothing") is None


async def test_lists_are_by_tenant_and_in_pages(keys: KeyService) -> None:
    made = [await keys.create("acme" if n % 3 else "other", ["send"]) for n in range(30)]
    of_acme = sorted(record.id for record, _ in made if record.tenant == "acme")
    seen: list[str] = []
    while page := await keys.list("acme", seen[-1] if seen else "", 7):
        seen += [record.id for record in page]
    assert seen == of_acme
    assert len(await keys.list(None, "", 100)) == 30


async def test_registering_a_key_again_changes_nothing(
    keys: KeyService, entities: MemoryEntities
) -> None:
    key = mint_key(secrets.token_bytes(MINT_RANDOM_BYTES))
    await ensure_key(entities, format_key(key), "default", ["send", "admin"], 5)
    await ensure_key(entities, format_key(key), "default", ["send"], 6)
    found = await keys.get(key.id)
    assert found is not None
    assert (found.tenant, found.scopes, found.created_ms) == ("default", ["admin", "send"], 5)
    assert await entities.head() == 1
    await keys.revoke(key.id)
    await ensure_key(entities, format_key(key), "default", ["send"], 7)
    again = await keys.get(key.id)
    assert again is not None and again.revoked


async def test_a_registered_key_gets_the_scopes_that_it_lacks(
    keys: KeyService, entities: MemoryEntities
) -> None:
    key = mint_key(secrets.token_bytes(MINT_RANDOM_BYTES))
    await ensure_key(entities, format_key(key), "default", ["send"], 5)
    await ensure_key(entities, format_key(key), "default", ["send", "webhooks"], 6)
    found = await keys.get(key.id)
    assert found is not None
    assert (found.scopes, found.created_ms, found.revoked) == (["send", "webhooks"], 5, False)
    await keys.revoke(key.id)
    await ensure_key(entities, format_key(key), "default", ["send", "read"], 7)
    found = await keys.get(key.id)
    assert found is not None
    assert (found.scopes, found.revoked) == (["send", "webhooks"], True)


async def test_what_is_no_key_is_not_registered(entities: MemoryEntities) -> None:
    rnd = secrets.token_bytes(MINT_RANDOM_BYTES)
    key, twin = mint_key(rnd), mint_key(rnd[:10] + bytes(30))
    with pytest.raises(ValueError, match="no API key"):
        await ensure_key(entities, "gt_live_x_y", "default", ["send"], 0)
    with pytest.raises(ValueError, match="scope"):
        await ensure_key(entities, format_key(key), "default", ["sent"], 0)  # type: ignore[list-item]
    await ensure_key(entities, format_key(key), "default", ["send"], 0)
    with pytest.raises(ValueError, match="another key"):
        await ensure_key(entities, format_key(twin), "default", ["send"], 0)
