"""All replays that this process has to do with: its own, and those that others may have left.

Each core watches every job that runs. One whose version stands still for `claim_s` on the own clock
was left by its holder; whoever writes its own name there first goes on with it. Jobs that ended
before `keep_ms` are taken away at the start.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from core.clock import Clock
from core.contract.log import Log
from core.replay.again import Again
from core.replay.jobs import Jobs, Stored, name_of
from core.replay.runner import Find, Run, Sleep
from core.views.reader import ViewReader
from sync.store.entities import StaleVersion
from sync.store.port import StoreError


class Replays:
    """See the module's docstring. `me` is this incarnation."""

    def __init__(
        self,
        jobs: Jobs,
        reader: ViewReader,
        find: Find,
        again: Again,
        clock: Clock,
        log: Log,
        spawn: Callable[[Awaitable[None]], None],
        *,
        me: str,
        save_s: float,
        claim_s: float,
        keep_ms: int,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.jobs = jobs
        self.me = me
        self._reader = reader
        self._find = find
        self._again = again
        self._clock = clock
        self._log = log
        self._spawn = spawn
        self._save_s = save_s
        self._claim_s = claim_s
        self._keep_ms = keep_ms
        self._sleep = sleep
        self._runs: dict[str, Run] = {}
        self._seen: dict[str, tuple[int, float]] = {}
        self._listed = False

    def changed(self, name: str) -> None:
        """A job was written, by whomever."""
        run = self._runs.get(name)
        if run is not None:
            run.changed = True
        else:
            self._seen.setdefault(name, (-1, 0.0))

    def forget_all(self) -> None:
        """Anything may have changed: look at all jobs again."""
        self._listed = False

    def start(self, stored: Stored) -> None:
        """Carry out a job that has this process's name."""
        name = name_of(stored.job)
        self._seen.pop(name, None)
        run = self._runs[name] = Run(
            stored,
            self.jobs,
            self._reader,
            self._find,
            self._again,
            self._clock,
            self._sleep,
            self._save_s,
            self._log,
        )
        self._spawn(self._carry_out(name, run))

    async def watch_forever(self) -> None:
        """Look after what others carry out, until cancelled."""
        while True:
            try:
                await self.watch()
            except StoreError as error:
                self._log.error("replays cannot be read", error=str(error))
            await self._sleep(self._claim_s / 4)

    async def watch(self) -> None:
        """Look once at every job that is not known to have ended."""
        if not self._listed:
            for name in await self.jobs.all_names():
                self._seen.setdefault(name, (-1, 0.0))
            self._listed = True
        for name in [each for each in self._seen if each not in self._runs]:
            await self._look(name)

    async def _look(self, name: str) -> None:
        found = await self.jobs.get(name)
        if found is None or found.job.state != "running":
            self._seen.pop(name, None)
            if found and found.job.updated_ms < self._clock.wall_ms() - self._keep_ms:
                await self.jobs.forget(name)
            return
        version, since = self._seen.get(name, (-1, 0.0))
        if found.version != version:
            self._seen[name] = (found.version, self._clock.boot())
        elif self._clock.boot() - since >= self._claim_s:
            mine = msgspec.structs.replace(found.job, holder=self.me)
            try:
                stored = await self.jobs.put(mine, found.version)
            except StaleVersion:
                return  # its holder lives, or somebody else was faster
            self._log.info("replay taken up", replay=mine.id, tenant=mine.tenant)
            self.start(stored)

    async def _carry_out(self, name: str, run: Run) -> None:
        try:
            await run.carry_out()
        finally:
            self._runs.pop(name, None)
            self._seen.setdefault(name, (-1, 0.0))
