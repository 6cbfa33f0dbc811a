"""What a folder holds before its first core starts, and what a second start leaves alone."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from core.accounts.service import Accounts
from core.contract.keys import parse_key, secret_hash
from core.contract.policies import PolicyMatch
from core.contract.providers import AccountLimits, Destinations, Location, Price, ProviderIn
from core.policies.store import PolicyStore
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.seed import TENANT, keys_of, seed
from core.templates.store import TemplateStore
from core.tenants.keys import KeyService
from core.tenants.vault import Vault, load_vault
from sync.store.entities_sqlite import SQLiteEntities

PORTS = {"sandbox-http": 1, "sandbox-smpp": 2, "sandbox-smtp": 3, "sandbox-sms-http": 4}
EDGE = "http://127.0.0.1:9"


class Seeded:
    """A data folder that is seeded as often as asked, and read with the core's own services."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path)
        self.notices: list[str] = []
        self.entities = SQLiteEntities(path / "config.db")

    async def again(self, ports: dict[str, int] | None = None, **environ: str) -> None:
        sandbox = ("127.0.0.1", ports or PORTS)
        await seed(self.folder, keys_of(self.folder), sandbox, environ, self.notices.append, EDGE)

    def accounts(self) -> Accounts:
        return Accounts(self.entities, load_vault(None, self.folder.path / "vault.key"))


@pytest.fixture
def seeded(tmp_path: Path) -> Seeded:
    return Seeded(tmp_path)


async def test_keys_are_registered_with_their_scopes(seeded: Seeded) -> None:
    await seeded.again()
    await seeded.again()
    keys = keys_of(seeded.folder)
    found = await seeded.entities.list("key")
    assert len(found) == 2
    service = KeyService(seeded.entities, None, None)  # type: ignore[arg-type]
    for text, scopes in (
        (keys.api_key, ["read", "send", "suppressions", "templates", "webhooks"]),
        (keys.admin_key, ["admin"]),
    ):
        key = parse_key(text)
        assert key is not None
        record = await service.get(key.id)
        assert record is not None
        assert (record.tenant, list(record.scopes)) == (TENANT, scopes)
        assert record.hash == secret_hash(key.secret).hex()
    await seeded.entities.close()


async def test_sandbox_is_an_account_of_each_channel(seeded: Seeded) -> None:
    await seeded.again()
    accounts = seeded.accounts()
    sms_http, smsc, smtp, webhook = [stored.account for stored in await accounts.list()]
    assert (smsc.id, smsc.wire, smsc.channel) == ("sandbox-smsc", "smpp", "sms")
    assert smsc.settings["port"] == 2
    assert smsc.settings["reference_tlv"] == 0x1400
    assert (smsc.settings["window"], smsc.settings["connections"]) == (100, 2)
    assert (smtp.id, smtp.wire, smtp.channel) == ("sandbox-smtp", "smtp", "email")
    assert (webhook.id, webhook.wire, webhook.channel) == ("sandbox-webhook", "webhook", "webhook")
    assert webhook.settings == {"allow_networks": ["127.0.0.0/8", "::1/128"], "ports": []}
    assert (sms_http.id, sms_http.wire, sms_http.channel) == ("sandbox-sms-http", "sms_http", "sms")
    assert sms_http.settings["base_url"] == "http://127.0.0.1:4"
    assert sms_http.settings["callback_url"] == f"{EDGE}/v1/receipts/sandbox-sms-http"
    assert sms_http.priority > smsc.priority
    opened = accounts.open(smsc)
    assert opened.secrets == {"password": "sandbox"}  # type: ignore[union-attr]
    await seeded.entities.close()


async def test_a_policy_uses_the_sandbox_smpp_first(seeded: Seeded) -> None:
    await seeded.again()
    store = PolicyStore(seeded.entities, seeded.accounts())
    found = await store.get("default")
    assert found is not None
    names = ("smsc", "sms-http", "smtp", "webhook")
    assert found.policy.order == [f"sandbox-{name}" for name in names]
    assert found.policy.match == PolicyMatch()
    edited = replace(found.policy, explore=0.1)
    await store.put(edited, None)
    await seeded.again({**PORTS, "sandbox-smpp": 22})
    again = await store.get("default")
    assert again is not None and again.policy == edited
    await store.delete("default", None)
    await seeded.again()
    assert await store.get("default") is None
    await seeded.entities.close()


async def test_sandbox_accounts_have_a_price_that_may_be_changed(seeded: Seeded) -> None:
    await seeded.again()
    accounts = seeded.accounts()
    before = await accounts.get("sandbox-smsc")
    assert before is not None
    assert before.account.price.by_country["GB"] < before.account.price.amount
    edited = ProviderIn(
        id="sandbox-smsc",
        wire="smpp",
        channel="sms",
        settings=before.account.settings,
        price=Price(0.5),
        destinations=Destinations(deny=["KP"]),
        limits=AccountLimits(per_second=5),
        location=Location(1.0, 2.0),
    )
    await accounts.put(edited, None)
    await seeded.again({**PORTS, "sandbox-smpp": 22})
    after = await accounts.get("sandbox-smsc")
    assert after is not None
    now = after.account
    assert now.settings["port"] == 22
    assert (now.price, now.destinations) == (edited.price, edited.destinations)
    assert (now.limits, now.location) == (edited.limits, edited.location)
    await seeded.entities.close()


async def test_moved_sandbox_moves_its_accounts_and_nothing_else(seeded: Seeded) -> None:
    await seeded.again()
    accounts = seeded.accounts()
    before = await accounts.get("sandbox-smsc")
    assert before is not None
    edited = ProviderIn(
        id="sandbox-smsc",
        wire="smpp",
        channel="sms",
        enabled=False,
        settings={**before.account.settings, "window": 7},
        priority=5,
    )
    await accounts.put(edited, None)
    await seeded.again({**PORTS, "sandbox-smpp": 22})
    after = await accounts.get("sandbox-smsc")
    assert after is not None
    assert after.account.settings == {**edited.settings, "port": 22}
    assert (after.account.enabled, after.account.priority) == (False, 5)
    await seeded.again({**PORTS, "sandbox-smpp": 22})
    again = await accounts.get("sandbox-smsc")
    assert again is not None and again.version == after.version
    await seeded.entities.close()


async def test_a_moved_account_keeps_its_keys(seeded: Seeded) -> None:
    """Bounces that are on their way name their message by the key of when it was sent."""
    await seeded.again()
    accounts = seeded.accounts()
    keys = []
    for port in (3, 33):
        await seeded.again({**PORTS, "sandbox-smtp": port})
        stored = await accounts.get("sandbox-smtp")
        assert stored is not None and stored.account.settings["port"] == port
        keys.append(accounts.open(stored.account).secrets)  # type: ignore[union-attr]
    assert keys[0] == keys[1]
    assert sorted(keys[0]) == ["bounce_key", "dkim_key"]
    await seeded.entities.close()


async def test_what_was_deleted_stays_deleted(seeded: Seeded) -> None:
    await seeded.again()
    await seeded.accounts().delete("sandbox-smtp", None)
    templates = TemplateStore(seeded.entities)
    await templates.delete(TENANT, "otp", None)
    await seeded.again({**PORTS, "sandbox-smtp": 33})
    assert await seeded.accounts().get("sandbox-smtp") is None
    assert await templates.get(TENANT, "otp") is None
    assert await templates.get(TENANT, "welcome") is not None
    await seeded.entities.close()


async def test_unusable_vault_key_is_told_and_stops_nothing_else(seeded: Seeded) -> None:
    await seeded.again(GOUTONG_VAULT_KEY="no key")
    told = {notice.split(" is not kept")[0] for notice in seeded.notices}
    accounts = ("sandbox-smsc", "sandbox-sms-http", "sandbox-smtp")
    assert {f"the account {name}" for name in accounts} <= told
    assert await TemplateStore(seeded.entities).get(TENANT, "welcome") is not None
    assert isinstance(load_vault(None, seeded.folder.path / "vault.key"), Vault)
    await seeded.entities.close()


async def test_broken_store_says_which_file(tmp_path: Path) -> None:
    (tmp_path / "config.db").write_bytes(b"this is no database" * 100)
    seeded = Seeded(tmp_path)
    with pytest.raises(FolderError, match=r"config\.db"):
        await seeded.again()
    await seeded.entities.close()
