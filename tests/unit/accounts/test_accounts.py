"""Provider accounts: checked when written, sealed when stored, a reason when they do not open."""

from typing import Any

import msgspec
import pytest

from core.accounts.model import Fault, Opened, ProviderAccount
from core.accounts.service import KIND, Accounts
from core.contract.problems import ProblemError
from core.contract.providers import ProviderIn
from core.tenants.vault import Vault
from sync.store.entities import StaleVersion, live
from sync.store.entities_memory import MemoryEntities
from sync.store.feed import EntityFeed

CANARY = "c4nary"
SMSC = {"host": "127.0.0.1", "port": 2775, "system_id": "sandbox"}


def smsc(**changes: Any) -> ProviderIn:
    fields: dict[str, Any] = {
        "id": "smsc",
        "wire": "smpp",
        "channel": "sms",
        "settings": SMSC,
        "secrets": {"password": CANARY},
    }
    return ProviderIn(**(fields | changes))


@pytest.fixture
def entities() -> MemoryEntities:
    return MemoryEntities()


@pytest.fixture
def accounts(entities: MemoryEntities) -> Accounts:
    return Accounts(entities, Vault(bytes(32)))


async def test_an_account_opens_with_what_it_was_given(
    accounts: Accounts, entities: MemoryEntities
) -> None:
    stored = await accounts.put(smsc(), 0)
    assert stored.version == 1
    again = await accounts.get("smsc")
    assert again == stored
    opened = accounts.open(stored.account)
    assert isinstance(opened, Opened)
    assert opened.secrets == {"password": CANARY}
    assert opened.settings.system_id == "sandbox"  # type: ignore[attr-defined]
    raw = await live(entities, KIND, "smsc")
    assert raw is not None
    assert CANARY not in raw.body.decode() + repr(opened) + repr(stored)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"wire": "pigeon"}, "/wire"),
        ({"channel": "email"}, "/channel"),
        ({"settings": {"host": "h"}}, "/settings/system_id"),
        ({"settings": {**SMSC, "port": 0}}, "/settings/port"),
        ({"settings": {**SMSC, "prot": 1}}, "/settings/prot"),
        ({"settings": {**SMSC, "password": CANARY}}, "/settings/password"),
        ({"settings": {**SMSC, "status_kinds": {"0x1": "nope"}}}, "/settings/status_kinds/0x1"),
        ({"secrets": {"pass": CANARY}}, "/secrets/pass"),
        ({"secrets": {"password": ""}}, "/secrets/password"),
        ({"secrets": {"password": CANARY * 1000}}, "/secrets/password"),
    ],
)
async def test_what_is_wrong_is_pointed_to_without_its_value(
    accounts: Accounts, changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(ProblemError) as problem:
        await accounts.put(smsc(**changes), None)
    assert problem.value.code == "invalid_request"
    assert [found.pointer for found in problem.value.errors] == [pointer]
    assert CANARY.encode() not in problem.value.body("trace")
    assert await accounts.list() == []


async def test_secrets_are_checked_by_the_wire_also_when_they_stay(accounts: Accounts) -> None:
    settings = {"host": "h", "from_address": "us@example.com", "bounce_domain": "b.example.com"}
    mail = smsc(id="mail", wire="smtp", channel="email", settings=settings, secrets={})
    with pytest.raises(ProblemError) as problem:
        await accounts.put(mail, None)
    assert [found.pointer for found in problem.value.errors] == ["/secrets/bounce_key"]
    key = {"bounce_key": CANARY * 4}
    await accounts.put(msgspec.structs.replace(mail, secrets=key), None)
    await accounts.put(msgspec.structs.replace(mail, secrets=None), None)
    signed = {**settings, "dkim_domain": "example.com", "dkim_selector": "s1"}
    with pytest.raises(ProblemError) as problem:
        await accounts.put(msgspec.structs.replace(mail, secrets=None, settings=signed), None)
    assert [found.pointer for found in problem.value.errors] == ["/secrets/dkim_key"]


async def test_a_secret_among_the_settings_is_told_its_place(accounts: Accounts) -> None:
    with pytest.raises(ProblemError) as problem:
        await accounts.put(smsc(settings={**SMSC, "password": CANARY}), None)
    assert "under `secrets`" in problem.value.errors[0].hint


async def test_secrets_stay_when_left_out_and_go_when_replaced(accounts: Accounts) -> None:
    await accounts.put(smsc(), None)
    tuned = await accounts.put(smsc(secrets=None, settings={**SMSC, "window": 5}), 1)
    assert accounts.open(tuned.account).secrets == {"password": CANARY}  # type: ignore[union-attr]
    without = await accounts.put(smsc(secrets={}), 2)
    assert accounts.open(without.account).secrets == {}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "elsewhere",
    [{"host": "evil.example"}, {"port": 1}, {"system_id": "x"}, {"tls_ca_file": "/tmp/mine.pem"}],
)
async def test_credentials_do_not_follow_to_another_server(
    accounts: Accounts, elsewhere: dict[str, Any]
) -> None:
    await accounts.put(smsc(), None)
    moved = {**SMSC, **elsewhere}
    with pytest.raises(ProblemError) as problem:
        await accounts.put(smsc(secrets=None, settings=moved), None)
    assert problem.value.errors[0].pointer == "/secrets"
    assert (await accounts.put(smsc(settings=moved), None)).version == 2


async def test_a_stale_writer_is_refused(accounts: Accounts) -> None:
    await accounts.put(smsc(), None)
    await accounts.put(smsc(priority=1), None)
    for write in (
        accounts.put(smsc(priority=2), 1),
        accounts.put(smsc(), 0),
        accounts.delete("smsc", 1),
    ):
        with pytest.raises(StaleVersion):
            await write
    assert await accounts.delete("smsc", 2) is True
    assert await accounts.get("smsc") is None
    assert await accounts.delete("smsc", None) is False


async def test_without_the_key_everything_works_but_these_accounts(
    accounts: Accounts, entities: MemoryEntities
) -> None:
    stored = await accounts.put(smsc(), None)
    locked = Accounts(entities, Vault(None, "vault key missing: do this"))
    assert locked.open(stored.account) == Fault("vault key missing: do this")
    free = await locked.put(
        smsc(
            id="relay",
            wire="smtp",
            channel="email",
            settings={"host": "127.0.0.1", "from_address": "a@example.com"},
            secrets=None,
        ),
        None,
    )
    assert isinstance(locked.open(free.account), Opened)
    with pytest.raises(ProblemError) as problem:
        await locked.put(smsc(id="third"), None)
    assert (problem.value.status, problem.value.code) == (503, "sealed")
    tuned = await locked.put(smsc(secrets=None, priority=3), 1)
    assert isinstance(accounts.open(tuned.account), Opened)


async def test_a_stored_account_that_no_longer_fits_is_a_fault(accounts: Accounts) -> None:
    stored = (await accounts.put(smsc(), None)).account
    other_key = Accounts(MemoryEntities(), Vault(b"x" * 32))
    fault = other_key.open(stored)
    assert isinstance(fault, Fault) and "was sealed with the vault key" in fault.reason
    for broken, says in (
        (ProviderAccount("smsc", "pigeon", "sms"), "pigeon"),
        (ProviderAccount("smsc", "smpp", "sms", settings={"host": 1}), "/settings/host"),
        (
            ProviderAccount("other", "smpp", "sms", settings=SMSC, secrets=stored.secrets),
            "belongs elsewhere",
        ),
    ):
        fault = accounts.open(broken)
        assert isinstance(fault, Fault) and says in fault.reason


async def test_watchers_hear_of_each_write(accounts: Accounts, entities: MemoryEntities) -> None:
    feed = EntityFeed(entities, lambda error: None)
    heard: list[str] = []
    accounts.watch(feed, heard.append, heard.clear)
    await accounts.put(smsc(), None)
    await feed.poll()
    await accounts.delete("smsc", None)
    await entities.put("template", "t/x", b"", None)
    await feed.poll()
    assert heard == ["smsc", "smsc"]
