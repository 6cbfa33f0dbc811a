"""The simulated store behind a real event loop, for tests that know of no virtual time.

Whatever is asked of it runs on in virtual time until it is answered, in one turn of the real loop.
"""

import asyncio
from asyncio import events
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from core.sim.network import Network, NetworkRates
from core.sim.process import Process
from core.sim.scheduler import Scheduler
from core.sim.store.faults import StoreFaults
from core.sim.store.store import SimStore
from sync.store.port import Done, Write


class DrivenStore:
    """A view whose methods are those of `JournalStore`."""

    def __init__(self, regions: list[str], replicas: int, refuses_revoked: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler()
        random = Random(7)
        network = Network(self._scheduler, random, regions, NetworkRates())
        self.store = SimStore(
            self._scheduler,
            network,
            random,
            regions,
            ["h", "i"],
            4,
            StoreFaults(),
            replicas=replicas,
            refuses_revoked=refuses_revoked,
        )
        self._process = Process("c1", regions[0], self._scheduler)
        self._view = self.store.view(self._process)

    def submit(self, write: Write, done: Done) -> None:
        """As in the port."""
        self._loop.call_soon(lambda: self._view.submit(write, done))
        self._loop.call_soon(self._loop.call_soon, self._run)

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._view, name)

        async def ask(*args: Any) -> Any:
            told: asyncio.Future[Any] = self._loop.create_future()

            async def asked() -> None:
                try:
                    told.set_result(await method(*args))
                except Exception as error:
                    told.set_exception(error)

            self._loop.call_soon(self._process.start, asked)
            self._loop.call_soon(self._run)
            return await told

        return ask

    def _run(self) -> None:
        running = events._get_running_loop()
        self._scheduler.run_until(self._scheduler.now + 5.0)
        events._set_running_loop(running)
        assert not self._process.failures, self._process.failures
