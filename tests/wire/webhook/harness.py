"""What the webhook wire tests share: an engine that only writes down, and an adapter."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from core.providers.port import Adapter, Call, Outcome, OutMessage, ReceiptIn
from core.providers.webhook import Settings, make
from tests.support.wait import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Engine:
    """Collects what the adapter tells."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.lates: list[tuple[str, Outcome]] = []
        self.faults: list[str] = []

    def receipt(self, receipt: ReceiptIn) -> None:
        raise AssertionError("webhooks bring no receipts")

    def late(self, ref: str, outcome: Outcome) -> None:
        self.lates.append((ref, outcome))

    def changed(self) -> None: ...

    def fault(self, detail: str) -> None:
        self.faults.append(detail)

    def call(
        self, ref: str, to: str, guard: Callable[[], bool] = lambda: True, **fields: Any
    ) -> Call:
        """A call whose outcome is put into `outcomes`, where it may come once only."""

        def done(outcome: Outcome) -> None:
            assert ref not in self.outcomes, f"a second outcome for {ref}: {outcome}"
            self.outcomes[ref] = outcome

        return Call(OutMessage(ref=ref, to=to, **{"text": "Hello", **fields}), guard, done)

    async def outcome(self, ref: str) -> Outcome:
        """The outcome of a call, waited for."""
        await until(lambda: ref in self.outcomes)
        return self.outcomes[ref]


@asynccontextmanager
async def account(
    secret: str = SECRET, grace_ms: int = 200, **over: Any
) -> AsyncIterator[tuple[Adapter, Engine]]:
    """A started adapter that may call this machine, stopped at the end."""
    engine = Engine()
    settings = Settings(**{"allow_networks": ("127.0.0.0/8", "::1/128"), "ports": (), **over})
    secrets = {"secret": secret} if secret else {}
    adapter = make("acc", settings, secrets, engine, Random(7))
    await adapter.start()
    try:
        yield adapter, engine
    finally:
        await adapter.stop(grace_ms)
        assert adapter.capacity() == 0
