"""A transport that only remembers, and a clock that a test turns."""

import asyncio
from typing import Any


class FakeTransport(asyncio.Transport):
    """Keeps what was written; `take` hands it over once."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        out = b"".join(self.written)
        self.written.clear()
        return out


class FakeClock:
    """Seconds and timers, moved by `go`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[tuple[float, Any]] = []

    def now(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, call: Any) -> None:
        self.timers.append((self.now_s + delay_s, call))

    def go(self, seconds: float) -> None:
        end = self.now_s + seconds
        while due := sorted((t for t in self.timers if t[0] <= end), key=lambda t: t[0]):
            self.timers.remove(due[0])
            self.now_s = max(self.now_s, due[0][0])
            due[0][1]()
        self.now_s = end
