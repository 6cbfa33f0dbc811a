"""Asks a part over HTTP whether it is ready, with nothing but a socket."""

import asyncio
from urllib.parse import urlsplit


async def status_of(url: str, timeout_s: float = 2.0) -> int | None:
    """The HTTP status of this URL, or None if nobody answered in time."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            line = await reader.readline()
        return int(line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return None
    finally:
        if writer is not None:
            writer.transport.abort()
