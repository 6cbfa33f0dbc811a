"""Answers written in one piece.

`Answer` is an aiohttp response whose head is put together as bytes: no header dictionary is built
and the body is relayed as it came. Every answer names its trace. When the caller does not read,
`write_eof` waits until the socket has drained, so answers never pile up.
"""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

from core.contract.problems import CONTENT_TYPE as PROBLEM_TYPE
from core.contract.problems import ProblemError

JSON_TYPE = "application/json"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_NOT_OURS = frozenset({"content-length", "connection", "transfer-encoding", "date", "x-trace-id"})


class Answer(web.StreamResponse):
    """A whole answer: status, type, body. `close` ends the connection after it."""

    def __init__(
        self,
        status: int,
        body: bytes,
        trace_id: str,
        *,
        content_type: str = JSON_TYPE,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        # The base class's fields are not made: nothing of it but these two is used for an answer
        # that is written whole, and making them costs more than the answer.
        self._keep_alive = False if close else None
        self._answer_status = status
        self._answer_body = body
        head = (
            f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nX-Trace-Id: {trace_id}\r\n"
        )
        if headers:
            head += "".join(
                f"{name}: {value}\r\n"
                for name, value in headers.items()
                if name.lower() not in _NOT_OURS
            )
        self._answer_head = head

    @property
    def status(self) -> int:
        return self._answer_status

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        keep = request.keep_alive if self._keep_alive is None else self._keep_alive
        self._keep_alive = keep
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the caller is gone")
        connection = "" if keep else "Connection: close\r\n"
        if keep and request.version.minor == 0:
            connection = "Connection: keep-alive\r\n"
        head = f"{self._answer_head}{connection}Date: {rfc822_formatted_time()}\r\n\r\n"
        body = b"" if request.method == "HEAD" else self._answer_body
        # Whatever the caller sends is in Latin-1 at most, as header values are.
        transport.write(head.encode("latin-1", "replace") + body)
        if transport.get_write_buffer_size():
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything was written by `prepare`."""


def problem_answer(error: ProblemError, trace_id: str, *, close: bool = False) -> Answer:
    """The problem as application/problem+json."""
    return Answer(
        error.status,
        error.body(trace_id),
        trace_id,
        content_type=PROBLEM_TYPE,
        headers=error.headers,
        close=close,
    )
