"""A load over the edges of all regions, as clients make it: each asks again until it is told.

A request keeps its idempotency key, and goes to the next region's edge when one gives no answer or
says that it may have been accepted. So what counts is what a client was told in the end.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.support.regions import Regions

ASKED_AGAIN_S = 0.2
ANSWER_S = 15.0


class Load:
    """`accepted` maps a message's id to when its client was told so, on the monotonic clock."""

    def __init__(self, up: Regions, regions: Sequence[str], connections: int = 24) -> None:
        self._up = up
        self._regions = list(regions)
        self._connections = connections
        self.accepted: dict[str, float] = {}
        self.refused: list[str] = []
        self.answers: Counter[str] = Counter()

    async def post(self, count: int, first: int, per_second: float, **fields: Any) -> None:
        """Send text messages with numbers from `first`, as many a second as the regions take."""
        numbers = iter(range(count))
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {self._up.line['api_key']}"}
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:

            async def worker() -> None:
                for number in numbers:
                    await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
                    await self._one(session, first + number, fields)

            await asyncio.gather(*(worker() for _ in range(self._connections)))

    async def _one(
        self, session: aiohttp.ClientSession, number: int, fields: dict[str, Any]
    ) -> None:
        body = {
            "to": {"phone": f"+4474{number:08d}"},
            "content": {"text": f"number {number}"},
            **fields,
        }
        headers = {"Idempotency-Key": f"chaos-{number}"}
        for again in range(60):
            region = self._regions[(number + again) % len(self._regions)]
            url = f"{self._up.url(region)}/v1/notifications"
            try:
                async with session.post(url, json=body, headers=headers) as answer:
                    said = await answer.json(content_type=None)
                    status = answer.status
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.answers[f"{region} no answer"] += 1
                await asyncio.sleep(ASKED_AGAIN_S)
                continue
            self.answers[f"{region} {status}"] += 1
            if status == 202:
                self.accepted[said["messages"][0]["id"]] = time.monotonic()
                return
            if status not in (409, 429, 502, 503, 504):
                self.refused.append(f"{status} {said.get('code')}")
                return
            await asyncio.sleep(ASKED_AGAIN_S)
        self.refused.append("never answered")
