"""The real edge in the test's own process, with fake cores behind it."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from core.contract.log import Log
from core.contract.sections.edge import EdgeSettings
from edge.app import EdgeApp
from edge.config import EdgeConfig
from edge.cores import parse_cores, parse_far
from tests.support.fake_core import SECRET, FakeCore
from tests.support.wait import until

SMS = {"to": {"phone": "+447700900123"}, "content": {"text": "hello"}}


class Running:
    """An edge that listens, and what it logged."""

    def __init__(self, app: EdgeApp, logged: io.BytesIO, log: Log) -> None:
        self.app = app
        self._logged = logged
        self._log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.port}"

    def lines(self) -> list[dict[str, Any]]:
        self._log.flush()
        return [msgspec.json.decode(line) for line in self._logged.getvalue().splitlines()]


@contextlib.asynccontextmanager
async def edge(
    *cores: FakeCore,
    connected: bool = True,
    processes: Any = None,
    batch_bytes_max: int = 16_777_216,
    region: str = "",
    far: str = "",
    **settings: Any,
) -> AsyncIterator[Running]:
    """An edge in front of these cores, stopped at the end. Settings are EdgeSettings' fields."""
    given: dict[str, Any] = {"port": 0, "stop_grace_ms": 3000, **settings}
    config = EdgeConfig(
        settings=EdgeSettings(**given),
        cores=parse_cores(",".join(core.address for core in cores)),
        secret=SECRET,
        horizon_s=30 * 86_400,
        expires_in_s={"otp": 300, "alert": 3600, "transactional": 86_400, "bulk": 259_200},
        batch_bytes_max=batch_bytes_max,
        name="edge-under-test",
        region=region,
        far=parse_far(far),
        processes_file=processes,
    )
    logged = io.BytesIO()
    log = Log(logged, "debug", role="edge")
    app = EdgeApp(config, log)
    await app.start()
    try:
        if connected:
            await until(lambda: all(core.connections for core in cores))
            await until(lambda: app.connected_cores == len(cores))
        yield Running(app, logged, log)
    finally:
        await app.stop()
        log.close()


@contextlib.asynccontextmanager
async def hanging(port: int) -> AsyncIterator[None]:
    """A server on this port that takes connections and never says anything."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, w: writers.append(w), "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def raw(port: int, data: bytes, *, timeout_s: float = 5.0) -> bytes:
    """Everything that comes back for these bytes until the edge closes or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            async with asyncio.timeout(timeout_s):
                while part := await reader.read(65_536):
                    answer += part
        return answer
    finally:
        writer.close()
