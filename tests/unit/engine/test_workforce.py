"""Accounts at work follow what is stored, whatever the store does meanwhile."""

import asyncio
import io
from collections.abc import Awaitable
from random import Random
from typing import cast

import pytest
from msgspec.structs import replace

from core.accounts.model import Opened, ProviderAccount
from core.accounts.service import Accounts
from core.clock import SystemClock
from core.contract.log import Log
from core.contract.providers import AccountLimits, ProviderIn
from core.contract.settings import Settings
from core.engine.accounts import Account, AccountEvents
from core.engine.adapters import Workforce
from core.engine.day_rights import DayRights
from core.engine.protection import ProtectionRules
from core.providers.port import Adapter, Capabilities
from core.tenants.vault import Vault
from sync.store import follow
from sync.store.entities import Entity
from sync.store.entities_memory import MemoryEntities
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

GIVEN = ProviderIn(
    id="a", wire="smpp", channel="sms", settings={"host": "h", "port": 1, "system_id": "s"}
)


class Idle:
    """An adapter that notes its end."""

    capabilities = Capabilities("smpp", "sms", ("text",), 0, receipts=True, reference=True)

    def __init__(self) -> None:
        self.stopped = False

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self, grace_ms: int) -> None:
        self.stopped = True


def no_days(account_id: str, per_day: int) -> DayRights:
    raise AssertionError("no account here has a limit for a day")


class Scene:
    """A store, and the accounts of a process that follows it."""

    def __init__(self) -> None:
        self.entities = MemoryEntities()
        self.stored = Accounts(self.entities, Vault(bytes(32)))
        self.accounts: dict[str, Account] = {}
        self.made: list[Idle] = []
        self.tasks: list[asyncio.Future[None]] = []
        self.workforce = Workforce(
            self.stored,
            self.accounts,
            SystemClock(),
            Random(1),
            Log(io.BytesIO(), "error"),
            60.0,
            self._spawn,
            Settings().region,
            ProtectionRules(),
            no_days,
            self._make,
        )
        self.feed = EntityFeed(self.entities, lambda error: None, poll_ms=10_000)
        self.stored.watch(self.feed, self.workforce.changed, self.workforce.reload_all)

    def _spawn(self, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    def _make(
        self, given: ProviderAccount, opened: Opened, events: AccountEvents, random: Random
    ) -> Adapter:
        self.made.append(Idle())
        return cast(Adapter, self.made[-1])

    async def settled(self) -> None:
        await self.feed.poll()
        while self.tasks:
            await self.tasks.pop(0)


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.stored.put(GIVEN, None)
    await made.workforce.load()
    return made


async def test_an_account_that_is_disabled_takes_no_more_calls(scene: Scene) -> None:
    assert scene.accounts["a"].adapter is not None
    await scene.stored.put(replace(GIVEN, enabled=False), None)
    await scene.settled()
    assert (scene.accounts["a"].enabled, scene.accounts["a"].adapter) == (False, None)
    assert [adapter.stopped for adapter in scene.made] == [True]


async def test_an_edit_that_cannot_be_read_at_once_is_read_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, tries = scene.entities.get, 0

    async def away_twice(kind: str, name: str) -> Entity | None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise StoreError("away")
        return await read(kind, name)

    await scene.stored.put(replace(GIVEN, enabled=False), None)
    monkeypatch.setattr(scene.entities, "get", away_twice)
    monkeypatch.setattr(follow, "AGAIN_S", 0.01)
    await scene.settled()
    assert not scene.accounts["a"].enabled


async def test_an_edit_of_limits_keeps_the_rate_that_was_used(scene: Scene) -> None:
    scene.accounts["a"].protection.tat = 7.0
    await scene.stored.put(replace(GIVEN, limits=AccountLimits(per_second=1.0)), None)
    await scene.settled()
    assert scene.accounts["a"].protection.tat == 7.0
    assert scene.accounts["a"].version == 2


async def test_of_another_store_nothing_former_stays(scene: Scene) -> None:
    await scene.stored.put(replace(GIVEN, id="b"), None)
    await scene.settled()
    assert set(scene.accounts) == {"a", "b"}
    await scene.entities.delete("provider", "b", None)
    scene.workforce.reload_all()
    await scene.settled()
    assert set(scene.accounts) == {"a"}
