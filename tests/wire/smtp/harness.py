"""What the SMTP wire tests share: an engine that only writes down, and an adapter to play with."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from core.providers.port import Adapter, Call, Outcome, OutMessage, ReceiptIn
from core.providers.smtp import Settings, make
from tests.support.wait import until


class Engine:
    """Collects what the adapter tells."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.lates: list[tuple[str, Outcome]] = []
        self.faults: list[str] = []
        self.changes = 0
        self.guarded: list[str] = []

    def receipt(self, receipt: ReceiptIn) -> None:
        raise AssertionError("SMTP brings no receipts")

    def late(self, ref: str, outcome: Outcome) -> None:
        self.lates.append((ref, outcome))

    def changed(self) -> None:
        self.changes += 1

    def fault(self, detail: str) -> None:
        self.faults.append(detail)

    def call(
        self,
        ref: str,
        guard: Callable[[], bool] = lambda: True,
        then: Callable[[Outcome], None] = lambda _: None,
        **fields: str,
    ) -> Call:
        """A call whose outcome is put into `outcomes`, where it may come once only."""

        def asked() -> bool:
            self.guarded.append(ref)
            return guard()

        def done(outcome: Outcome) -> None:
            assert ref not in self.outcomes, f"a second outcome for {ref}: {outcome}"
            self.outcomes[ref] = outcome
            then(outcome)

        content = {"to": "ann@example.net", "subject": "Hello", "text": "Good morning", **fields}
        return Call(OutMessage(ref=ref, **content), asked, done)

    async def outcome(self, ref: str) -> Outcome:
        """The outcome of a call, waited for."""
        await until(lambda: ref in self.outcomes)
        return self.outcomes[ref]


def settings(port: int, **over: Any) -> Settings:
    """Settings for a server on this machine, with time-outs fit for a test.

    No mail waits for a connection unless a test asks for it: each place is one connection.
    """
    base: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "off",
        "from_address": "news@example.com",
        "connections": 1,
        "queue_ahead": 0,
        "reconnect_min_ms": 20,
        "reconnect_max_ms": 100,
    }
    return Settings(**{**base, **over})


@asynccontextmanager
async def account(
    port: int, *, password: str = "", up: bool = True, **over: Any
) -> AsyncIterator[tuple[Adapter, Engine]]:
    """A started adapter, stopped at the end, when no connection of it may be left."""
    engine = Engine()
    secrets = {"password": password} if password else {}
    adapter = make("acc", settings(port, **over), secrets, engine, Random(7))
    await adapter.start()
    try:
        if up:
            await until(lambda: adapter.capacity() > 0)
        yield adapter, engine
    finally:
        await adapter.stop(200)
        assert adapter.capacity() == 0
