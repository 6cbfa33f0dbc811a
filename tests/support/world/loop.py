"""Virtual time: a heap of events, processes that crash or freeze, coroutines without asyncio.

An event belongs to a process or to the world outside. A dead process's events are dropped, a
frozen one's wait, in their order, until it wakes. Everything random comes from one seeded
generator, so a seed names a run.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from heapq import heappop, heappush
from typing import Any

from sync.store.port import StoreError

Resume = Callable[..., None]


class CrashError(Exception):
    """The process ends here, between two commands."""


class Process:
    """What can crash and freeze."""

    def __init__(self) -> None:
        self.dead = False
        self.frozen_until = -1.0
        self.unborn: set[Coroutine[Any, Any, None]] = set()

    def died(self) -> None:
        """The process has ended; what had not begun never will."""
        self.dead = True
        for work in self.unborn:
            work.close()
        self.unborn.clear()


class Loop:
    """The clock and the events to come."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Process | None, Callable[[], None]]] = []
        self._seq = 0

    def after(self, seconds: float, do: Callable[[], None], process: Process | None = None) -> None:
        """Do something later, in the process if one is named."""
        self._seq += 1
        heappush(self._heap, (self.now + max(0.0, seconds), self._seq, process, do))

    def run_until(self, end: float) -> None:
        """Carry out all events up to `end`."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            at, seq, process, do = heappop(heap)
            self.now = max(self.now, at)
            if process is not None:
                if process.dead:
                    continue
                if process.frozen_until > self.now:
                    heappush(heap, (process.frozen_until, seq, process, do))
                    continue
            self.events += 1
            try:
                do()
            except CrashError:
                assert process is not None
                process.died()
        self.now = max(self.now, end)


class Wait:
    """Something that a coroutine waits for; `start` is handed the function that resumes it."""

    __slots__ = ("_start",)

    def __init__(self, start: Callable[[Resume], None]) -> None:
        self._start = start

    def __await__(self) -> Generator[Callable[[Resume], None], Any, Any]:
        return (yield self._start)


def drive(work: Coroutine[Any, Any, None], ended: Callable[[], None] = lambda: None) -> None:
    """Run a coroutine to its first wait; the rest follows as it is resumed."""

    def resume(value: Any = None, error: Exception | None = None) -> None:
        try:
            start = work.send(value) if error is None else work.throw(error)
        except (StopIteration, StoreError):
            ended()
            return
        start(resume)

    resume()


class Lock:
    """Held by one coroutine at a time, in the order of asking."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[Resume] = deque()

    async def __aenter__(self) -> None:
        if self._held:
            await Wait(self._waiting.append)
        self._held = True

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is GeneratorExit:
            return  # its process is dead and the garbage collector is here: nothing goes on
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._held = False
