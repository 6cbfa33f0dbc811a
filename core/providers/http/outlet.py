"""Writing a request so that one knows whether its first byte has left.

`write` is called while the outlet is clear only. It hands the request to the kernel in the same
turn; what the kernel does not take at once is left in the transport's buffer and follows.
"""

import asyncio
import socket
from typing import Protocol


class Outlet(Protocol):
    """The writing end of one connection."""

    def clear(self) -> bool: ...

    def quiet(self) -> bool: ...

    def write(self, data: bytes) -> bool: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


class PlainOutlet:
    """TCP: writes to the socket itself while the transport's buffer is empty."""

    def __init__(self, transport: asyncio.Transport, sock: socket.socket) -> None:
        self._transport = transport
        self._sock = sock
        transport.set_write_buffer_limits(high=0)

    def clear(self) -> bool:
        """Whether everything that was written has gone to the kernel."""
        return self._transport.get_write_buffer_size() == 0

    def quiet(self) -> bool:
        """Whether the peer neither closed nor said anything that was not read yet."""
        return _to_read(self._sock) is None

    def write(self, data: bytes) -> bool:
        """Write; False if no byte of it has left. Raises OSError, and then none has, either."""
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return False
        if sent < len(data):
            self._transport.write(data[sent:])
        return True

    def abort(self) -> None:
        """Close by reset, so that the kernel sends nothing of what it still holds."""
        self._transport.abort()

    def close(self) -> None:
        """Close in order; there is nothing left to send."""
        _without_reset(self._sock)
        self._transport.close()


class TlsOutlet:
    """TLS: what is written has left as far as one can tell, unless it raises."""

    def __init__(self, raw: asyncio.Transport, tls: asyncio.Transport, sock: socket.socket) -> None:
        self._raw = raw
        self._tls = tls
        self._sock = sock
        raw.set_write_buffer_limits(high=0)
        # asyncio's TLS transport counts "at the limit" as above it: with 0 it would never resume.
        tls.set_write_buffer_limits(high=1, low=0)

    def clear(self) -> bool:
        """Whether everything that was written has gone to the kernel."""
        return self._raw.get_write_buffer_size() == 0 and self._tls.get_write_buffer_size() == 0

    def quiet(self) -> bool:
        """Whether the peer has not closed; a record may wait that is TLS's own."""
        return _to_read(self._sock) != b""

    def write(self, data: bytes) -> bool:
        """Write; always True, because a record may have left whatever follows."""
        self._tls.write(data)
        return True

    def abort(self) -> None:
        """Close by reset, without TLS's farewell."""
        self._tls.abort()
        self._raw.abort()

    def close(self) -> None:
        """Close in order; there is nothing left to send."""
        _without_reset(self._sock)
        self._tls.close()


def _to_read(sock: socket.socket) -> bytes | None:
    """The next byte that came, None if there is none, b"" if there will be none."""
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _without_reset(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
    except OSError:
        return  # it is gone already
