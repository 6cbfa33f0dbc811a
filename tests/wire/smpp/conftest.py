"""The SMSC and the adapter under test, on asyncio's own loop and on uvloop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
import uvloop

from core.providers.port import Call, Outcome, OutMessage, ReceiptIn
from core.providers.smpp import Settings
from core.providers.smpp.adapter import SmppAdapter
from tests.support.smsc import Smsc
from tests.support.wait import until

TO = "+447700900123"


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], Any]]:
    """Each test here runs on both loops: their transports write and pause differently."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Events:
    """Keeps what the adapter tells the engine; acknowledges receipts unless told otherwise."""

    def __init__(self) -> None:
        self.receipts: list[ReceiptIn] = []
        self.lates: list[tuple[str, Outcome]] = []
        self.faults: list[str] = []
        self.changes = 0
        self.acknowledges = True

    def receipt(self, receipt: ReceiptIn) -> None:
        self.receipts.append(receipt)
        if self.acknowledges:
            receipt.ack()

    def late(self, ref: str, outcome: Outcome) -> None:
        self.lates.append((ref, outcome))

    def changed(self) -> None:
        self.changes += 1

    def fault(self, detail: str) -> None:
        self.faults.append(detail)


class Rig:
    """An adapter, what it told, and ways to send through it."""

    def __init__(self, smsc: Smsc) -> None:
        self.smsc = smsc
        self.events = Events()
        self.outcomes: dict[str, list[Outcome]] = {}
        self.adapters: list[SmppAdapter] = []

    async def connect(self, password: str = "secret", **settings: Any) -> SmppAdapter:  # noqa: S107
        """A started adapter that is bound (or, with wait_up=False, only started)."""
        wait_up = settings.pop("wait_up", True)
        merged = {
            "host": "127.0.0.1",
            "port": self.smsc.port,
            "system_id": "us",
            "reconnect_min_ms": 20,
            "reconnect_max_ms": 50,
        }
        adapter = SmppAdapter(
            "acc",
            Settings(**{**merged, **settings}),
            password,
            self.events,
            asyncio.get_running_loop(),
            Random(1),
        )
        self.adapters.append(adapter)
        await adapter.start()
        if wait_up:
            await until(lambda: adapter.state() == "up")
        return adapter

    def send(self, ref: str, text: str = "hi", guard: Any = lambda: True) -> None:
        """Submit a call through the newest adapter; its outcomes are kept under `ref`."""
        told = self.outcomes.setdefault(ref, [])
        self.adapters[-1].submit(Call(OutMessage(ref, TO, "GouTong", text), guard, told.append))

    async def outcome(self, ref: str) -> Outcome:
        """The one outcome of a call."""
        await until(lambda: self.outcomes[ref])
        [outcome] = self.outcomes[ref]
        return outcome


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    server = Smsc()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def rig(smsc: Smsc) -> AsyncIterator[Rig]:
    made = Rig(smsc)
    yield made
    for adapter in made.adapters:
        await adapter.stop(grace_ms=0)
    # Exactly one outcome for each call, in every test.
    assert {ref: len(told) for ref, told in made.outcomes.items()} == dict.fromkeys(
        made.outcomes, 1
    )
