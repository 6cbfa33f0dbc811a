"""The SMSC and the adapter under test, on asyncio's own loop and on uvloop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop

from core.providers.port import Call, Outcome, OutMessage, ReceiptIn
from core.providers.smpp import Settings, codec
from core.providers.smpp.adapter import SmppAdapter
from tests.support.certificate import certificate
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
        self.settings: dict[str, Any] = {}

    async def connect(self, password: str = "secret", **settings: Any) -> SmppAdapter:
        """A started adapter that is bound (or, with wait_up=False, only started)."""
        wait_up = settings.pop("wait_up", True)
        merged = {
            "host": "127.0.0.1",
            "port": self.smsc.port,
            "system_id": "us",
            "reconnect_min_ms": 20,
            "reconnect_max_ms": 50,
            **self.settings,
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


@asynccontextmanager
async def raw_peer(rig: Rig, **settings: Any) -> AsyncIterator[socket.socket]:
    """The other end as a bare socket, which works without the loop; the adapter is bound."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        settings["port"] = listener.getsockname()[1]
        adapter = await rig.connect(wait_up=False, **settings)
        peer, _ = await loop.sock_accept(listener)
        with peer:
            peer.setblocking(False)
            await loop.sock_recv(peer, 1000)
            peer.send(codec.bind_transceiver_resp(1, 0, "smsc"))
            await until(lambda: adapter.state() == "up")
            yield peer
            await adapter.stop(grace_ms=0)


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    server = Smsc()
    await server.start()
    yield server
    await server.stop()


async def stop_and_check(rig: Rig) -> None:
    """Whatever a test did: each call was told exactly one outcome."""
    for adapter in rig.adapters:
        await adapter.stop(grace_ms=0)
    counts = {ref: len(told) for ref, told in rig.outcomes.items()}
    assert counts == dict.fromkeys(counts, 1)


@pytest.fixture
async def rig(smsc: Smsc) -> AsyncIterator[Rig]:
    made = Rig(smsc)
    yield made
    await stop_and_check(made)


@pytest.fixture(params=["plain", "tls"])
async def any_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig by TCP alone, and one by TLS."""
    context, trusted = certificate(tmp_path)
    by_tls = request.param == "tls"
    server = Smsc(context if by_tls else None)
    await server.start()
    made = Rig(server)
    made.settings = {
        "tls": by_tls,
        "tls_ca_file": str(trusted),
        "tls_server_name": "localhost",
    }
    yield made
    await stop_and_check(made)
    await server.stop()
