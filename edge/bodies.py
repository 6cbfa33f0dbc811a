"""Reading request bodies within bounds: each one's length and time, and what is held altogether.

Raises ProblemError 413, 408, 415 or 503. After the first two the connection has to be closed, since
the rest of the body may still come; `must_close` says so.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from core.contract.problems import ProblemError, problem

CLOSING_CODES = frozenset({"body_too_large", "request_timeout", "overloaded"})


class Bodies:
    """All bodies that are being read or waiting for a core."""

    def __init__(self, *, bytes_max: int, held_bytes_max: int, timeout_ms: int) -> None:
        self.held_bytes = 0
        self._bytes_max = bytes_max
        self._held_bytes_max = held_bytes_max
        self._timeout_ms = timeout_ms

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count these bytes while the block runs; ProblemError 503 if there is no room."""
        if self.held_bytes + size > self._held_bytes_max:
            raise problem(
                "overloaded",
                "Too many requests are waiting. Try again.",
                headers={"Retry-After": "1"},
            )
        self.held_bytes += size
        try:
            yield
        finally:
            self.held_bytes -= size

    def expected(self, request: web.BaseRequest) -> int:
        """How many bytes may come; the limit where the caller does not say. ProblemError 413."""
        length = request.content_length
        if length is None:
            return self._bytes_max if request.body_exists else 0
        if length > self._bytes_max:
            raise self._too_large()
        return length

    async def read(self, request: web.BaseRequest) -> bytes:
        """The whole body."""
        if "Content-Encoding" in request.headers:
            raise problem("unsupported_media_type", "Send the body without Content-Encoding.")
        content = request.content
        if content.is_eof():
            # The common case: all of it came together with the head.
            body = content.read_nowait()
            if len(body) > self._bytes_max:
                raise self._too_large()
            return body
        if request.headers.get("Expect", "").lower() == "100-continue":
            assert request.transport is not None
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._read_slowly(request)

    async def _read_slowly(self, request: web.BaseRequest) -> bytes:
        parts = bytearray()
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                async for part in request.content.iter_any():
                    parts += part
                    if len(parts) > self._bytes_max:
                        raise self._too_large()
        except TimeoutError:
            detail = f"The body did not come within {self._timeout_ms} ms."
            raise problem("request_timeout", detail) from None
        except ConnectionError:
            raise problem("request_timeout", "The caller went away.") from None
        except web.RequestPayloadError as error:
            raise problem("bad_json", f"The body is broken: {error}") from None
        return bytes(parts)

    def _too_large(self) -> ProblemError:
        return problem("body_too_large", f"The body may have at most {self._bytes_max} bytes.")


def must_close(error: ProblemError) -> bool:
    """Whether the body may still be on its way after this problem."""
    return error.code in CLOSING_CODES


def check_json(request: web.BaseRequest) -> None:
    """ProblemError 415 unless the body is said to be JSON."""
    given = request.headers.get("Content-Type")
    if given == "application/json":
        return
    kind = (given or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        detail = "Send the body as JSON, with Content-Type: application/json."
        raise problem("unsupported_media_type", detail)
