"""The reckoning after bad days: what was answered, what the store says, what the providers got."""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any

import aiohttp
from msgspec import Struct

from core import audit
from core.bench.mixed.reckon import fault
from tests.support.load import sends
from tests.support.region import Region, wait_for

AT_ONCE = 16
RECEIPTS_S = 15.0


class Reckoning(Struct):
    """Messages as the API shows them by id, and how often each reached its recipient."""

    messages: dict[str, dict[str, Any]]
    sent: Counter[str]
    audit: dict[str, Any]

    @property
    def states(self) -> Counter[str]:
        return Counter(message["status"] for message in self.messages.values())

    @property
    def twice(self) -> list[str]:
        return [message for message in self.messages if self.sent[message] > 1]


def reckon(
    region: Region, accepted: Collection[str], *states: str, timeout_s: float = 60.0
) -> Reckoning:
    """Wait until everything has its end, then hold the bound against what everybody says.

    With `states`, wait until nothing is in another one: receipts come after the end. Whatever
    is in another state when time is up fails the test.
    """
    assert accepted
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(audit.run(region.data))
        return bool(found["open"] == 0)

    wait_for(settled, timeout_s, lambda: found)
    assert (found["lost"], found["violations"]) == ([], [])
    messages = asyncio.run(_read(region, accepted))

    def elsewhere() -> list[str]:
        return [m["id"] for m in messages.values() if states and m["status"] not in states]

    def arrived() -> bool:
        messages.update(asyncio.run(_read(region, elsewhere())))
        return not elsewhere()

    wait_for(arrived, RECEIPTS_S, lambda: [messages[each] for each in elsewhere()[:3]])
    reckoning = Reckoning(messages, sends(region.history()), found)
    for message_id, message in messages.items():
        hold(message, reckoning.sent[message_id])
    return reckoning


def hold(message: dict[str, Any], times: int) -> None:
    """What a user relies on, for one message."""
    assert not (wrong := fault(message, times)), (wrong, message)


async def _read(region: Region, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {region.api_key}"}
    limit = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=limit, headers=headers) as session:

        async def one(message_id: str) -> tuple[str, dict[str, Any]]:
            async with session.get(f"{region.url}/v1/messages/{message_id}") as answer:
                assert answer.status == 200, await answer.text()
                return message_id, await answer.json()

        return dict(await asyncio.gather(*(one(message_id) for message_id in ids)))
