"""Reading one answer after another from a connection, within bounds.

Interim answers (1xx) are skipped. What comes after the end of an answer makes the connection unfit
for another call, and changes nothing about the answer.
"""

import re

import httptools

from core.providers.http.message import Answered

_KEEP_ALIVE_TIMEOUT = re.compile(r"\btimeout=(\d{1,6})")


class AnswerError(Exception):
    """What came is no HTTP answer, or its head is longer than allowed."""


class AnswerReader:
    """See the module. `clear` before each request."""

    __slots__ = (
        *("_body", "_body_bytes", "_body_max", "_fields_bytes", "_head_bytes", "_head_max"),
        *("_parser", "_sized", "done", "head_done", "headers", "keep_alive", "status", "too_long"),
    )

    def __init__(self, head_bytes_max: int, body_bytes_max: int) -> None:
        self._head_max = head_bytes_max
        self._body_max = body_bytes_max
        self._parser = httptools.HttpResponseParser(self)
        self.clear()

    def clear(self) -> None:
        """Ready for the next answer."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head_done = False
        self.done = False
        self.keep_alive = True
        self.too_long = False
        self._sized = False
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0  # that came before the head was whole
        self._fields_bytes = 0

    def feed(self, data: bytes) -> None:
        """Read on. `done` says whether the answer is whole. Raises AnswerError."""
        if not self.head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise AnswerError("it switched to another protocol") from None
        except httptools.HttpParserError as error:
            if not self.done:
                raise AnswerError(f"no HTTP: {error}") from None
            self.keep_alive = False
        came = self._fields_bytes if self.head_done else self._head_bytes
        if came > self._head_max:
            self.head_done = False  # nothing of it is told
            raise AnswerError(f"its head is longer than {self._head_max} bytes")

    def end(self) -> None:
        """The server closed; a body without a length ends with that."""
        self.keep_alive = False
        if self.head_done and not self._sized:
            self.done = True

    def answered(self, complete: bool) -> Answered:
        """What was read; at least its head must be whole."""
        body = self._body
        whole = body[0] if len(body) == 1 else b"".join(body)
        return Answered(self.status, self.headers, whole, complete and not self.too_long)

    def idle_s(self, wanted_s: float) -> float:
        """How long the connection may rest: less than what the server says, if it does."""
        said = self.headers.get("keep-alive")
        found = _KEEP_ALIVE_TIMEOUT.search(said) if said else None
        return wanted_s if found is None else min(wanted_s, int(found.group(1)) * 0.8)

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        if self.done:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            return
        self._fields_bytes += len(name) + len(value) + 4
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        if self.done:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = {}
            return
        self.status = status
        self.head_done = True
        headers = self.headers
        coding = headers.get("transfer-encoding", "")
        self._sized = "content-length" in headers or coding.lower().endswith("chunked")

    def on_body(self, body: bytes) -> None:
        if self.done or self.too_long:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._body_max:
            self.too_long = True
            body = body[: self._body_max - self._body_bytes] if self._body_max else b""
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self.done or not self.head_done:
            return
        self.done = True
        self.keep_alive = self._parser.should_keep_alive() and not self.too_long
