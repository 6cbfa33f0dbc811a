"""What providers call: GET and POST /v1/receipts/{account}.

No key is asked for; the account's adapter decides whether a callback is genuine. The provider is
answered when all that it reported stands in the journal. Where one report was refused, or does not
stand within the bounded wait, the answer is 503, so that the provider reports again; what is
reported twice joins to the same.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from core.clock import Clock
from core.contract.internal import (
    INTERNAL_SECRET_HEADER,
    KEY_ID_HEADER,
    SCOPES_HEADER,
    TENANT_HEADER,
    TRACE_HEADER,
)
from core.contract.log import Log
from core.contract.problems import problem
from core.contract.settings import Settings
from core.engine.engine import Engine
from core.obs.metrics import CoreMetrics
from core.providers.port import Adapter, Callback, CallbackAnswer, ReceiptIn, TakesCallbacks

_OURS = frozenset(
    name.lower()
    for name in (
        *(INTERNAL_SECRET_HEADER, KEY_ID_HEADER, SCOPES_HEADER, TENANT_HEADER, TRACE_HEADER),
        "X-GouTong-Passed",
    )
)
_AGAIN = {"Retry-After": "1"}
_TOLD_EVERY_S = 10.0


class AtWork(Protocol):
    """An account as this door sees it."""

    adapter: Adapter | None


class ReceiptDeps(Struct, frozen=True):
    """What the handlers need. `take` hands a receipt of an account to the engine; `count` is told
    of each callback: account and status."""

    accounts: Mapping[str, AtWork]
    take: Callable[[str, ReceiptIn], None]
    count: Callable[[str, int], None]
    now: Callable[[], float]
    wait_s: float
    log: Log


def deps_of(
    engine: Engine, metrics: CoreMetrics, settings: Settings, clock: Clock, log: Log
) -> ReceiptDeps:
    """The deps of a core at work."""
    return ReceiptDeps(
        engine.accounts,
        engine.receipts.received,
        lambda account, status: metrics.callbacks.of(account, str(status)).add(),
        clock.boot,
        settings.core.callback_wait_ms / 1000,
        log,
    )


def routes(deps: ReceiptDeps) -> list[web.RouteDef]:
    """The handlers of callbacks."""
    door = _Door(deps)
    path = "/v1/receipts/{account}"
    return [web.get(path, door.called, allow_head=False), web.post(path, door.called)]


class _Door:
    def __init__(self, deps: ReceiptDeps) -> None:
        self._deps = deps
        self._told_at = -_TOLD_EVERY_S

    async def called(self, request: web.Request) -> web.Response:
        """Verify, journal, answer."""
        account_id = request.match_info["account"]
        adapter = self._adapter(account_id)
        callback = Callback(
            request.method, request.raw_path, _headers(request), await request.read()
        )
        answer = adapter.callback(callback)
        stands = await self._journaled(account_id, answer.receipts)
        status = answer.status if stands else 503
        self._deps.count(account_id, status)
        if status == 403:
            self._tell_refusal(account_id, answer)
        if not stands:
            raise problem("overloaded", "Not all of it stands yet. Report again.", headers=_AGAIN)
        return web.Response(status=status, body=answer.body, content_type=answer.content_type)

    def _adapter(self, account_id: str) -> TakesCallbacks:
        account = self._deps.accounts.get(account_id)
        if account is None:
            raise problem("not_found", f"There is no account `{account_id}` that is called back.")
        if account.adapter is None:
            raise problem("overloaded", "The account is not at work now.", headers=_AGAIN)
        if not isinstance(account.adapter, TakesCallbacks):
            raise problem("not_found", f"There is no account `{account_id}` that is called back.")
        return account.adapter

    async def _journaled(self, account_id: str, receipts: tuple[ReceiptIn, ...]) -> bool:
        """Hand all to the engine; whether all stood in time."""
        if not receipts:
            return True
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = len(receipts)

        def ack() -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting and not told.done():
                told.set_result(True)

        def nack() -> None:
            if not told.done():
                told.set_result(False)

        for receipt in receipts:
            self._deps.take(account_id, msgspec.structs.replace(receipt, ack=ack, nack=nack))
        try:
            async with asyncio.timeout(self._deps.wait_s):
                return await told
        except TimeoutError:
            return False

    def _tell_refusal(self, account_id: str, answer: CallbackAnswer) -> None:
        """A line now and then: whoever may call could otherwise fill the log."""
        now = self._deps.now()
        if now - self._told_at >= _TOLD_EVERY_S:
            self._told_at = now
            why = answer.body.decode("utf-8", "replace").strip()
            self._deps.log.warning("callback refused", account=account_id, reason=why)


def _headers(request: web.Request) -> dict[str, str]:
    """The provider's own; one that came several times is none that a signature can stand in."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        if key not in _OURS:
            found[key] = f"{found[key]}, {value}" if key in found else value
    return found
