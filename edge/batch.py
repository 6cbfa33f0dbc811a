"""POST /v1/notifications/batch: many notifications in one request, each with its own outcome.

Items come as lines of NDJSON or as elements of an array, and outcomes go out in the same form and
order while the request still comes in: `{"index": 0, "status": 202, "body": {...}}`, with the body
that the item would have been answered alone. An item that is wrong is its own outcome and the rest
goes on. With an Idempotency-Key each item has a key of its own, made from it and the index.

What ends the batch itself (`edge.exchange`), too many items, or the edge stopping is told by a last
outcome with the index of the first item that was not taken. A caller that goes away ends it too;
what was accepted stays accepted.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web

from core.contract.keys import SEND
from core.contract.log import Log
from core.contract.problems import ProblemError, problem
from edge.answers import JSON_TYPE
from edge.dispatch import Dispatcher
from edge.exchange import NDJSON_TYPE, BatchLimits, Exchange
from edge.gate import Gate
from edge.minting import Placement
from edge.notifications import Notifications, idempotency_key
from edge.window import Item

_LINE_TYPES = frozenset({NDJSON_TYPE, "application/ndjson", "application/jsonl"})
_FULL_PAUSE_S = 0.02


class Batches:
    """Takes batches in; `running` are under way."""

    def __init__(
        self,
        gate: Gate,
        notifications: Notifications,
        dispatcher: Dispatcher,
        limits: BatchLimits,
        log: Log,
        stopping: Callable[[], bool],
    ) -> None:
        self.running = 0
        self._gate = gate
        self._notifications = notifications
        self._dispatcher = dispatcher
        self._limits = limits
        self._log = log
        self._stopping = stopping

    async def answer(self, request: web.BaseRequest, trace: str) -> web.StreamResponse:
        """The whole exchange; ProblemError if it ends before its first item."""
        limits = self._limits
        caller = self._gate.known(request, SEND) or await self._gate.find(request, SEND)
        as_lines = _as_lines(request)
        key = idempotency_key(request)
        if (request.content_length or 0) > limits.bytes_max:
            detail = f"A batch may have at most {limits.bytes_max} bytes."
            raise problem("body_too_large", detail)
        if self.running >= limits.batches_max:
            detail = "Too many batches are under way. Try again."
            raise problem("overloaded", detail, headers={"Retry-After": "1"})
        self.running += 1
        try:
            first = self._dispatcher.placement or await self._notifications.placed()

            async def take(index: int, body: bytes | None) -> Item:
                self._may_go_on(index)
                while self._dispatcher.full:
                    await asyncio.sleep(_FULL_PAUSE_S)
                placement = self._dispatcher.placement or first  # a batch may outlast a map
                return self._take(index, body, placement, caller.tenant, key, trace)

            exchange = Exchange(request, limits, trace, as_lines, take)
            answer = await exchange.run()
            items, refused = exchange.items, exchange.refused
            self._log.info("batch ended", trace=trace, items=items, refused=refused)
            if exchange.failure:
                self._log.error("handler failed", trace=trace, error=exchange.failure)
            return answer
        finally:
            self.running -= 1

    def _may_go_on(self, index: int) -> None:
        if index >= self._limits.items_max:
            detail = f"A batch may have at most {self._limits.items_max} items."
            raise problem("body_too_large", detail)
        if self._stopping():
            detail = "The edge is stopping. Send the items from this one on again."
            raise problem("overloaded", detail, headers={"Retry-After": "1"})

    def _take(
        self,
        index: int,
        body: bytes | None,
        placement: Placement,
        tenant: str,
        key: str | None,
        trace: str,
    ) -> Item:
        notifications = self._notifications
        try:
            if body is None:
                detail = f"An item may have at most {self._limits.item_bytes_max} bytes."
                raise problem("body_too_large", detail)
            checked = notifications.check(body)
            item_key = None if key is None else item_key_of(key, index)
            answer = notifications.hand_on(placement, tenant, item_key, trace, body, checked)
            return Item(index, len(body), answer)
        except ProblemError as error:
            return Item(index, 0, (error.status, error.body(trace)))


def item_key_of(key: str, index: int) -> str:
    """The key of one item. No caller can send it for a request alone: keys hold no spaces."""
    return f"{key} #{index}"


def _as_lines(request: web.BaseRequest) -> bool:
    """Whether the items are lines; ProblemError 415 for a body that is neither form."""
    if "Content-Encoding" in request.headers:
        raise problem("unsupported_media_type", "Send the body without Content-Encoding.")
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _LINE_TYPES:
        return True
    if kind == JSON_TYPE:
        return False
    detail = f"Send lines as {NDJSON_TYPE}, or an array as {JSON_TYPE}."
    raise problem("unsupported_media_type", detail)
