"""Adapters of HTTP gateways at the sandbox's doubles, and a door for their callbacks."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
from aiohttp import web

from core.api.receipts import ReceiptDeps, routes
from core.clock import SystemClock
from core.contract.log import Log
from core.contract.problems import ProblemError
from core.providers.port import Adapter, Call, Outcome, OutMessage, ReceiptIn
from core.providers.registry import wire
from core.sandbox.app import Sandbox
from tests.support.gateways import JSON_GATEWAY, TEXT_GATEWAY
from tests.support.wait import until


class Worker:
    """An account as the door of callbacks sees it."""

    def __init__(self, adapter: Adapter | None = None) -> None:
        self.adapter = adapter


class Bench:
    """One account at work, with everything that it told."""

    def __init__(self, account_id: str) -> None:
        self.account = Worker()
        self.outcomes: list[Outcome] = []
        self.receipts: list[ReceiptIn] = []
        self.callbacks: list[int] = []
        self.faults: list[str] = []
        self.lates: list[tuple[str, Outcome]] = []
        self.accounts = {account_id: self.account}
        self.door = ""
        self.acknowledges = True
        self.refuses = 0
        self._logged = io.BytesIO()
        self.log = Log(self._logged, "debug")

    @property
    def adapter(self) -> Adapter:
        assert self.account.adapter is not None
        return self.account.adapter

    # What adapters tell.

    def receipt(self, receipt: ReceiptIn) -> None: ...

    def late(self, ref: str, outcome: Outcome) -> None:
        self.lates.append((ref, outcome))

    def changed(self) -> None: ...

    def fault(self, detail: str) -> None:
        self.faults.append(detail)

    # What the door of callbacks hands on.

    def take(self, _: str, receipt: ReceiptIn) -> None:
        if self.refuses:
            self.refuses -= 1
            receipt.nack()
            return
        self.receipts.append(receipt)
        if self.acknowledges:
            receipt.ack()

    async def sent(self, text: str = "hi", to: str = "+447700900123", **more: Any) -> Outcome:
        """The outcome of one message."""
        told: list[Outcome] = []
        ref = more.pop("ref", "m1.1.4")
        guard = more.pop("guard", lambda: True)
        message = OutMessage(ref, to, text=text, **more)
        self.adapter.submit(Call(message, guard, told.append))
        assert told == []  # never from within
        await until(lambda: told)
        self.outcomes += told
        return told[0]

    def lines(self) -> list[dict[str, Any]]:
        """What the door logged."""
        self.log.flush()
        return [msgspec.json.decode(line) for line in self._logged.getvalue().splitlines()]

    def words(self) -> list[str]:
        """The statuses that were reported."""
        return [receipt.status for receipt in self.receipts]


def settings_of(box: Sandbox, kind: str, door: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Wire, settings and secrets of an account at one of the doubles."""
    quick = {"reconnect_min_ms": 10, "reconnect_max_ms": 20, "timeout_ms": 1_000}
    if kind == "sms_http":
        given = {
            "base_url": f"http://127.0.0.1:{box.sms_http_port}",
            "account_sid": "ACsandbox",
            "from": "GouTong",
            "callback_url": door,
        }
        return "sms_http", {**given, **quick}, {"auth_token": "sandbox"}
    base = JSON_GATEWAY if kind == "json" else TEXT_GATEWAY
    written = msgspec.json.encode({**base, **quick}).decode()
    written = written.replace("https://sms.example", f"http://127.0.0.1:{box.gateway_port}")
    written = written.replace("https://in.example/v1/receipts/gw", door)
    secrets = {"callback_secret": "sandbox"}
    secrets["token" if kind == "json" else "password"] = "sandbox"
    return "http_gateway", msgspec.json.decode(written), secrets


@asynccontextmanager
async def at_work(box: Sandbox, kind: str, **changes: Any) -> AsyncIterator[Bench]:
    """An account of that kind, and the door that it is called back at."""
    bench = Bench("gw")
    secrets_given: Mapping[str, str] | None = changes.pop("secrets", None)
    deps = ReceiptDeps(
        bench.accounts,
        bench.take,
        lambda _, status: bench.callbacks.append(status),
        SystemClock().boot,
        0.5,
        bench.log,
    )

    @web.middleware
    async def problems(request: web.Request, handler: Any) -> Any:
        try:
            return await handler(request)
        except ProblemError as error:
            return web.Response(status=error.status, body=error.body("t"))

    app = web.Application(middlewares=[problems])
    app.add_routes(routes(deps))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/receipts/gw"
    bench.door = door
    name, given, secrets = settings_of(box, kind, door)
    how = wire(name)
    settings = msgspec.convert({**given, **changes}, how.Settings)
    adapter = how.make("gw", settings, secrets_given or secrets, bench, Random(1))
    bench.account.adapter = adapter
    await adapter.start()
    try:
        yield bench
    finally:
        await adapter.stop(100)
        await runner.cleanup()
        bench.log.close()
