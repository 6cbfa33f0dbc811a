"""Opening a connection to one checked address, with the socket options that the client relies on.

TCP_USER_TIMEOUT makes the kernel give up bytes that the other side does not take within the write
time-out, and SO_LINGER 0 makes every close a reset: no byte of ours leaves later.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Sequence

from core.providers.http.addresses import Address
from core.providers.http.outlet import Outlet, PlainOutlet, TlsOutlet

_LOOK_S = 0.005
_LINGER_RESET = struct.pack("ii", 1, 0)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies; takes some milliseconds. Raises OSError for a bad CA file."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def connect(
    addresses: Sequence[Address], port: int, timeout_s: float, write_timeout_ms: int
) -> tuple[socket.socket, Address]:
    """A socket to the first address that answers; each has its share of the time.

    Raises OSError or TimeoutError; then nothing stays open.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    failure: OSError = OSError("there is no address")
    for tried, address in enumerate(addresses):
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            async with asyncio.timeout((until - loop.time()) / (len(addresses) - tried)):
                await loop.sock_connect(sock, (str(address), port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, write_timeout_ms)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock, address
    raise failure


async def open_outlet(
    sock: socket.socket,
    protocol: asyncio.Protocol,
    tls: ssl.SSLContext | None,
    server_name: str,
) -> Outlet:
    """Put the protocol on the connected socket, under TLS if there is a context.

    Raises OSError (ssl.SSLError included); then nothing stays open.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
    except BaseException:
        sock.close()
        raise
    if tls is None:
        return PlainOutlet(transport, sock)
    try:
        wrapped = await loop.start_tls(transport, protocol, tls, server_hostname=server_name)
    except BaseException:
        transport.abort()
        raise
    if wrapped is None:
        raise ConnectionError("the connection closed during the TLS handshake")
    outlet = TlsOutlet(transport, wrapped, sock)
    pause_s = 0.0
    while not outlet.clear() and not wrapped.is_closing():  # the handshake's last words
        await asyncio.sleep(pause_s)
        pause_s = _LOOK_S
    return outlet
