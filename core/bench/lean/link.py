"""The load over a core's framed link: what an edge would pass on, without an edge.

It mints ids as an edge does, keeps a fixed number of calls under way, and sends a new call for
each answer; answers that come in one frame are followed by one frame of new calls, so the batches
are those that the core itself makes.
"""

import asyncio
import os
import time
from collections.abc import Callable
from typing import cast

from core.bench.lean.http import BadAnswerError, Load
from core.bench.lean.wire import RunSpec
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
    encode_frame,
)
from core.contract.ids import mint_unkeyed, notification_id, shard_of


class LinkCaller(asyncio.Protocol):
    """One link to a core with `spec.depth` calls under way."""

    def __init__(self, load: Load, spec: RunSpec, failed: Callable[[Exception], None]) -> None:
        self._load = load
        self._spec = spec
        self._failed = failed
        self._reader = FrameReader()
        self._sent_at: dict[int, float] = {}
        self._transport: asyncio.Transport | None = None
        self._hello: HelloOk | None = None
        self._minute = 0
        self._started = False
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(encode_frame(Hello(self._spec.link_secret, "bench")))

    def go(self) -> None:
        """Begin as soon as the core has said hello."""
        self._started = True
        if self._hello is not None:
            self._send(self._spec.depth)

    def close(self) -> None:
        """End the link; the run is over."""
        self._over = True
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over:
            self._failed(exc or BadAnswerError("the core closed the link"))

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
        except FrameError as error:
            self._failed(error)
            return
        for frame in frames:
            if isinstance(frame, AcceptReplies):
                for reply in frame.replies:
                    self._answered(reply)
                self._send(len(frame.replies))
            elif isinstance(frame, HelloOk):
                self._hello = frame
                self._minute = int(time.time() // 60)
                if self._started:
                    self._send(self._spec.depth)
            elif isinstance(frame, Leaving):
                self._failed(BadAnswerError("the core is leaving"))

    def _answered(self, reply: AcceptReply) -> None:
        load = self._load
        load.last_at = load.now()
        if reply.status == 202:
            load.latencies_s.append(load.last_at - self._sent_at.pop(reply.seq))
            load.accepted.hit()
        else:
            load.refuse(b"HTTP/1.1 %d \r\n\r\n%b" % (reply.status, reply.body))

    def _send(self, number: int) -> None:
        load = self._load
        first = load.next
        end = min(first + number, load.end)
        if end <= first:
            return
        load.next = end
        now = load.now()
        load.first_at = load.first_at or now
        calls = [self._call(item, now) for item in range(first, end)]
        assert self._transport is not None
        self._transport.write(encode_frame(AcceptBatch(calls)))

    def _call(self, item: int, now: float) -> AcceptCall:
        spec, hello, load = self._spec, self._hello, self._load
        assert hello is not None
        self._sent_at[item] = now
        shard = shard_of(spec.tenant, f"{spec.recipient}{item:08d}", hello.shards)
        rnd = os.urandom(26)
        return AcceptCall(
            item,
            spec.tenant,
            None,
            notification_id(spec.tenant, None, rnd[10:]),
            [mint_unkeyed(hello.region, shard, self._minute, rnd)],
            [spec.country],
            "",
            b"%b%08d%b" % (load.head, item, load.tail),
        )
