"""The policies in force: made ready, and following what changes."""

import asyncio
import io
from collections.abc import Awaitable

import pytest

from core.accounts.service import Accounts
from core.contract.log import Log
from core.contract.policies import PolicyIn, PolicyMatch, PolicyWeights
from core.contract.providers import ProviderIn
from core.decide.policy import DEFAULT, MILLION
from core.policies.active import ActivePolicies
from core.policies.store import PolicyStore
from core.tenants.vault import Vault
from sync.store import follow
from sync.store.entities import Entity
from sync.store.entities_memory import MemoryEntities
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

ASKED = ("acme", "otp", "sms", "GB")


class Scene:
    """A store with accounts, and the policies of a process that follows it."""

    def __init__(self) -> None:
        self.entities = MemoryEntities()
        self.accounts = Accounts(self.entities, Vault(bytes(32)))
        self.store = PolicyStore(self.entities, self.accounts)
        self.tasks: list[asyncio.Future[None]] = []
        self.stream = io.BytesIO()
        self.log = Log(self.stream, "debug")
        self.active = ActivePolicies(self.store, self._spawn, self.log)
        self.feed = EntityFeed(self.entities, lambda error: None, poll_ms=10_000)
        self.active.watch(self.feed)
        self.told = 0
        self.active.on_changed = self._tell

    def _spawn(self, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    def _tell(self) -> None:
        self.told += 1

    async def account(self, name: str) -> None:
        settings = {"host": "h", "port": 1, "system_id": "s"}
        given = ProviderIn(id=name, wire="smpp", channel="sms", settings=settings)
        await self.accounts.put(given, None)

    async def settled(self) -> None:
        await self.feed.poll()
        await asyncio.gather(*self.tasks)
        self.tasks.clear()


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.account("a")
    await made.account("b")
    return made


async def test_what_is_stored_is_ready_to_decide_with(scene: Scene) -> None:
    given = PolicyIn(
        name="p",
        match=PolicyMatch(classes=["otp"]),
        order=["b", "a"],
        weights=PolicyWeights(success=1, cost=3),
        forbid=["a"],
        when_none="end",
        price_max=0.5,
    )
    await scene.store.put(given, 0)
    await scene.active.load()
    policy = scene.active.serving(*ASKED)
    assert (policy.name, policy.version, policy.rank) == ("p", 1, {"b": 0, "a": 1})
    assert policy.millionths == (MILLION / 4, 0, 3 * MILLION / 4, 0, 0)
    assert (policy.forbid, policy.when_none, policy.price_max) == ({"a"}, "end", 0.5)
    assert scene.active.serving("acme", "bulk", "sms", "GB") is DEFAULT


async def test_changes_are_in_force_once_they_are_heard_of(scene: Scene) -> None:
    await scene.active.load()
    assert scene.active.serving(*ASKED) is DEFAULT
    await scene.store.put(PolicyIn(name="p", order=["a", "b"]), 0)
    await scene.settled()
    assert scene.active.serving(*ASKED).name == "p"
    assert scene.told == 1
    await scene.accounts.delete("a", None)
    await scene.settled()
    assert scene.active.serving(*ASKED).gone == ("a",)
    await scene.account("a")
    await scene.settled()
    assert scene.active.serving(*ASKED).gone == ()
    await scene.store.delete("p", None)
    await scene.settled()
    assert scene.active.serving(*ASKED) is DEFAULT


async def test_while_the_store_is_away_the_last_ones_stay_and_are_read_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.store.put(PolicyIn(name="p"), 0)
    await scene.active.load()
    seen: list[int] = []
    read = scene.entities.list

    async def away_once(kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        seen.append(scene.active.serving(*ASKED).version)
        if len(seen) == 1:
            raise StoreError("away")
        return await read(kind, after, limit)

    await scene.store.put(PolicyIn(name="p", explore=0.1), None)
    monkeypatch.setattr(scene.entities, "list", away_once)
    monkeypatch.setattr(follow, "AGAIN_S", 0.01)
    await scene.settled()
    assert seen[:2] == [1, 1]
    assert scene.active.serving(*ASKED).version == 2
    scene.log.close()
    assert b"policies cannot be read" in scene.stream.getvalue()
