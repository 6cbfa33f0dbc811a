"""The reckoning after a fault: what clients were told, what the store says, what providers got."""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any

import aiohttp
from msgspec import Struct

from core import audit
from core.bench.mixed.reckon import fault
from tests.support.load import history, sends
from tests.support.regions import Regions
from tests.support.wait import until

AT_ONCE = 8


class Reckoning(Struct):
    """What a run came to. `wrong` names each message that broke the bound, and how."""

    accepted: int
    sent: int
    twice: int
    in_doubt: int
    lost: list[str]
    wrong: list[str]
    states: dict[str, int]
    audited: dict[str, Any]

    @property
    def holds(self) -> bool:
        return not (self.lost or self.wrong or self.audited["lost"] or self.audited["violations"])


async def reckoned(up: Regions, accepted: Collection[str], region: str) -> Reckoning:
    """Wait until each message has its end, asking at this region's edge; then judge."""
    messages: dict[str, dict[str, Any]] = {}
    counted: Counter[str] = Counter()

    async def settled() -> bool:
        nonlocal counted
        counted = sends(await history(up.line["sandbox"]))
        open_ids = [i for i in accepted if i not in messages or not _over(messages[i], counted[i])]
        messages.update(await _read(up, open_ids, region))
        return all(i in messages and _over(messages[i], counted[i]) for i in accepted)

    await until(settled, 180, 0.5)
    found = await asyncio.to_thread(audit.run, up.data)
    faults = {i: fault(messages[i], counted[i]) for i in accepted}
    return Reckoning(
        accepted=len(accepted),
        sent=sum(1 for i in accepted if counted[i]),
        twice=sum(1 for i in accepted if counted[i] > 1),
        in_doubt=sum(1 for i in accepted if messages[i]["possible_duplicate"]),
        lost=[i for i in accepted if not counted[i] and not messages[i]["reason"]],
        wrong=[f"{i}: {what}" for i, what in faults.items() if what],
        states=dict(Counter(one["status"] for one in messages.values())),
        audited={name: value for name, value in found.items() if name != "states"},
    )


def _over(message: dict[str, Any], times: int) -> bool:
    """Whether nothing more can come of it but receipts."""
    return bool(message["final"]) or (message["status"] == "sent" and times > 0)


async def _read(up: Regions, ids: Collection[str], region: str) -> dict[str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {up.line['api_key']}"}
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(headers=headers) as session:

        async def one(message_id: str) -> tuple[str, dict[str, Any]] | None:
            async with (
                gate,
                session.get(f"{up.url(region)}/v1/messages/{message_id}") as answer,
            ):
                return (message_id, await answer.json()) if answer.status == 200 else None

        found = await asyncio.gather(*(one(message_id) for message_id in ids))
    return dict(each for each in found if each is not None)
