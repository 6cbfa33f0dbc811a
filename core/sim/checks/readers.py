"""Readers in every region: what one of them was shown of a message is never taken back.

They ask for by-id rows at quorum, as whoever serves a status does while an owner is away. A read
that began after another was answered must not show less, whichever regions the two are in.
"""

import asyncio
from random import Random
from typing import TYPE_CHECKING

from core.sim.history import ViolationError
from core.sim.process import Process
from sync.lattice import RANK
from sync.records import decode_by_id
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.world import World

EVERY_S = 0.4
IDS_AT_ONCE = 6


class Readers:
    """One for each region; `start` them with the run."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = Random(f"readers {world.plan.seed}")
        self._shown: dict[str, tuple[int, str]] = {}
        self.found: ViolationError | None = None

    def start(self) -> None:
        """Begin to read."""
        for region in self._world.plan.regions:
            process = Process(f"{region}reader", region, self._world.scheduler)
            process.start(lambda p=process: self._read_forever(p))  # type: ignore[misc]

    async def _read_forever(self, process: Process) -> None:
        view = self._world.store.view(process)
        while True:
            await asyncio.sleep(EVERY_S)
            ids = sorted({each.id for each in self._world.history.submitted})
            some = self._chance.sample(ids, min(IDS_AT_ONCE, len(ids)))
            before = {each: self._shown.get(each, (0, "nothing")) for each in some}
            try:
                rows = await view.by_ids(some)
            except StoreError:
                continue
            for message_id, (rank, what) in before.items():
                row = rows.get(message_id)
                known = decode_by_id(row.body) if row else None
                now_rank = RANK[known.state] if known is not None and known.ended else 0
                state = known.state if known is not None else "nothing"
                if now_rank < rank:
                    text = f"{message_id}: {state} in {process.region} after {what}"
                    self.found = self.found or ViolationError("shown_went_back", text)
                if now_rank > self._shown.get(message_id, (0, ""))[0]:
                    self._shown[message_id] = (now_rank, f"{state} in {process.region}")
