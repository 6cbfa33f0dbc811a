"""One process that is kept running: started, watched, started again when it dies, ended when asked.

A part dies with the process that keeps it (see `tether`). Between two starts there is a pause that
doubles from `first_ms` to `longest_ms`, and is short again once the part lived for `steady_ms`.
What a part writes to its standard output and error goes to `logs/NAME.err`, which is looked at each
minute and emptied when it has grown over 1 MiB.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from core.contract.log import Log
from core.supervisor import tether
from core.supervisor.folder import DataFolder
from core.supervisor.probe import answers

_ERR_BYTES_MAX = 1 << 20
_LAST_WORDS_BYTES = 2000
_PROBE_EVERY_S = 0.05


class PartSpec(Struct, frozen=True):
    """What to start, where it answers, and how it is to die with its keeper."""

    role: str
    argv: tuple[str, ...]
    probe: str
    index: int | None = None
    url: str = ""
    env: Mapping[str, str] = {}
    death_signal: int = signal.SIGKILL
    restart: bool = True

    @property
    def name(self) -> str:
        return self.role if self.index is None else f"{self.role}-{self.index}"


class Pace(Struct, frozen=True):
    """Pauses between starts, and how long a part waits for its predecessor to be gone."""

    first_ms: int
    longest_ms: int
    steady_ms: int
    lock_wait_ms: int
    trim_every_ms: int = 60_000

    def pause_ms(self, deaths_in_a_row: int) -> int:
        """How long to wait after this many deaths without a steady life between."""
        return min(self.longest_ms, self.first_ms << min(max(deaths_in_a_row - 1, 0), 20))


class Part:
    """The keeper of one part. `changed` is called whenever its process is another one."""

    def __init__(
        self, spec: PartSpec, folder: DataFolder, pace: Pace, log: Log, changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.pid: int | None = None
        self.started_at = ""
        self.restarts = 0
        self.deaths_in_a_row = 0
        self._folder = folder
        self._pace = pace
        self._log = log.bind(part=spec.name)
        self._changed = changed
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[int] | None = None

    def start(self) -> None:
        """Begin to keep the part running."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def ended(self) -> int:
        """Wait until it is kept no longer; the exit code of its last process."""
        assert self._keeper is not None, "start() comes first"
        return await asyncio.shield(self._keeper)

    async def ready(self) -> None:
        """Wait until it answers its probe."""
        while not await answers(self.spec.probe):
            await asyncio.sleep(_PROBE_EVERY_S)

    async def stop(self, grace_s: float) -> None:
        """Ask it to end; kill it when it has not within the grace."""
        self._stopping.set()
        if self._keeper is None:
            return
        self._send(signal.SIGTERM)
        done, _ = await asyncio.wait([self._keeper], timeout=grace_s)
        if not done:
            self._log.warning("part did not end in time, killed", grace_s=round(grace_s, 3))
            self._send(signal.SIGKILL)
        await asyncio.wait([self._keeper])

    def ask_to_end(self) -> None:
        """Ask its process to end. Unless it is being stopped, it is started again as if it died."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it now; it is not started again."""
        self._stopping.set()
        self._send(signal.SIGKILL)

    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        try:
            return self._err_path().read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace")
        except OSError:
            return ""

    async def _keep(self) -> int:
        loop = asyncio.get_running_loop()
        while True:
            born = loop.time()
            code = await self._live()
            if self._stopping.is_set() or not self.spec.restart:
                self._log.info("part ended", code=code)
                self._changed()
                return code
            steady = loop.time() - born >= self._pace.steady_ms / 1000
            self.deaths_in_a_row = 1 if steady else self.deaths_in_a_row + 1
            pause_ms = self._pace.pause_ms(self.deaths_in_a_row)
            self._log.warning("part died, starting it again", code=code, pause_ms=pause_ms)
            self._changed()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_ms / 1000)
            if self._stopping.is_set():
                return code
            self.restarts += 1

    async def _live(self) -> int:
        """One process from start to end; its exit code. One that cannot start is a death too."""
        try:
            process = self._process = await self._spawn()
        except OSError as error:
            self._log.error("part not started", detail=str(error))
            return tether.NOT_STARTED
        if self._stopping.is_set():
            self._send(signal.SIGTERM)
        self.pid = process.pid
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._log.info("part started", pid=process.pid, restarts=self.restarts)
        self._changed()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(process.wait(), self._pace.trim_every_ms / 1000)
                self._trim()
        finally:
            self.pid = self._process = None

    async def _spawn(self) -> asyncio.subprocess.Process:
        tie = (os.getpid(), int(self.spec.death_signal))
        hold = (self._folder.lock_of(self.spec.name), self._pace.lock_wait_ms)
        with self._err_path().open("ab") as sink:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", tether.__file__, *map(str, (*tie, *hold))),
                *self.spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **self.spec.env},
                start_new_session=True,  # Ctrl-C is for the launcher; it ends the parts in order
            )

    def _send(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _trim(self) -> None:
        """Empty what the part wrote when it is too long; it goes on writing at the beginning."""
        path = self._err_path()
        with contextlib.suppress(OSError):
            if path.stat().st_size > _ERR_BYTES_MAX:
                os.truncate(path, 0)

    def _err_path(self) -> Path:
        return self._folder.logs / f"{self.spec.name}.err"
