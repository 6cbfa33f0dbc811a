"""Writing so that one knows, for each chunk, whether its first byte has left.

A chunk is one call's PDUs (or the control PDUs due). `begin` hands chunks to the kernel in the
same turn and says how many have begun; what has not begun is untouched and can still be
withdrawn. Only the rest of a chunk that has begun is ever left in the transport's buffer, and
nothing may be begun while that buffer holds anything (`clear`).

Errors of the socket are raised as OSError; then nothing of the chunks was written.
"""

import asyncio
import socket
from typing import Protocol

from core.providers.smpp.codec import ENQUIRE_LINK, SEQUENCE_MAX, bare

# Where the kernel takes nothing more just at a boundary between chunks, this goes into the
# transport's buffer: it means nothing to the SMSC, and the transport says when it has left.
_DOORBELL = bare(ENQUIRE_LINK, SEQUENCE_MAX)


class Outlet(Protocol):
    """The writing end of one connection."""

    def clear(self) -> bool: ...

    def begin(self, chunks: list[bytes]) -> int: ...

    def abort(self) -> None: ...


class PlainOutlet:
    """TCP: writes to the socket itself while the transport's buffer is empty."""

    def __init__(self, transport: asyncio.Transport, sock: socket.socket) -> None:
        self._transport = transport
        self._sock = sock
        transport.set_write_buffer_limits(high=0)

    def clear(self) -> bool:
        """Whether everything that was begun has gone to the kernel."""
        return self._transport.get_write_buffer_size() == 0

    def begin(self, chunks: list[bytes]) -> int:
        """Write; the number of chunks of which at least the first byte has left."""
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent == len(data):
            return len(chunks)
        begun = end = 0
        while end < sent:
            end += len(chunks[begun])
            begun += 1
        self._transport.write(data[sent:end] or _DOORBELL)
        return begun

    def abort(self) -> None:
        """Close by reset, so that the kernel sends nothing of what it still holds."""
        self._transport.abort()


class TlsOutlet:
    """TLS: one chunk at a time, each only if both the TLS layer and TCP hold nothing back."""

    def __init__(self, raw: asyncio.Transport, tls: asyncio.Transport) -> None:
        self._raw = raw
        self._tls = tls
        raw.set_write_buffer_limits(high=0)
        # asyncio's TLS transport counts "at the limit" as above it: with 0 it would never resume.
        tls.set_write_buffer_limits(high=1, low=0)

    def clear(self) -> bool:
        """Whether everything that was begun has gone to the kernel."""
        return self._raw.get_write_buffer_size() == 0 and self._tls.get_write_buffer_size() == 0

    def begin(self, chunks: list[bytes]) -> int:
        """Write; the number of chunks of which at least the first byte has left."""
        begun = 0
        for chunk in chunks:
            if not self.clear():
                break
            self._tls.write(chunk)
            begun += 1
        return begun

    def abort(self) -> None:
        """Close by reset, without TLS's farewell."""
        self._tls.abort()
        self._raw.abort()
