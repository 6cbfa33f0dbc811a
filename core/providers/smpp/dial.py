"""Opening the connection to an SMSC with the socket options that the protocol relies on.

TCP_USER_TIMEOUT makes the kernel give up bytes that the other side does not take within the
write time-out, and SO_LINGER 0 makes every close a reset: no byte of ours leaves later.
"""

import asyncio
import socket
import ssl
import struct

from core.providers.smpp.outlet import Outlet, PlainOutlet, TlsOutlet
from core.providers.smpp.settings import SmppSettings

_LINGER_RESET = struct.pack("ii", 1, 0)


def tls_context(settings: SmppSettings) -> ssl.SSLContext:
    """The account's TLS context; takes some milliseconds. Raises OSError for a bad CA file."""
    return ssl.create_default_context(cafile=settings.tls_ca_file or None)


async def dial(
    loop: asyncio.AbstractEventLoop,
    settings: SmppSettings,
    protocol: asyncio.Protocol,
    tls: ssl.SSLContext | None,
) -> Outlet:
    """Connect `protocol` to the first address of the host that answers.

    Raises OSError (ssl.SSLError included) or TimeoutError; then nothing stays open.
    """
    async with asyncio.timeout(settings.connect_timeout_ms / 1000):
        sock = await _connect(loop, settings.host, settings.port)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, settings.write_timeout_ms)
            transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
        except BaseException:
            sock.close()
            raise
        if tls is None:
            return PlainOutlet(transport, sock)
        try:
            wrapped = await loop.start_tls(
                transport,
                protocol,
                tls,
                server_hostname=settings.tls_server_name or settings.host,
            )
        except BaseException:
            transport.abort()
            raise
        if wrapped is None:
            raise ConnectionError("the connection closed during the TLS handshake")
        return TlsOutlet(transport, wrapped)


async def _connect(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, proto, _, address in found:
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
