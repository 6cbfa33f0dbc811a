"""Real NATS servers with the configuration that regions give them."""

import asyncio
import random
import shutil
import sysconfig
from pathlib import Path

from core.supervisor.folder import DataFolder
from core.supervisor.gateways import outbound_of
from core.supervisor.hub import Gateways, NatsPlace, joined
from core.supervisor.ports import keep_ports
from core.supervisor.probe import body_of, status_of
from tests.support.wait import until


def nats_program() -> str:
    """The nats-server that is installed with GouTong."""
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    program = str(installed) if installed.exists() else shutil.which("nats-server")
    assert program is not None
    return program


class Hub:
    """The hub of one region."""

    def __init__(self, folder: Path, place: NatsPlace, gateways: Gateways) -> None:
        self.region = place.region
        self.url = f"nats://127.0.0.1:{place.port}"
        self.own_url = f"nats://{place.region}:{gateways.user_secret}@127.0.0.1:{place.port}"
        self.monitor = f"http://127.0.0.1:{place.http_port}"
        self.others = {name: port for name, port in gateways.ports.items() if name != self.region}
        self._config = folder / f"{place.region}.conf"
        self._config.write_text(joined(place, gateways))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(nats_program(), "-c", self._config)
        await until(self._answers)

    def send(self, number: int) -> None:
        """Signal its process."""
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def joined_to(self) -> set[str]:
        """The regions to which it has a gateway."""
        return outbound_of(await body_of(f"{self.monitor}/gatewayz")) or set()

    async def until_joined(self, *regions: str) -> None:
        async def is_joined() -> bool:
            return await self.joined_to() >= set(regions or self.others)

        await until(is_joined, 20)

    async def _answers(self) -> bool:
        return await status_of(f"{self.monitor}/healthz") == 200


def hubs_of(folder: Path, names: list[str]) -> dict[str, Hub]:
    """Hubs that know each other, not yet started."""
    wanted = [(f"{kind}-{name}", 0) for name in names for kind in ("nats", "http", "gateway")]
    ports, _ = keep_ports(DataFolder(folder), wanted, random.SystemRandom())
    gateways = {name: ports[f"gateway-{name}"] for name in names}
    hubs = {}
    for name in names:
        log = str(folder / f"{name}.log")
        place = NatsPlace(name, ports[f"nats-{name}"], ports[f"http-{name}"], log, 1 << 20)
        hubs[name] = Hub(folder, place, Gateways(gateways, f"secret-of-{name}", "between"))
    return hubs
