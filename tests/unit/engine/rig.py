"""A whole engine on a journal in memory, with one account whose adapter takes everything."""

import asyncio
from collections.abc import Awaitable
from random import Random
from typing import Any

import msgspec

from core.accounts.facts import facts_of
from core.accounts.model import ProviderAccount
from core.clock import SystemClock
from core.contract.ids import body_hash, mint_unkeyed
from core.contract.log import silent
from core.contract.providers import AccountLimits
from core.contract.sections.common import RegionSettings
from core.contract.settings import Settings
from core.engine.accounts import Account
from core.engine.bounds import limits_of
from core.engine.engine import Engine
from core.engine.logs import Ticket
from core.engine.pace import Pace
from core.engine.payload import Payload, encode_payload
from core.engine.protection import Protection, ProtectionRules
from core.providers.port import Call, Capabilities, Outcome, ReceiptIn
from sync.owner.asking import AskingPace
from sync.records import Message, Place
from sync.store.memory_journal import MemoryJournal

HOME, OTHER = "local", "other"
SHARDS = 4


class Adapter:
    """Answers at once that it took a message; it fails when it is given one twice."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}

    def capacity(self) -> int:
        return 100

    def state(self) -> str:
        return "up"

    def submit(self, call: Call) -> None:
        if not call.guard():
            call.done(Outcome("withdrawn"))
        else:
            message_id = call.message.ref.partition(".")[0]
            assert message_id not in self.sent.values()
            provider_id = f"P{len(self.sent) + 1}"
            self.sent[provider_id] = message_id
            call.done(Outcome("accepted", provider_id=provider_id))


class Rig:
    """One engine for two homes; it is a process of its own, and several may share a store."""

    def __init__(
        self,
        store: MemoryJournal,
        name: str = "c1",
        bucket_ms: int = 600_000,
        region: str = HOME,
        homes: tuple[str, ...] = (HOME, OTHER),
        shards: int = 0,
    ) -> None:
        settings = Settings(region=RegionSettings(name=region, home_shards=SHARDS))
        limits = msgspec.structs.replace(
            limits_of(Settings()), bucket_ms=bucket_ms, park_after_ms=200
        )
        self.store = store
        self.clock = SystemClock()
        self.lost_why = ""
        self.adapter = Adapter()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._made = 0
        self.engine = Engine(
            store,
            settings,
            name,
            f"http://{name}",
            self.clock,
            Random(1),
            self,
            silent(),
            homes=homes,
            shards=shards,
            limits=limits,
            pace=Pace(second_s=0.1, open_lead_ms=100, asking=AskingPace(0.05, 0.2, 1.0)),
        )

    async def start(self) -> None:
        """Register, take the lease, and own what nobody owns."""
        await self.engine.membership.register()
        self.engine.start()

    def spawn(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lost(self, why: str) -> None:
        self.lost_why = why

    async def end(self) -> None:
        """Everything stops where it stands."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def open_account(self) -> None:
        """From now on there is somebody to send through."""
        given = ProviderAccount("fake", "fake", "sms", True, 100)
        protection = Protection(ProtectionRules(), AccountLimits(), None)
        account = Account(given, 1, facts_of(given, RegionSettings()), self.clock, 60.0, protection)
        account.adapter = self.adapter  # type: ignore[assignment]
        account.capabilities = Capabilities("fake", "sms", ("text",), 1000, True, True)
        self.engine.accounts["fake"] = account
        self.engine.dispatcher.changed()

    def message(self, home: str, ahead_ms: int = 0) -> Message:
        """A new message of the home."""
        self._made += 1
        now_ms, shard = self.clock.wall_ms(), self._made % SHARDS
        payload = Payload("t", "n", "sms", "+447300000001", "GB", "otp", "local", "", "hello")
        body = encode_payload(payload)
        message_id = mint_unkeyed(home, shard, now_ms // 60_000, self._made.to_bytes(16, "big"))
        return Message(
            message_id,
            shard,
            body_hash(body),
            now_ms * 1000,
            True,
            False,
            now_ms + 3_600_000,
            now_ms,
            body,
            now_ms + ahead_ms if ahead_ms else 0,
        )

    async def accept(self, message: Message) -> Place:
        """Where it stands."""
        stands: asyncio.Future[Place | None] = asyncio.get_running_loop().create_future()
        assert self.engine.logs.takes([message.id], True, False)
        assert self.engine.logs.accept(message, True, False, Ticket(stands.set_result))
        place = await stands
        assert place is not None
        return place

    async def report(self, provider_id: str) -> bool:
        """The provider reports a delivery; whether it was acknowledged."""
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        ack, nack = (lambda: told.set_result(True)), (lambda: told.set_result(False))
        self.engine.receipts.received("fake", ReceiptIn(provider_id, "delivered", ack, nack))
        return await told

    def reads(self, log: str) -> bool:
        """Whether it follows the log."""
        groups = (group for owner in self.engine.owners for group in owner.groups)
        return any(log in group.cursors for group in groups)

    def owned(self) -> dict[str, int]:
        """How many shards of each home are its own."""
        return {home: len(work.owner.shards) for home, work in self.engine.homes.items()}
