"""The two directions of a batch: the request is read and outcomes are written at the same time.

Nothing is held without bound. A fixed number of items is under way, the request is not read while
there is no room for more, and outcomes that nobody reads stop everything once they fill a buffer of
fixed size. What ends the batch before its end is told by a last outcome: bytes beyond the limit,
a broken array, silence. If nothing had been taken until then, it is raised as ProblemError. Nobody
holds a batch for longer than `timeout_ms`; who does not read by then is cut off.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from msgspec import Struct

from core.contract.pointers import FieldProblem
from core.contract.problems import ProblemError, problem
from edge.answers import JSON_TYPE
from edge.items import Cutter, Elements, Lines
from edge.window import Item, Window

NDJSON_TYPE = "application/x-ndjson"
_BUFFER_BYTES = 65_536
_FORM_HINT = "Send one JSON array, whole, or lines as application/x-ndjson."


class BatchLimits(Struct, frozen=True):
    """What a batch may be, and how much of it is under way or held."""

    item_bytes_max: int
    bytes_max: int
    items_max: int
    in_flight_max: int
    batches_max: int
    answer_bytes_held_max: int
    idle_timeout_ms: int
    timeout_ms: int


Take = Callable[[int, bytes | None], Awaitable[Item]]


class Exchange:
    """One batch. `take` makes an item of its index and bytes; ProblemError ends the batch there."""

    def __init__(
        self, request: web.BaseRequest, limits: BatchLimits, trace: str, as_lines: bool, take: Take
    ) -> None:
        self.items = 0
        self.refused = 0
        self.failure = ""
        self._request = request
        self._limits = limits
        self._trace = trace
        self._as_lines = as_lines
        self._take = take
        cutter = Lines if as_lines else Elements
        self._cutter: Cutter = cutter(limits.item_bytes_max)
        self._window = Window(limits.in_flight_max, limits.item_bytes_max)
        self._deadline = asyncio.get_running_loop().time() + limits.timeout_ms / 1000
        self._ended_by: ProblemError | None = None
        self._response: web.StreamResponse | None = None

    async def run(self) -> web.StreamResponse:
        """Read and write until one side ends; the answer, which was written."""
        reading = asyncio.create_task(self._read())
        patience_s = (self._limits.timeout_ms + self._limits.idle_timeout_ms) / 1000
        try:
            async with asyncio.timeout(patience_s):
                await self._write()
            await reading
        except (TimeoutError, ConnectionError):
            # Nobody reads what is written; there is nobody to be told.
            if self._request.transport is not None:
                self._request.transport.abort()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self._window.abandon()
            self._hold(_BUFFER_BYTES)
        response = self._response or self._start()
        if self._ended_by is not None:
            response.force_close()
        return response

    # Reading

    async def _read(self) -> None:
        try:
            async for data in self._pieces():
                await self._take_all(self._cutter.feed(data))
                if self._cutter.fault:
                    break
            else:
                await self._take_all(self._cutter.end())
            if self._cutter.fault:
                error = FieldProblem("", self._cutter.fault, _FORM_HINT)
                raise problem("bad_json", error.detail, errors=[error])
        except ProblemError as error:
            self._ended_by = error
        except Exception as error:
            self.failure = type(error).__name__
            self._ended_by = problem("internal", "Something went wrong; the trace id names it.")
        finally:
            self._window.end()

    async def _take_all(self, bodies: list[bytes | None]) -> None:
        for body in bodies:
            await self._window.room(len(body or b""))
            self._window.put(await self._take(self.items, body))
            self.items += 1

    async def _pieces(self) -> AsyncIterator[bytes]:
        request, limits = self._request, self._limits
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        loop = asyncio.get_running_loop()
        read_bytes = 0
        while True:
            idle_until = loop.time() + limits.idle_timeout_ms / 1000
            try:
                async with asyncio.timeout_at(min(idle_until, self._deadline)):
                    data = await request.content.readany()
            except TimeoutError:
                raise problem("request_timeout", "The rest did not come in time.") from None
            except ConnectionError:
                raise problem("request_timeout", "The caller went away.") from None
            except web.RequestPayloadError as error:
                raise problem("bad_json", f"The body is broken: {error}") from None
            if not data:
                return
            read_bytes += len(data)
            if read_bytes > limits.bytes_max:
                yield data[: limits.bytes_max - read_bytes]
                detail = f"A batch may have at most {limits.bytes_max} bytes."
                raise problem("body_too_large", detail)
            yield data

    # Writing

    async def _write(self) -> None:
        while (item := await self._window.oldest()) is not None:
            outcomes = [await self._outcome(item)]
            self._window.drop_oldest()
            while (known := self._window.oldest_known()) is not None:
                outcomes.append(await self._outcome(known))
                self._window.drop_oldest()
            await self._send(outcomes)
        error = self._ended_by
        if error is not None:
            if self._response is None:
                raise error
            await self._send([self._line(self.items, error.status, error.body(self._trace))])
        if self._response is None:
            self._response = self._start()
            await self._response.prepare(self._request)
            if not self._as_lines:
                await self._response.write(b"[")
        if not self._as_lines:
            await self._response.write(b"\n]\n")

    async def _outcome(self, item: Item) -> bytes:
        if isinstance(item.answer, tuple):
            return self._line(item.index, *item.answer)
        try:
            reply = await item.answer
        except ProblemError as error:
            return self._line(item.index, error.status, error.body(self._trace))
        return self._line(item.index, reply.status, reply.body)

    def _line(self, index: int, status: int, body: bytes) -> bytes:
        self.refused += status >= 400
        return b'{"index":%d,"status":%d,"body":%b}' % (index, status, body)

    async def _send(self, outcomes: list[bytes]) -> None:
        response = self._response
        between = b"\n" if self._as_lines else b",\n"
        text = between.join(outcomes)
        if response is None:
            response = self._response = self._start()
            self._hold(self._limits.answer_bytes_held_max)
            await response.prepare(self._request)
            text = text if self._as_lines else b"[\n" + text
        elif not self._as_lines:
            text = between + text
        await response.write(text + b"\n" if self._as_lines else text)

    def _start(self) -> web.StreamResponse:
        kind = NDJSON_TYPE if self._as_lines else JSON_TYPE
        headers = {"Content-Type": kind, "X-Trace-Id": self._trace, "Server": "GouTong"}
        return web.StreamResponse(headers=headers)

    def _hold(self, bytes_max: int) -> None:
        """How much is written ahead of a caller that does not read."""
        transport = self._request.transport
        if transport is not None and not transport.is_closing():
            transport.set_write_buffer_limits(high=bytes_max)
