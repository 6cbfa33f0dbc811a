"""The port at which bounces and complaints come in.

At most `connections_max` at a time; one more is told to come later. `stop` takes no more, and lets
go of those that there are: a mail that was not answered is brought again by its server. What a
stranger writes must not end the process: a session that fails unforeseen is logged and closed.
"""

import asyncio

from core.bounces.desk import Desk
from core.bounces.session import LINE_BYTES_MAX, Bounds, Session
from core.contract.log import Log


class BounceListener:
    """See the module."""

    def __init__(self, desk: Desk, bounds: Bounds, connections_max: int, log: Log) -> None:
        self._desk = desk
        self._bounds = bounds
        self._connections_max = connections_max
        self._log = log
        self._server: asyncio.Server | None = None
        self._talking: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        sockets = self._server.sockets if self._server else ()
        return int(sockets[0].getsockname()[1]) if sockets else 0

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError where the port cannot be had."""
        self._server = await asyncio.start_server(
            self._connected, host, port, limit=LINE_BYTES_MAX, start_serving=True
        )
        self._log.info("bounces are taken", host=host, port=self.port)

    async def stop(self) -> None:
        """Let go of the port and of all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        talking = list(self._talking)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._talking) >= self._connections_max:
            writer.write(b"421 4.7.0 Too many connections\r\n")
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        try:
            await Session(reader, writer, self._desk, self._bounds).run()
        except asyncio.CancelledError:
            pass  # by `stop`
        except Exception as error:
            self._log.error("a session that brought bounces failed", error=repr(error))
        finally:
            self._talking.discard(task)
