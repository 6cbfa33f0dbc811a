"""Virtual time: one heap of events for a whole simulated world.

An event belongs to a process or to the world outside. A dead process's events are dropped, a
frozen one's wait, in their order, until it wakes. What is to happen at once stands in a queue
beside the heap; both are worked off in the order of time, then of asking. Nothing here is random
and nothing waits for real, so the same events in give the same events out.
"""

from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import asyncio

    from core.sim.process import Process, ProcessLoop


class Event:
    """Something to come; `cancel` takes it back. The interface is that of asyncio's handles."""

    __slots__ = ("_at_local_s", "args", "context", "do", "process", "seq")

    def __init__(
        self,
        seq: int,
        do: Callable[..., object],
        args: tuple[Any, ...],
        process: "Process | None",
        context: Context | None = None,
        at_local_s: float = 0.0,
    ) -> None:
        self.seq = seq
        self.do: Callable[..., object] | None = do
        self.args = args
        self.process = process
        self.context = context
        self._at_local_s = at_local_s

    def cancel(self) -> None:
        """It will not happen."""
        self.do = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self.do is None

    def when(self) -> float:
        """When it is due, by the clock of its process."""
        return self._at_local_s


class Scheduler:
    """The clock and the events to come. `now` is in seconds since the world began."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Event]] = []
        self._soon: deque[Event] = deque()
        self._seq = 0

    def after(
        self,
        seconds: float,
        do: Callable[..., object],
        process: "Process | None" = None,
        args: tuple[Any, ...] = (),
        at_local_s: float = 0.0,
    ) -> Event:
        """Do something later, in the process if one is named."""
        self._seq = seq = self._seq + 1
        event = Event(seq, do, args, process, None, at_local_s)
        if seconds > 0.0:
            heappush(self._heap, (self.now + seconds, seq, event))
        else:
            self._soon.append(event)
        return event

    def soon(
        self,
        do: Callable[..., object],
        args: tuple[Any, ...],
        process: "Process",
        context: Context | None,
    ) -> Event:
        """Do something in the next turn of the process."""
        self._seq = seq = self._seq + 1
        event = Event(seq, do, args, process, context)
        self._soon.append(event)
        return event

    def run_until(self, end: float) -> None:
        """Carry out all events up to `end`. What the code of a process raises comes out here.

        A process's loop stays the running one until another process has its turn: setting it
        costs as much as many an event does.
        """
        running: ProcessLoop | None = None
        try:
            while (event := self._next(end)) is not None:
                process = event.process
                if process is None:
                    self.events += 1
                    if event.do is not None:
                        event.do(*event.args)
                elif process.dead:
                    continue
                elif process.frozen_until > self.now:
                    heappush(self._heap, (process.frozen_until, event.seq, event))
                else:
                    self.events += 1
                    if running is not process.loop:
                        running = process.loop
                        events._set_running_loop(cast("asyncio.AbstractEventLoop", running))
                    process.run(event)
        finally:
            events._set_running_loop(None)
        self.now = max(self.now, end)

    def _next(self, end: float) -> Event | None:
        """The first of all events that come up to `end`; the clock is set to its time."""
        heap, soon = self._heap, self._soon
        if soon and (not heap or heap[0][0] > self.now or heap[0][1] > soon[0].seq):
            return soon.popleft()
        if not heap or heap[0][0] > end:
            return None
        at, _, event = heappop(heap)
        self.now = max(self.now, at)
        return event
