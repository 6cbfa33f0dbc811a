"""The framed link from edges: batches of requests in, answers out, one TCP connection each.

The first frame must be a `Hello` with the region's internal secret; anything else closes the
connection. Answers of one loop turn go out as one frame. A frame that cannot be read closes the
connection, because nothing behind it can be trusted; the edge sends its requests again with the
same ids.

Where the placement map knows several homes, an edge of an older release, which knows no map, is
refused: it would mint everything into the own region's home.
"""

import asyncio
import hmac
import socket
from typing import cast

import msgspec

from core.accept.acceptor import Acceptor
from core.contract.frames import (
    AcceptBatch,
    AcceptReplies,
    AcceptReply,
    Frame,
    FrameError,
    FrameReader,
    Hello,
    HelloOk,
    Leaving,
    MapServes,
    encode_frame,
)
from core.contract.log import Log
from sync.placement import PlacementMap


class LinkServer:
    """Listens for edges. `links_max` bounds the connections."""

    def __init__(
        self,
        acceptor: Acceptor,
        secret: str,
        hello: HelloOk,
        frame_bytes_max: int,
        links_max: int,
        log: Log,
    ) -> None:
        self.acceptor = acceptor
        self.secret = secret
        self.hello = hello
        self.frame_bytes_max = frame_bytes_max
        self.links_max = links_max
        self.log = log
        self.links: set[Link] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Link(self), host, port, reuse_address=True, backlog=128
        )
        return int(self._server.sockets[0].getsockname()[1])

    def leaving(self) -> None:
        """Tell the edges to choose another core, and take no new connections."""
        if self._server is not None:
            self._server.close()
        for link in self.links:
            link.send(Leaving())

    def map_serves(self, placement: PlacementMap) -> None:
        """Tell the edges by which map this core accepts from now on."""
        if placement.version == self.hello.map_version:
            return
        version = placement.version
        self.hello = msgspec.structs.replace(self.hello, map_version=version, placement=placement)
        for link in self.links:
            if link.maps:
                link.send(MapServes(placement))

    @property
    def several_homes(self) -> bool:
        """Whether an edge has to know the placement map."""
        return self.hello.placement is not None and len(self.hello.placement.homes) > 1

    def close(self) -> None:
        """Close all connections."""
        for link in list(self.links):
            link.close()


class Link(asyncio.Protocol):
    """One connection from an edge; `maps` once it said that it knows placement maps."""

    def __init__(self, server: LinkServer) -> None:
        self._server = server
        self._reader = FrameReader(server.frame_bytes_max)
        self._transport: asyncio.Transport | None = None
        self._known = False
        self.maps = False
        self._replies: list[AcceptReply] = []
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop has transport classes of its own.
        self._transport = cast("asyncio.Transport", transport)
        if len(self._server.links) >= self._server.links_max:
            self._transport.abort()
            return
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.links.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._server.links.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
        except FrameError as error:
            self._server.log.warning("a link was closed", reason=str(error))
            self.close()
            return
        for frame in frames:
            self._take(frame)

    def send(self, frame: Frame) -> None:
        """Write a frame if the connection still stands."""
        if self._transport is not None:
            self._transport.write(encode_frame(frame))

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, frame: Frame) -> None:
        if not self._known:
            refused = self._refusal(frame)
            if refused:
                self._server.log.warning("a link was refused", reason=refused)
                self.close()
                return
            self._known = True
            self.send(self._server.hello)
        elif type(frame) is AcceptBatch:
            handle = self._server.acceptor.handle
            for call in frame.calls:
                handle(call, self._reply)

    def _refusal(self, frame: Frame) -> str:
        """Why this first frame lets nobody in, "" if it does."""
        if type(frame) is not Hello or not hmac.compare_digest(
            frame.secret.encode(), self._server.secret.encode()
        ):
            return "no or wrong hello"
        self.maps = frame.maps
        if self._server.several_homes and not self.maps:
            return "the edge is of an older release and knows no placement map"
        return ""

    def _reply(self, reply: AcceptReply) -> None:
        if not self._replies:
            self._loop.call_soon(self._flush)
        self._replies.append(reply)

    def _flush(self) -> None:
        replies, self._replies = self._replies, []
        self.send(AcceptReplies(replies))
