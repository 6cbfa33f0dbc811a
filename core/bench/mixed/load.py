"""Sends a day's traffic at its pace, and takes down every answer.

The pace follows the curve and does not wait for answers; `under_way_max` requests are under way at
most, and what is late for that is counted. A call without an answer is counted too: what it asked
for may have been accepted.
"""

import asyncio
import time
from collections.abc import Callable

import aiohttp
import msgspec

from core.bench.mixed.book import Book
from core.bench.mixed.curve import due
from core.bench.mixed.traffic import Ask, Body, Traffic

TICK_S = 0.02
UNDER_WAY_MAX = 256
CALL_TIMEOUT_S = 30.0
CANCEL_AFTER_S = 1.0
NDJSON = "application/x-ndjson"


class Load:
    """`length_s` is how long the day is, `messages` how many there are in it."""

    def __init__(
        self, base: str, api_key: str, traffic: Traffic, length_s: float, messages: float
    ) -> None:
        self._base = base
        self._key = api_key
        self._traffic = traffic
        self._length_s = length_s
        self._messages = messages
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)
        self.book = Book()

    async def run(self, at: Callable[[float], None]) -> Book:
        """The whole day; `at` is told each moment, as a share of it."""
        headers = {"Authorization": f"Bearer {self._key}"}
        limit = aiohttp.TCPConnector(limit=UNDER_WAY_MAX)
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(connector=limit, headers=headers, timeout=timeout) as session,
            asyncio.TaskGroup() as calls,
        ):
            began = time.monotonic()
            owed, moment = 0.0, 0.0
            while moment < 1.0:
                await asyncio.sleep(TICK_S)
                now = min(1.0, (time.monotonic() - began) / self._length_s)
                owed += due(moment, now, self._messages)
                moment = now
                at(moment)
                while owed >= 1.0:
                    ask = self._traffic.draw(time.time_ns() // 1_000_000)
                    owed -= ask.messages
                    if self._room.locked():
                        self.book.behind += 1
                    await self._room.acquire()
                    calls.create_task(self._one(session, ask))
        return self.book

    async def _one(self, session: aiohttp.ClientSession, ask: Ask) -> None:
        try:
            ids = await self._send(session, ask)
        finally:
            self._room.release()
        if ask.then == "repeat" and ids:
            again = await self._send(session, ask)
            if again:
                self.book.repeated(ask, ids, again)
        elif ask.then and ids:
            await asyncio.sleep(CANCEL_AFTER_S if ask.then == "cancel" else 0.0)
            await self._cancel(session, ids[0])

    async def _send(self, session: aiohttp.ClientSession, ask: Ask) -> list[str]:
        try:
            if len(ask.bodies) > 1:
                return await self._batch(session, ask)
            headers = {"Idempotency-Key": ask.key} if ask.key else {}
            url = f"{self._base}/v1/notifications"
            async with session.post(url, json=ask.bodies[0], headers=headers) as answer:
                return self.book.told(ask, str(answer.status), await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.book.answers[ask.kind, "no answer"] += 1
            return []

    async def _batch(self, session: aiohttp.ClientSession, ask: Ask) -> list[str]:
        body = b"\n".join(map(msgspec.json.encode, ask.bodies))
        url = f"{self._base}/v1/notifications/batch"
        ids: list[str] = []
        async with session.post(url, data=body, headers={"Content-Type": NDJSON}) as answer:
            lines = (await answer.read()).splitlines()
        outcomes: list[Body] = [msgspec.json.decode(line) for line in lines]
        if answer.status != 200 or len(outcomes) != len(ask.bodies):
            self.book.broken.append(f"{ask.kind}: {len(outcomes)} outcomes, {answer.status}")
        for outcome in outcomes:
            ids += self.book.told(ask, str(outcome["status"]), outcome["body"])
        return ids

    async def _cancel(self, session: aiohttp.ClientSession, message_id: str) -> None:
        url = f"{self._base}/v1/messages/{message_id}/cancel"
        try:
            async with session.post(url) as answer:
                told = await answer.json(content_type=None)
                status = str(told["status"])
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = "no answer"
        self.book.cancel_told(message_id, status)
