"""A load as a client makes it, and the reckoning afterwards: answers, store, providers."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp

from tests.support.up import Up


class Client:
    """Posts text messages and remembers what it was told. `texts` maps message id to its text."""

    def __init__(self, up: Up, connections: int = 32) -> None:
        self._up = up
        self._connections = connections
        self.accepted: dict[str, str] = {}
        self.answers: Counter[str] = Counter()
        self.unknown: set[str] = set()

    async def post(self, count: int, first: int, **fields: Any) -> None:
        """Send `count` messages with numbers from `first`; answers of any kind are counted."""
        numbers = iter(range(first, first + count))
        headers = {"Authorization": f"Bearer {self._up.line['api_key']}"}
        limit = aiohttp.TCPConnector(limit=self._connections)
        async with aiohttp.ClientSession(connector=limit, headers=headers) as session:

            async def worker() -> None:
                for number in numbers:
                    await self._one(session, number, fields)

            await asyncio.gather(*(worker() for _ in range(self._connections)))

    async def _one(
        self, session: aiohttp.ClientSession, number: int, fields: dict[str, Any]
    ) -> None:
        text = f"number {number}"
        body = {
            "to": {"phone": f"+4474{number:08d}"},
            "content": {"text": text},
            "class": "transactional",
            **fields,
        }
        try:
            async with session.post(self._up.region["url"] + "/v1/notifications", json=body) as r:
                said = await r.json(content_type=None)
                self.answers[str(r.status)] += 1
                if r.status == 202:
                    self.accepted[said["messages"][0]["id"]] = text
                else:
                    self.unknown.update(said.get("message_ids", ()))
        except (aiohttp.ClientError, OSError):
            self.answers["no answer"] += 1
            await asyncio.sleep(0.05)


async def history(sandbox: str) -> list[dict[str, Any]]:
    """Everything that reached the sandbox's providers."""
    found: list[dict[str, Any]] = []
    after = 0
    async with aiohttp.ClientSession() as session:
        while True:
            address = f"{sandbox}/sandbox/history?after={after}&limit=10000"
            async with session.get(address) as answer:
                page = await answer.json()
            found += page["data"]
            if not page["data"]:
                return found
            after = page["next"]


def sends(entries: list[dict[str, Any]]) -> Counter[str]:
    """How often each message id had its effect at a provider."""
    return Counter(
        entry["ref"].split(".")[0] for entry in entries if entry["effective"] and entry["ref"]
    )
