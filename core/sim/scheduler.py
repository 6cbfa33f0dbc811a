"""Virtual time: one heap of events for a whole simulated world.

An event belongs to a process or to the world outside. A dead process's events are dropped, a
frozen one's wait, in their order, until it wakes. Nothing here is random and nothing waits for
real, so the same events in give the same events out.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.sim.process import Process


class Event:
    """Something to come; `cancel` takes it back. The interface is that of asyncio's handles."""

    __slots__ = ("_at_local_s", "_do", "process")

    def __init__(
        self, do: Callable[[], object], process: "Process | None", at_local_s: float
    ) -> None:
        self._do: Callable[[], object] | None = do
        self._at_local_s = at_local_s
        self.process = process

    def cancel(self) -> None:
        """It will not happen."""
        self._do = None

    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self._do is None

    def when(self) -> float:
        """When it is due, by the clock of its process."""
        return self._at_local_s

    def run(self) -> None:
        """It happens, unless it was taken back."""
        if self._do is not None:
            self._do()


class Scheduler:
    """The clock and the events to come. `now` is in seconds since the world began."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Event]] = []
        self._seq = 0

    def after(
        self,
        seconds: float,
        do: Callable[[], object],
        process: "Process | None" = None,
        at_local_s: float = 0.0,
    ) -> Event:
        """Do something later, in the process if one is named."""
        event = Event(do, process, at_local_s)
        self._push(self.now + max(0.0, seconds), event)
        return event

    def _push(self, at: float, event: Event) -> None:
        self._seq += 1
        heappush(self._heap, (at, self._seq, event))

    def run_until(self, end: float) -> None:
        """Carry out all events up to `end`. What the code of a process raises comes out here."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            at, seq, event = heappop(heap)
            self.now = max(self.now, at)
            process = event.process
            if process is None:
                self.events += 1
                event.run()
            elif process.frozen_until > self.now and not process.dead:
                heappush(heap, (process.frozen_until, seq, event))  # the order stays
            elif not process.dead:
                self.events += 1
                process.run(event)
        self.now = max(self.now, end)
