"""One kept connection to a core: batches out, replies in.

Calls that are sent in one turn of the event loop, and those that come while the socket has not
drained, leave in one frame. A link connects by itself, again and again, and says to its owner when
it is up and when it is lost, together with the calls that had left without an answer and those that
never left. It keeps no call for longer than the connection lives: what to do with them is the
owner's business (`edge.dispatch`).
"""

import asyncio
import random
import socket
from collections.abc import Sequence
from typing import Protocol, cast

from msgspec import Struct

from core.contract.frames import (
    AcceptBatch,
    AcceptCall,
    AcceptReplies,
    AcceptReply,
    FrameError,
    FrameReader,
    Hello,
    HelloOk,
    Leaving,
    MapServes,
    encode_frame,
)
from core.contract.log import Log

_RECONNECT_MIN_MS = 20


class LinkLimits(Struct, frozen=True):
    """How a link connects and what it carries at once."""

    connect_timeout_ms: int
    reconnect_max_ms: int
    frame_bytes_max: int
    batch_bytes_max: int


class LinkOwner(Protocol):
    """Who is told what happens on a link, from the event loop's thread."""

    def link_up(self, link: "Link", hello: HelloOk) -> bool:
        """The core answered. False: it is not the core that we want; the link closes again."""

    def map_serves(self, link: "Link", told: MapServes) -> None:
        """The core accepts by another version of the placement map from now on."""

    def link_lost(self, link: "Link", sent: list[AcceptCall], unsent: list[AcceptCall]) -> None: ...

    def replied(self, link: "Link", replies: Sequence[AcceptReply]) -> None: ...


class Link(asyncio.Protocol):
    """A connection to one core, of another `region` where that is named; `usable` while calls may
    be given to it."""

    def __init__(
        self,
        address: tuple[str, int],
        hello: Hello,
        limits: LinkLimits,
        owner: LinkOwner,
        log: Log,
        region: str = "",
    ) -> None:
        self.region = region
        self.name = f"{address[0]}:{address[1]}"
        self.address = address
        self.in_flight: dict[int, AcceptCall] = {}
        self.up = False
        self.leaving = False
        self.batches_sent = 0
        self._hello = hello
        self._limits = limits
        self._owner = owner
        self._log = log.bind(core=self.name)
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(limits.frame_bytes_max)
        self._waiting: dict[int, AcceptCall] = {}
        self._flush_planned = False
        self._paused = False
        self._closed: asyncio.Future[None] | None = None
        self._answered: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        return self.up and not self.leaving

    def send(self, call: AcceptCall) -> None:
        """Pass the call on with this turn's batch. The link must be up."""
        self._waiting[call.seq] = call
        if not self._flush_planned and not self._paused:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def forget(self, seq: int) -> None:
        """Nobody waits for this call here any more. Has it not left yet, it stays here."""
        self._waiting.pop(seq, None)
        self.in_flight.pop(seq, None)

    def _flush(self) -> None:
        self._flush_planned = False
        transport = self._transport
        while self._waiting and not self._paused and transport is not None and self.up:
            batch: list[AcceptCall] = []
            size = 0
            for call in self._waiting.values():
                batch.append(call)
                size += len(call.body)
                if size >= self._limits.batch_bytes_max:
                    break
            if len(batch) == len(self._waiting):
                self._waiting.clear()
            else:
                for call in batch:
                    del self._waiting[call.seq]
            self.in_flight.update((call.seq, call) for call in batch)
            self.batches_sent += 1
            transport.write(encode_frame(AcceptBatch(batch)))

    async def keep_connected(self) -> None:
        """Connect, and connect again when the connection is lost, until cancelled."""
        pause_ms = _RECONNECT_MIN_MS
        try:
            while True:
                if await self._connect():
                    pause_ms = _RECONNECT_MIN_MS
                    assert self._closed is not None
                    await self._closed
                await asyncio.sleep(pause_ms / 1000 * (0.5 + random.random()))
                pause_ms = min(pause_ms * 2, self._limits.reconnect_max_ms)
        finally:
            self.close()

    async def _connect(self) -> bool:
        loop = asyncio.get_running_loop()
        self._answered = loop.create_future()
        self._closed = loop.create_future()
        try:
            async with asyncio.timeout(self._limits.connect_timeout_ms / 1000):
                await loop.create_connection(lambda: self, *self.address)
                await self._answered
        except (OSError, TimeoutError):
            self.close()
            return False
        return self.up

    def close(self) -> None:
        """Close now; calls under way are told as lost."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._reader = FrameReader(self._limits.frame_bytes_max)
        self._paused = False
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # A peer whose machine is gone must not hold calls for the kernel's quarter of an hour.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)
        self._transport.write(encode_frame(self._hello))

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
        except FrameError as error:
            self._log.error("core link broken", reason=str(error))
            self.close()
            return
        for frame in frames:
            if isinstance(frame, AcceptReplies):
                for reply in frame.replies:
                    self.in_flight.pop(reply.seq, None)
                self._owner.replied(self, frame.replies)
            elif isinstance(frame, HelloOk):
                self._greeted(frame)
            elif isinstance(frame, Leaving):
                self.leaving = True
            elif isinstance(frame, MapServes) and self.up:
                self._owner.map_serves(self, frame)

    def _greeted(self, hello: HelloOk) -> None:
        self.leaving = False
        self.up = True
        if not self._owner.link_up(self, hello):
            self.up = False
            self.close()
            return
        self._log.info("core link up", incarnation=hello.incarnation)
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        was_up, self.up = self.up, False
        self._transport = None
        sent, self.in_flight = list(self.in_flight.values()), {}
        unsent, self._waiting = list(self._waiting.values()), {}
        for future in (self._answered, self._closed):
            if future is not None and not future.done():
                future.set_result(None)
        if was_up:
            self._log.warning("core link lost", sent=len(sent), unsent=len(unsent))
            self._owner.link_lost(self, sent, unsent)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._waiting:
            self._flush()
