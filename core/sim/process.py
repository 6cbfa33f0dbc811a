"""A simulated process: its event loop, its clocks, and its end.

`ProcessLoop` is as much of an asyncio event loop as code needs that neither opens sockets nor
starts threads, so production code runs on it as it is. A process that crashed does nothing any
more: what it still says to its loop is dropped. An exception that nobody handled is kept in
`failures`: in production it would have ended the process.
"""

import asyncio
import contextvars
import warnings
from collections.abc import Callable, Coroutine
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, cast

from core.sim.scheduler import Event, Scheduler


class CrashError(BaseException):
    """The process ends here, in the middle of what it was doing."""


class Process:
    """What crashes, freezes, and has clocks of its own.

    `rate` is how fast its CLOCK_BOOTTIME runs; `wall_ahead_ms` how far its wall clock is off.
    """

    def __init__(
        self,
        name: str,
        region: str,
        scheduler: Scheduler,
        rate: float = 1.0,
        wall_ahead_ms: int = 0,
        epoch_ms: int = 0,
    ) -> None:
        self.name = name
        self.region = region
        self.scheduler = scheduler
        self.rate = rate
        self.wall_ahead_ms = wall_ahead_ms
        self.dead = False
        self.frozen_until = -1.0
        self.failures: list[str] = []
        self.on_died: Callable[[str], None] = lambda _: None
        self._epoch_ms = epoch_ms
        self.loop = ProcessLoop(self)

    # Its clocks (core.clock.Clock)

    def boot(self) -> float:
        """CLOCK_BOOTTIME in seconds."""
        return self.scheduler.now * self.rate

    def wall_ms(self) -> int:
        """The wall clock, as far off as it is."""
        return self._epoch_ms + int(self.scheduler.now * 1000) + self.wall_ahead_ms

    def wall_us(self) -> int:
        """The wall clock in microseconds."""
        return self.wall_ms() * 1000

    # Running

    def later(self, seconds: float, do: Callable[[], object]) -> Event:
        """An event of this process, `seconds` of the world from now."""
        return self.scheduler.after(seconds, do, self)

    def run(self, event: Event) -> None:
        """Carry an event out as this process, whose loop is the running one."""
        do, context = event.do, event.context
        if do is None:
            return
        try:
            if context is None:
                do(*event.args)
            else:
                context.run(do, *event.args)
        except CrashError:
            self.die("crashed")
        except Exception as error:
            self.loop.call_exception_handler({"message": "a callback failed", "exception": error})

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin a coroutine in the next turn."""
        self.later(0.0, lambda: self.loop.create_task(work()))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside; its failure is the process's."""
        self.loop.create_task(work).add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.loop.call_exception_handler({"message": "a task failed", "exception": error})

    def lost(self, why: str) -> None:
        """The right to work is gone: the process ends itself."""
        self.crash(why)

    def crash(self, why: str = "crashed") -> None:
        """End now, from within its own code."""
        self.die(why)
        raise CrashError

    def die(self, why: str) -> None:
        """It has ended: nothing of it happens any more."""
        if not self.dead:
            self.dead = True
            self.on_died(why)
            self.loop.forget()


class ProcessLoop:
    """See the module's docstring. Named as in `asyncio.AbstractEventLoop`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._scheduler = process.scheduler
        self._tasks: set[asyncio.Task[Any]] = set()

    def time(self) -> float:
        """Seconds on the process's CLOCK_BOOTTIME."""
        return self._process.boot()

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Event:
        return self._scheduler.soon(callback, args, self._process, context)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, **_: Any
    ) -> Event:
        """After so many seconds by the process's clock."""
        process = self._process
        at_local_s = process.boot() + delay
        return self._scheduler.after(delay / process.rate, callback, process, args, at_local_s)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, **_: Any) -> Event:
        """At that time of the process's clock."""
        return self.call_later(when - self.time(), callback, *args)

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def create_task(self, coro: Any, **_: Any) -> "asyncio.Task[Any]":
        """Run a coroutine; its first step is a turn of its own."""
        if self._process.dead:
            _close(coro)
            coro = _nothing()
        task = asyncio.Task(coro, loop=cast(asyncio.AbstractEventLoop, self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self) -> None:
        """The process is dead: what had not begun never will."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            coro: Any = task.get_coro()
            if getcoroutinestate(coro) == CORO_CREATED:
                _close(coro)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what failed, while the process lives."""
        error = context.get("exception")
        if not self._process.dead and isinstance(error, Exception):
            self._process.failures.append(f"{context.get('message')}: {where(error)}")

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False


def _close(coro: Any) -> None:
    """End what had not begun; nor will what was handed to it, about which nobody is warned."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        coro.close()


async def _nothing() -> None:
    """What a dead process does."""


def where(error: BaseException) -> str:
    """The error, and the innermost place that it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return repr(error)
    code = trace.tb_frame.f_code
    return f"{error!r} in {code.co_name}, line {trace.tb_lineno} of {code.co_filename}"
