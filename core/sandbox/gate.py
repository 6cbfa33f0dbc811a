"""Where a provider's connections come in, and how they end badly.

A `Gate` owns the port: it accepts, counts and resets connections. While it is down it refuses
connections, yet keeps the port bound, so that nobody else gets it meanwhile. `Peer` is what both
servers' connections share: being reset (RST, nothing more is answered) and hanging (nothing more is
answered, and what comes is thrown away, until the peer closes).
"""

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import Callable
from typing import cast

from core.contract.log import Log

_LINGER_NONE = struct.pack("ii", 1, 0)
_ACCEPTS_A_TURN = 64
_BACKLOG = 1024
_PAUSE_WITHOUT_FILES_S = 0.1
_KEEP_IDLE_S = 60
_CLOSE_S = 1.0
_CLOSE_LOOK_S = 0.005


class Peer(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, gate: "Gate") -> None:
        self._gate = gate
        self.transport: asyncio.Transport | None = None
        self.hung = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop has transport classes of its own.
        self.transport = cast("asyncio.Transport", transport)
        self._gate.joined(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self._gate.left(self)

    def pause_writing(self) -> None:
        """The client does not read: it is not read from either until it does."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Write, unless the connection hangs or is gone."""
        transport = self.transport
        if transport is not None and not self.hung and not transport.is_closing():
            transport.write(data)

    def reset(self) -> None:
        """End the connection with RST; what was not sent yet is lost."""
        transport = self.transport
        if transport is not None:
            sock = transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            transport.abort()

    def hang(self) -> None:
        """Answer nothing more, whatever comes."""
        self.hung = True
        if self.transport is not None:
            self.transport.resume_reading()

    async def secure(self, context: ssl.SSLContext, handshake_s: float) -> bool:
        """Go on in TLS; False, and the connection is gone, if the client cannot."""
        plain = self.transport
        if plain is None:
            return False
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                plain, self, context, server_side=True, ssl_handshake_timeout=handshake_s
            )
        except OSError:
            secured = None
        if secured is None or self.transport is None:
            plain.abort()
            # In the middle of a handshake nobody else tells us that the connection is gone.
            if self.transport is not None:
                self.connection_lost(None)
            return False
        self.transport = secured
        return True

    def close(self) -> None:
        """End the connection in order, after what was written."""
        if self.transport is not None:
            self.transport.close()


class Gate:
    """A listening port that can be taken down and brought back."""

    def __init__(
        self, host: str, port: int, accept: Callable[["Gate"], Peer], peers_max: int, log: Log
    ) -> None:
        self._host = host
        self._accept = accept
        self._peers_max = peers_max
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._joining: set[asyncio.Task[object]] = set()
        self._peers: set[Peer] = set()
        self.down = False
        self._socket = self._bind(port)
        self.port: int = self._socket.getsockname()[1]
        self._listen()

    def take_down(self) -> None:
        """Refuse connections and reset those that there are."""
        if self.down:
            return
        self.down = True
        self._loop.remove_reader(self._socket)
        self._socket.close()
        # A socket that is bound and does not listen: connections are refused, the port stays ours.
        self._socket = self._bind(self.port)
        self._reset_all()

    def bring_back(self) -> None:
        """Take connections again, on the same port."""
        if self.down:
            self.down = False
            self._listen()

    async def close(self) -> None:
        """Let go of the port and reset what is connected; returns when it is gone, soon."""
        self.down = True
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._reset_all()
        if self._joining:
            await asyncio.wait(self._joining, timeout=_CLOSE_S)
        deadline = self._loop.time() + _CLOSE_S
        while self._peers and self._loop.time() < deadline:
            await asyncio.sleep(_CLOSE_LOOK_S)

    def joined(self, peer: Peer) -> None:
        """A connection is there; called by the peer."""
        self._peers.add(peer)
        if self.down or len(self._peers) > self._peers_max:
            peer.reset()

    def left(self, peer: Peer) -> None:
        """A connection is gone; called by the peer."""
        self._peers.discard(peer)

    def _reset_all(self) -> None:
        for peer in list(self._peers):
            peer.reset()

    def _bind(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, port))
        except OSError:
            bound.close()
            raise
        return bound

    def _listen(self) -> None:
        self._socket.listen(_BACKLOG)
        self._loop.add_reader(self._socket, self._take_connections)

    def _take_connections(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                self._without_files(error)
                return
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_IDLE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._join(connection))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    async def _join(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: self._accept(self), connection)
        except OSError:  # gone before it was there
            connection.close()

    def _without_files(self, error: OSError) -> None:
        """No file for another connection: those that wait stay in the backlog for a moment."""
        self._log.error("cannot accept", error=errno.errorcode.get(error.errno or 0, "?"))
        self._loop.remove_reader(self._socket)
        self._loop.call_later(_PAUSE_WITHOUT_FILES_S, self._try_again)

    def _try_again(self) -> None:
        if not self.down:
            self._loop.add_reader(self._socket, self._take_connections)
