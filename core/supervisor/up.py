"""The launcher behind `goutong up`: the sandbox, one supervisor for each region, and their end.

It promises: when `then` is called, everything answers. Whatever ends the launcher ends everything
else: told to stop (SIGINT, SIGTERM), it ends the region, then the sandbox, and leaves no process;
if it is killed, the kernel tells its children, which end by themselves. When the only region's
supervisor dies, the launcher ends the sandbox and fails. The sandbox is started again when it dies.
A second signal kills at once what has not ended yet.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from msgspec import Struct

from core.contract.log import Log
from core.supervisor.part import Pace, Part, PartSpec
from core.supervisor.parts import PROCESSES, sandbox_part
from core.supervisor.site import Site, gone

UP_FILE = "up.json"
SUPERVISOR = "supervisor"
_LOOK_EVERY_S = 0.05
_BEYOND_GRACE_S = 3.0
_SANDBOX_GRACE_S = 3.0
_GONE_S = 5.0


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
    """The region did not come up, or did not stay up; the text says why."""


class Launcher:
    """One `goutong up` from start to end."""

    def __init__(self, site: Site, log: Log, warn: Callable[[str], None]) -> None:
        self._site = site
        self._log = log
        self._warn = warn
        self._signals = 0
        self._stop = asyncio.Event()
        self._region = self._part(_supervisor_part(site))
        self._sandbox: Part | None = None
        if site.sandbox_ports:
            spec = sandbox_part(site.settings, site.folder, site.sandbox_ports, signal.SIGTERM)
            self._sandbox = self._part(spec)

    async def run(self, then: Callable[[Running], Awaitable[int | None]]) -> int:
        """Bring everything up and do `then`; stay up unless that answers an exit code.

        Raises UpError when the region does not come up or does not stay up; everything is ended
        by then.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
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
        # What an earlier start said there must not be taken for this one's word.
        (self._site.folder.path / PROCESSES).unlink(missing_ok=True)
        if self._sandbox is not None:
            self._sandbox.start()
        self._region.start()
        region_died = asyncio.create_task(self._region.ended())
        rest = asyncio.create_task(self._ready_then(then))
        try:
            await asyncio.wait([region_died, rest], return_when=asyncio.FIRST_COMPLETED)
            if rest.done() and (code := rest.result()) is not None:
                return code
            self._region_is_gone(await region_died)
        finally:
            for task in (region_died, rest):
                task.cancel()

    async def _ready_then(self, then: Callable[[Running], Awaitable[int | None]]) -> int | None:
        limit_s = self._site.settings.supervisor.ready_timeout_ms / 1000
        try:
            async with asyncio.timeout(limit_s):
                running = await self._until_ready()
        except TimeoutError:
            state = self._site.folder.read_json(PROCESSES) or {}
            seen = [each["role"] for each in state.get("processes", [])] or ["nothing"]
            raise UpError(
                f"not ready within {limit_s:.0f} s; running: {', '.join(seen)}. "
                f"Look into {self._site.folder.logs}, or raise [supervisor] ready_timeout_ms."
            ) from None
        self._site.folder.write_json(UP_FILE, running, 0o600)
        return await then(running)

    async def _until_ready(self) -> Running:
        if self._sandbox is not None:
            await self._sandbox.ready()
        while not (state := self._site.folder.read_json(PROCESSES) or {}).get("ready"):
            await asyncio.sleep(_LOOK_EVERY_S)
        for notice in state["notices"]:
            self._warn(notice)
        shown = {"url": state["url"], "processes": state["processes"]}
        return Running(
            ready=True,
            api_key=self._site.keys.api_key,
            admin_key=self._site.keys.admin_key,
            sandbox=None if self._sandbox is None else self._sandbox.spec.url,
            regions={state["region"]: shown},
        )

    def _region_is_gone(self, code: int) -> NoReturn:
        name = self._site.settings.region.name
        state = self._site.folder.read_json(PROCESSES) or {}
        why = state.get("failed") or self._region.last_words().strip()
        raise UpError(
            f"the supervisor of region {name} ended with code {code}. {why}\n"
            f"Its logs are in {self._site.folder.logs}. A start with the same --data goes on "
            "where this one stopped."
        )

    def _signalled(self) -> None:
        self._signals += 1
        self._stop.set()
        if self._signals > 1:
            for part in (self._region, self._sandbox):
                if part is not None:
                    part.kill()

    async def _stop_all(self) -> None:
        """The region first, the sandbox last: calls under way may still be answered."""
        grace_s = self._site.settings.supervisor.stop_grace_ms / 1000
        await self._region.stop(grace_s + _BEYOND_GRACE_S)
        if self._sandbox is not None:
            await self._sandbox.stop(_SANDBOX_GRACE_S)
        left = await gone(self._site.folder, _GONE_S)
        if left:
            self._log.error("processes left behind", names=left)
        (self._site.folder.path / UP_FILE).unlink(missing_ok=True)

    def _part(self, spec: PartSpec) -> Part:
        kept = self._site.settings.supervisor
        pace = Pace(kept.restart_min_ms, kept.restart_max_ms, kept.steady_ms, kept.lock_wait_ms)
        return Part(spec, self._site.folder, pace, self._log, lambda: None)


def _supervisor_part(site: Site) -> PartSpec:
    arguments = ["--data", str(site.folder.path), "--cores", str(site.cores)]
    env = {"GOUTONG_LOG_FILE": str(site.folder.logs / f"{SUPERVISOR}.log")}
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
