"""The lean webhook sink: answers every POST with an empty 200.

Each body names its message by a mark and eight digits. A call counts once for each message, so
that a repetition, or several calls for one message, are no progress; all calls are counted beside.
Bodies have a Content-Length, as both sides that are compared send it.
"""

import asyncio
from typing import cast

from core.bench.lean.goal import Goal

MARK = b"bench-"
_DIGITS = 8
_LENGTH = b"content-length: "
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class HookTally:
    """What all connections of the sink share."""

    __slots__ = ("calls", "hooks", "seen")

    def __init__(self, hooks: Goal) -> None:
        self.hooks = hooks
        self.calls = 0
        self.seen: set[bytes] = set()

    def begin(self) -> None:
        """Forget the messages of the last run."""
        self.calls = 0
        self.seen = set()

    def take(self, body: bytes) -> None:
        """Count one call."""
        self.calls += 1
        at = body.find(MARK)
        number = body[at + len(MARK) : at + len(MARK) + _DIGITS] if at >= 0 else b""
        if number not in self.seen:
            self.seen.add(number)
            self.hooks.hit()


class HookSink(asyncio.Protocol):
    """One client's connection."""

    __slots__ = ("_rest", "_tally", "_transport")

    def __init__(self, tally: HookTally) -> None:
        self._tally = tally
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        assert self._transport is not None
        while (head := data.find(b"\r\n\r\n")) >= 0:
            lines = data[:head].lower()
            at = lines.find(_LENGTH)
            if at < 0:
                self._transport.close()  # not one we compare
                return
            stop = lines.find(b"\r", at)
            length = int(lines[at + len(_LENGTH) : stop if stop >= 0 else head])
            end = head + 4 + length
            if len(data) < end:
                break
            self._transport.write(_ANSWER)
            self._tally.take(data[head + 4 : end])
            data = data[end:]
        self._rest = data
