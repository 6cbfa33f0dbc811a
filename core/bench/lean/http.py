"""The lean HTTP side: a caller that sends prebuilt requests, and a sink that answers callbacks.

Requests are whole byte strings in which only a number of fixed width differs, so that the length
never changes. Answers are measured by looking for `Content-Length`; anything else (chunks, no
length) is an error that ends the run, because a server that answers so is not one we compare.
"""

import asyncio
from array import array
from collections.abc import Callable
from typing import cast

from core.bench.lean.awaited import Awaited
from core.bench.lean.goal import Goal

DIGITS = 8  # the width of the number that is patched into each request
_LENGTH = b"Content-Length: "
_CALLBACK_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"


class BadAnswerError(Exception):
    """The server sent what this caller cannot measure, or closed in the middle."""


def answer_length(data: bytes) -> int:
    """The length of the first whole answer in `data`, 0 while it is not whole.

    Raises BadAnswerError for an answer without a length.
    """
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0
    at = data.find(_LENGTH, 0, head)
    if at < 0:
        at = data[:head].lower().find(b"content-length: ")
        if at < 0:
            raise BadAnswerError(f"an answer without Content-Length: {data[:120]!r}")
    total = head + 4 + int(data[at + 16 : data.index(b"\r", at)])
    return total if len(data) >= total else 0


class Load:
    """What all connections of one run share: the requests left and what was answered."""

    __slots__ = (
        "accepted",
        "awaited",
        "closed",
        "end",
        "first_at",
        "first_refusal",
        "good",
        "head",
        "last_at",
        "latencies_s",
        "next",
        "now",
        "pause",
        "refused",
        "tail",
    )

    def __init__(
        self,
        head: bytes,
        tail: bytes,
        numbers: range,
        *,
        accepted: Goal,
        now: Callable[[], float],
        good: bytes = b"202",
        awaited: Awaited | None = None,
        pause: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.good = good
        self.awaited = awaited
        self.pause = pause
        self.head = head
        self.tail = tail
        self.next = numbers.start
        self.end = numbers.stop
        self.accepted = accepted
        self.now = now
        self.first_at = 0.0
        self.last_at = 0.0
        self.latencies_s = array("d")
        self.refused: dict[str, int] = {}
        self.first_refusal = ""
        self.closed = 0

    def refuse(self, answer: bytes) -> None:
        """Count an answer that is not the good one and keep the first one for the report."""
        status = answer[9:12].decode("latin-1")
        self.refused[status] = self.refused.get(status, 0) + 1
        if not self.first_refusal:
            self.first_refusal = answer[:600].decode("utf-8", "replace")


class Caller(asyncio.Protocol):
    """One kept connection with one request under way."""

    __slots__ = ("_closed", "_load", "_rest", "_sent_at", "_transport", "failed")

    def __init__(self, load: Load, failed: Callable[[Exception], None]) -> None:
        self._load = load
        self._rest = b""
        self._sent_at = 0.0
        self._closed = False
        self._transport: asyncio.Transport | None = None
        self.failed = failed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def go(self) -> None:
        """Send the next request, if one is left."""
        load = self._load
        number = load.next
        if number >= load.end or self._closed:
            self._sent_at = 0.0
            return
        load.next = number + 1
        self._sent_at = sent_at = load.now()
        if not load.first_at:
            load.first_at = sent_at
        if load.awaited is not None:
            load.awaited.sent(number, sent_at)
        assert self._transport is not None
        self._transport.write(b"%b%08d%b" % (load.head, number, load.tail))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        try:
            length = answer_length(data)
        except BadAnswerError as error:
            self.failed(error)
            return
        if not length:
            self._rest = data
            return
        self._rest = data[length:] if length < len(data) else b""
        load = self._load
        load.last_at = load.now()
        if data[9:12] == load.good:
            load.latencies_s.append(load.last_at - self._sent_at)
            load.accepted.hit()
        else:
            load.refuse(data)
        if load.pause is None:
            self.go()
        else:
            self._sent_at = 0.0
            load.pause(self.go)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed += 1
        if self._sent_at:
            self.failed(
                exc or BadAnswerError("the server closed a connection with a request under way")
            )

    def close(self) -> None:
        """End the connection; the run is over."""
        self._closed = True
        self._sent_at = 0.0
        if self._transport is not None:
            self._transport.close()


class CallbackSink(asyncio.Protocol):
    """Answers each GET with an empty 200; the number of requests is the number of receipts.

    `calls` is told how many came; bodies are not expected (Kannel calls back by GET).
    """

    __slots__ = ("_calls", "_rest", "_transport")

    def __init__(self, calls: Goal) -> None:
        self._calls = calls
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        number = data.count(b"\r\n\r\n")
        if data.endswith(b"\r\n\r\n"):
            self._rest = b""
        else:
            self._rest = data[data.rfind(b"\r\n\r\n") + 4 :] if number else data
        if number:
            assert self._transport is not None
            self._transport.write(_CALLBACK_ANSWER * number)
            self._calls.hit(number)
