"""Reads what the API says of a day's messages, those of fallback chains included.

A message that cannot be read is told as a fault, not raised; what the list shows as open is asked
for until nothing is, or until time is up.
"""

import asyncio
import time
from collections.abc import Collection, Iterable
from typing import Any

import aiohttp

AT_ONCE = 32
LOOK_EVERY_S = 0.5
OPEN_PATH = "/v1/messages?status=open&channel=sms,email,webhook&limit=1"


class Reading:
    """`messages` as shown, by id; `unread` says of the others how they were answered."""

    def __init__(self, base: str, api_key: str) -> None:
        self._base = base
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self.messages: dict[str, dict[str, Any]] = {}
        self.unread: dict[str, str] = {}

    async def settle(self, timeout_s: float) -> float:
        """Wait until nothing is listed as open; how long that took."""
        began = time.monotonic()
        async with aiohttp.ClientSession(headers=self._headers) as session:
            while time.monotonic() - began < timeout_s:
                if not await self._any_open(session):
                    break
                await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic() - began

    async def _any_open(self, session: aiohttp.ClientSession) -> bool:
        path = OPEN_PATH
        while True:
            async with session.get(self._base + path) as answer:
                page = await answer.json()
            if answer.status != 200 or page["data"]:
                return True
            if page["next_cursor"] is None:
                return False
            path = f"{OPEN_PATH}&cursor={page['next_cursor']}"

    async def read(self, ids: Collection[str], children: bool = True) -> None:
        """Read these, and what follows them in their chains."""
        limit = aiohttp.TCPConnector(limit=AT_ONCE)
        async with aiohttp.ClientSession(connector=limit, headers=self._headers) as session:
            await self._all(session, ids)
            if children:
                later = [each["id"] for m in self.messages.values() for each in m["next"]]
                await self._all(session, later)
                for message_id in later:  # one that was not needed was never made
                    self.unread.pop(message_id, None)

    async def listed(self, since: str) -> dict[str, str]:
        """The status of everything that the list shows since then, by id."""
        path = f"/v1/messages?since={since}&limit=200"
        found: dict[str, str] = {}
        async with aiohttp.ClientSession(headers=self._headers) as session:
            cursor = ""
            while True:
                async with session.get(self._base + path + cursor) as answer:
                    page = await answer.json()
                found.update({row["id"]: row["status"] for row in page["data"]})
                if page["next_cursor"] is None:
                    return found
                cursor = f"&cursor={page['next_cursor']}"

    async def _all(self, session: aiohttp.ClientSession, ids: Iterable[str]) -> None:
        left = iter(ids)

        async def worker() -> None:
            for message_id in left:
                async with session.get(f"{self._base}/v1/messages/{message_id}") as answer:
                    told = await answer.json(content_type=None)
                    if answer.status == 200:
                        self.messages[message_id] = told
                        self.unread.pop(message_id, None)
                    else:
                        self.unread[message_id] = str(told.get("code", answer.status))

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
