"""The launcher behind `goutong up`: the sandbox, one supervisor for each region, and their end.

It promises: when `then` is called, everything answers. Whatever ends the launcher ends everything
else: told to stop (SIGINT, SIGTERM), it ends the regions, then the sandbox, and leaves no process;
if it is killed, the kernel tells its children, which end by themselves. When the only region's
supervisor dies, the launcher ends the sandbox and fails. The sandbox is started again when it dies.
A second signal kills at once what has not ended yet.

Of several regions one may go: the launcher says so and stays, and SIGUSR1 has it start every region
that is gone. It does not do so by itself: what ended a supervisor is for a person to look at, and
the other regions do its work meanwhile.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from core.contract.log import Log
from core.supervisor.folder import DataFolder
from core.supervisor.part import Pace, Part, PartSpec
from core.supervisor.parts import sandbox_part
from core.supervisor.region_process import RegionProcess
from core.supervisor.site import RegionSite, Site, gone

UP_FILE = "up.json"
SUPERVISOR = "supervisor"
_LOOK_EVERY_S = 0.05
_BEYOND_GRACE_S = 3.0
_SANDBOX_GRACE_S = 3.0
_GONE_S = 5.0
_SETTLE_S = 0.3
_NODE_S = 8.0  # for a Cassandra node to end, after everything else of its region


class Running(Struct, frozen=True):
    """What is running and how to reach it; the first line of `goutong up --json`."""

    ready: bool
    api_key: str
    admin_key: str
    sandbox: str | None
    regions: dict[str, dict[str, Any]]

    def url(self) -> str:
        """Where the API of the first region answers."""
        return str(next(iter(self.regions.values()))["url"])


class UpError(Exception):
    """A region did not come up, or did not stay up; the text says why."""


class Launcher:
    """One `goutong up` from start to end."""

    def __init__(self, site: Site, log: Log, warn: Callable[[str], None]) -> None:
        self._site = site
        self._log = log
        self._warn = warn
        self._signals = 0
        self._stop = asyncio.Event()
        self._again = asyncio.Event()
        self._regions = [
            RegionProcess(each, self._part(_supervisor_part(site, each), each.folder))
            for each in site.regions
        ]
        self._sandbox: Part | None = None
        if site.sandbox_ports:
            spec = sandbox_part(site.settings, site.folder, site.sandbox_ports, signal.SIGTERM)
            self._sandbox = self._part(spec, site.folder)

    async def run(self, then: Callable[[Running], Awaitable[int | None]]) -> int:
        """Bring everything up and do `then`; stay up unless that answers an exit code.

        Raises UpError when a region does not come up or the only one does not stay up; everything
        is ended by then.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        if self._site.several:
            loop.add_signal_handler(signal.SIGUSR1, self._again.set)
        work = asyncio.create_task(self._work(then))
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else 0
        finally:
            for task in (work, stopped):
                task.cancel()
            await self._stop_all()

    async def _work(self, then: Callable[[Running], Awaitable[int | None]]) -> int:
        for notice in self._site.notices:
            self._warn(notice)
        if self._sandbox is not None:
            self._sandbox.start()
        for region in self._regions:
            region.start()
        died = [asyncio.create_task(self._died(region)) for region in self._regions]
        rest = asyncio.create_task(self._ready_then(then))
        try:
            await asyncio.wait([*died, rest], return_when=asyncio.FIRST_COMPLETED)
            if rest.done() and (code := rest.result()) is not None:
                return code
            if not rest.done() or not self._site.several:
                done, _ = await asyncio.wait(died, return_when=asyncio.FIRST_COMPLETED)
                raise UpError(
                    f"{done.pop().result()} A start with the same --data goes on where this one "
                    "stopped."
                )
        finally:
            for task in (*died, rest):
                task.cancel()
        return await self._stay()

    async def _died(self, region: RegionProcess) -> str:
        """Wait until its supervisor has ended; why, as far as is known."""
        return region.why_gone(await region.part.ended())

    async def _stay(self) -> int:
        """Stay with several regions, whichever of them go, and start them again when told to."""
        alive = {asyncio.create_task(self._died(each)): each for each in self._regions}
        told: asyncio.Task[Any] = asyncio.create_task(self._again.wait())
        try:
            while True:
                await asyncio.wait([*alive, told], return_when=asyncio.FIRST_COMPLETED)
                if told.done():
                    # Whoever killed a region may ask before the kernel has told of its end.
                    await asyncio.sleep(_SETTLE_S)
                for task in [each for each in alive if each.done()]:
                    region = alive.pop(task)
                    self._log.error("region gone", region=region.name, detail=task.result())
                    self._warn(f"{task.result()} {self._mend()}")
                if told.done():
                    self._again.clear()
                    told = asyncio.create_task(self._again.wait())
                    for region in self._regions:
                        if region not in alive.values():
                            self._warn(f"region {region.name} is started again")
                            region.start()
                            alive[asyncio.create_task(self._died(region))] = region
        finally:
            for task in (*alive, told):
                task.cancel()

    def _mend(self) -> str:
        return f"The other regions go on. `kill -USR1 {os.getpid()}` starts it again."

    async def _ready_then(self, then: Callable[[Running], Awaitable[int | None]]) -> int | None:
        settings = self._site.settings
        limit_s = settings.supervisor.ready_timeout_ms / 1000
        if self._site.several:
            limit_s += settings.cassandra.ready_timeout_ms / 1000
        try:
            async with asyncio.timeout(limit_s):
                running = await self._until_ready()
        except TimeoutError:
            seen = ", ".join(role for region in self._regions for role in region.roles())
            raise UpError(
                f"not ready within {limit_s:.0f} s; running: {seen or 'nothing'}. "
                f"Look into {self._site.folder.logs}, or raise [supervisor] ready_timeout_ms."
            ) from None
        self._site.folder.write_json(UP_FILE, running, 0o600)
        return await then(running)

    async def _until_ready(self) -> Running:
        if self._sandbox is not None:
            await self._sandbox.ready()
        if self._site.open_store is not None:
            await self._site.open_store()
        regions = {}
        for region in self._regions:
            state = await region.ready()
            for notice in state["notices"]:
                self._warn(notice)
            regions[region.name] = {"url": state["url"], "processes": state["processes"]}
        return Running(
            ready=True,
            api_key=self._site.keys.api_key,
            admin_key=self._site.keys.admin_key,
            sandbox=None if self._sandbox is None else self._sandbox.spec.url,
            regions=regions,
        )

    def _signalled(self) -> None:
        self._signals += 1
        self._stop.set()
        if self._signals > 1:
            for part in (*(region.part for region in self._regions), self._sandbox):
                if part is not None:
                    part.kill()

    async def _stop_all(self) -> None:
        """The regions first, the sandbox last: calls under way may still be answered."""
        grace_s = self._site.settings.supervisor.stop_grace_ms / 1000
        if self._site.several:
            await self._stop_cores(grace_s)
            grace_s += _NODE_S
        await asyncio.gather(
            *(region.part.stop(grace_s + _BEYOND_GRACE_S) for region in self._regions)
        )
        if self._sandbox is not None:
            await self._sandbox.stop(_SANDBOX_GRACE_S)
        left = await gone(self._site.folders, _GONE_S)
        if left:
            self._log.error("processes left behind", names=left)
        (self._site.folder.path / UP_FILE).unlink(missing_ok=True)

    async def _stop_cores(self, grace_s: float) -> None:
        """Tell all regions to stop, and wait for their cores: what these finish, they write to a
        majority of the nodes, so that no region's node may end before every core has."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        for region in self._regions:
            region.part.ask_to_end()
        while loop.time() < until and self._signals < 2:
            if not any("core" in region.roles() for region in self._regions if region.part.pid):
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _part(self, spec: PartSpec, folder: DataFolder) -> Part:
        kept = self._site.settings.supervisor
        pace = Pace(kept.restart_min_ms, kept.restart_max_ms, kept.steady_ms, kept.lock_wait_ms)
        return Part(spec, folder, pace, self._log, lambda: None)


def _supervisor_part(site: Site, region: RegionSite) -> PartSpec:
    arguments = ["--data", str(region.folder.path), "--cores", str(site.cores)]
    env = {**region.env, "GOUTONG_LOG_FILE": str(region.folder.logs / f"{SUPERVISOR}.log")}
    if site.several:
        arguments += ["--inside", str(site.folder.path)]
    if site.config is not None:
        arguments += ["--config", str(site.config.absolute())]
        env["GOUTONG_CONFIG"] = str(site.config.absolute())
    return PartSpec(
        role=SUPERVISOR,
        argv=(sys.executable, "-m", "core.supervisor", *arguments),
        probe="",
        env=env,
        death_signal=signal.SIGTERM,
        restart=False,
    )
