"""The smallest gateway that the lean process can be run against: HTTP in, SMPP out, no store."""

import asyncio
import re
import struct
from typing import Self

_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"


class Relay:
    """One bind to the SMSC; each request becomes a submit_sm and is answered 202 at once.

    `refuse_every` answers each n-th request with 503 instead; `nack_every` refuses each n-th
    receipt for now.
    """

    def __init__(self, smsc_port: int, refuse_every: int = 0, nack_every: int = 0) -> None:
        self._smsc_port = smsc_port
        self._refuse_every = refuse_every
        self._nack_every = nack_every
        self._requests = 0
        self._receipts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._smsc_port)
        self._writer.write(struct.pack(">IIII", 23, 9, 0, 1) + b"x\0y\0\0\x34\0")
        self._keep(self._smpp())
        self._server = await asyncio.start_server(self._http, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        await self._server.wait_closed()

    def _keep(self, work: object) -> None:
        self._tasks.add(asyncio.ensure_future(work))  # type: ignore[arg-type]

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"Content-Length: (\d+)", head)
                assert found is not None
                body = await reader.readexactly(int(found[1]))
                self._requests += 1
                if self._refuse_every and self._requests % self._refuse_every == 0:
                    writer.write(_ANSWER.replace(b"202 Accepted", b"503 Not now"))
                    continue
                phone = re.search(rb"\+(\d+)", body)
                assert phone is not None
                self._submit(phone[1])
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _submit(self, to: bytes) -> None:
        body = b"\0\5\0x\0\1\1" + to + b"\0\0\0\0\0\0" + bytes([1, 0, 0, 0, 1]) + b"t"
        self._writer.write(struct.pack(">IIII", 16 + len(body), 4, 0, self._requests) + body)

    async def _smpp(self) -> None:
        while True:
            header = await self._reader.readexactly(16)
            length, command, _, sequence = struct.unpack(">IIII", header)
            await self._reader.readexactly(length - 16)
            if command == 5:
                self._receipts += 1
                refused = self._nack_every and self._receipts % self._nack_every == 0
                status = 0x64 if refused else 0
                self._writer.write(struct.pack(">IIII", 17, 0x80000005, status, sequence) + b"\0")
