"""A store of three regions, a process in each, and the shortest way to ask it something."""

from collections.abc import Coroutine
from random import Random
from typing import Any

from core.sim.network import Network, NetworkRates
from core.sim.process import Process
from core.sim.scheduler import Scheduler
from core.sim.store.faults import StoreFaults
from core.sim.store.store import SimStore
from core.sim.store.view import SimView
from sync.store.port import Answer, PutRow, Write

REGIONS = ["a", "b", "c"]
EFFECT = "effect.a.urgent.c1.0"
GLOBAL = "accept.a.urgent_global.c1.0"
LOCAL = "accept.a.urgent_local.c1.0"


class Stage:
    """Calls run the world on until they are answered."""

    def __init__(
        self,
        faults: StoreFaults | None = None,
        rates: NetworkRates | None = None,
        replicas: int = 1,
        seed: int = 1,
        hint_window_s: float = 60.0,
        counts: dict[str, int] | None = None,
    ) -> None:
        self.scheduler = Scheduler()
        random = Random(seed)
        self.network = Network(self.scheduler, random, REGIONS, rates or NetworkRates())
        self.store = SimStore(
            self.scheduler,
            self.network,
            random,
            REGIONS,
            ["a", "b"],
            4,
            faults or StoreFaults(),
            replicas=replicas,
            counts=counts,
            hint_window_s=hint_window_s,
            edits=Random(f"{seed}:entities"),
        )
        self.processes: dict[str, Process] = {}
        self.views: dict[str, SimView] = {}
        for region in REGIONS:
            self.restart(region)

    def restart(self, region: str, wall_ahead_ms: int = 0) -> None:
        """A new process in this region."""
        process = Process(f"core-{region}", region, self.scheduler, wall_ahead_ms=wall_ahead_ms)
        self.processes[region] = process
        self.views[region] = self.store.view(process)

    def submit(self, region: str, write: Write) -> list[Answer]:
        """Hand a write over; its answers come into the list as the world goes on."""
        answers: list[Answer] = []
        self.processes[region].later(0.0, lambda: self.views[region].submit(write, answers.append))
        self.run(0.0)
        return answers

    def write(self, region: str, write: Write) -> Answer:
        """What a write is answered."""
        answers = self.submit(region, write)
        self._until(lambda: bool(answers))
        assert len(answers) == 1
        return answers[0]

    def row(self, region: str, log: str, row: int, body: bytes = b"x") -> Answer:
        """Write a log row."""
        return self.write(region, PutRow(log, row, body))

    def read(self, region: str, what: Coroutine[Any, Any, Any]) -> Any:
        """What a read of a view of this region is answered, or raises."""
        told: list[Any] = []

        async def ask() -> None:
            try:
                told.append(await what)
            except Exception as error:
                told.append(error)

        self.processes[region].start(ask)
        self._until(lambda: bool(told))
        if isinstance(told[0], Exception):
            raise told[0]
        return told[0]

    def rows(self, region: str, log: str, local: bool = False) -> list[bytes]:
        """The bodies of a log's first rows, as this region reads them."""
        view = self.views[region]
        found = self.read(region, view.rows_local(log, 1, 9) if local else view.rows(log, 1, 9))
        return [body for _, body in found]

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.scheduler.run_until(self.scheduler.now + seconds)

    def _until(self, done: Any) -> None:
        end_s = self.scheduler.now + 20.0
        while not done() and self.scheduler.now < end_s:
            self.run(0.01)
        assert done(), "no answer"
