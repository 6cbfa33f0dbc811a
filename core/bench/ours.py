"""Our own system as a side of the bench: `goutong up` on a folder of its own, and its API.

What is not as expected (no ready line in time, an answer that is an error) raises OursError
with the answer in it; the processes end with the context.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from core.bench.plan import HOST, SENDER, BenchError
from core.bench.proc import Process
from core.bench.processes import start, stop

START_TIMEOUT_S = 60.0
STOP_GRACE_S = 30.0
CALL_TIMEOUT_S = 15.0
LAUNCH = (sys.executable, "-m", "core.cli")


class Part(Struct, frozen=True):
    """One process of a region, as `goutong up --json` names it."""

    role: str
    pid: int
    url: str = ""


class RegionReady(Struct, frozen=True):
    """One region of the ready line."""

    url: str
    processes: list[Part]


class Ready(Struct, frozen=True):
    """The first line of `goutong up --json`."""

    ready: bool
    api_key: str
    admin_key: str
    sandbox: str
    regions: dict[str, RegionReady]


class LinkAddress(Struct, frozen=True):
    """How an edge reaches the first core: its two ports, and the secret that both know."""

    link_port: int
    http_port: int
    secret: str


class OursError(BenchError):
    """Our system does not start or refuses what the bench needs."""


class Ours:
    """`goutong up` as a context."""

    def __init__(self, folder: Path, cores: int, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._cores = cores
        self._env = dict(os.environ, **(env or {}))
        self._up: subprocess.Popen[bytes] | None = None
        self._ready: Ready | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = [*LAUNCH, "up", "--json", "--data", str(self.folder / "data")]
        argv += ["--cores", str(self._cores)]
        log = self.folder / "up.log"
        # Standard output goes to the log too: the ready line is looked for there, and nobody has
        # to empty a pipe while the load runs.
        self._up = start(argv, log=log, env=self._env, death_signal=signal.SIGTERM)
        try:
            self._ready = self._wait(log)
        except BaseException:
            stop(self._up, STOP_GRACE_S)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._up is not None:
            stop(self._up, STOP_GRACE_S)

    def _wait(self, log: Path) -> Ready:
        assert self._up is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._up.poll() is None:
            for line in log.read_bytes().splitlines():
                if line.startswith(b'{"ready"'):
                    return msgspec.json.decode(line, type=Ready)
            time.sleep(0.1)
        last = log.read_text(errors="replace")[-2_000:]
        raise OursError(f"goutong up was not ready within {START_TIMEOUT_S:g} s:\n{last}")

    @property
    def ready(self) -> Ready:
        """What the ready line said."""
        assert self._ready is not None
        return self._ready

    @property
    def region(self) -> RegionReady:
        """The only region."""
        return next(iter(self.ready.regions.values()))

    def address(self) -> tuple[str, int]:
        """Host and port of the edge."""
        url = urlsplit(self.region.url)
        return url.hostname or HOST, url.port or 80

    def processes(self) -> list[Process]:
        """Every process of the region: edge, cores, supervisor, nats. The sandbox is not ours."""
        return [Process(part.role, part.pid) for part in self.region.processes]

    def link(self) -> LinkAddress:
        """The first core's own doors, as the data folder names them."""
        data = self.folder / "data"
        ports = msgspec.json.decode((data / "ports.json").read_bytes(), type=dict[str, int])
        secret = (data / "internal.key").read_text().strip()
        return LinkAddress(ports["core-0-link"], ports["core-0-http"], secret)

    def call(self, method: str, path: str, body: object = None, *, admin: bool = True) -> Any:
        """One call of the public API; the decoded answer, or OursError for a refusal."""
        status, answer = self.call_raw(method, path, body, admin=admin)
        if status >= 400:
            raise OursError(f"{method} {path} answered {status}: {answer[:1_000]!r}")
        return msgspec.json.decode(answer) if answer else None

    def call_raw(
        self, method: str, path: str, body: object = None, *, admin: bool = True
    ) -> tuple[int, bytes]:
        """One call of the public API; status and body as they come."""
        key = self.ready.admin_key if admin else self.ready.api_key
        connection = http.client.HTTPConnection(*self.address(), timeout=CALL_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else msgspec.json.encode(body)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put_account(self, name: str, account: Mapping[str, object]) -> None:
        """Create a provider account, or replace it."""
        self.call("PUT", f"/v1/providers/{name}", account)

    def switch_off_sandbox_sms(self) -> None:
        """Leave no account for text messages but the bench's own."""
        for name in ("sandbox-smsc", "sandbox-sms-http"):
            self.switch_off(name)

    def switch_off(self, name: str) -> None:
        """Disable a provider account if there is one of that name."""
        status, answer = self.call_raw("GET", f"/v1/providers/{name}")
        if status == 404:
            return
        account = msgspec.json.decode(answer)
        kept = ("wire", "channel", "priority", "settings")
        self.put_account(name, {k: account[k] for k in kept if k in account} | {"enabled": False})


def sms_account(port: int, window: int, per_second: int = 0) -> dict[str, object]:
    """An SMPP account at the lean SMSC: one bind, as Kannel has. `per_second` 0: no limit."""
    return {
        "limits": {"per_second": per_second} if per_second else {},
        "wire": "smpp",
        "channel": "sms",
        "enabled": True,
        "priority": 1_000,
        "settings": {
            "host": HOST,
            "port": port,
            "system_id": "bench",
            "window": window,
            "connections": 1,
        },
        "secrets": {"password": "bench"},
    }


def mail_account(port: int, sessions: int) -> dict[str, object]:
    """An SMTP account at the lean sink."""
    return {
        "wire": "smtp",
        "channel": "email",
        "enabled": True,
        "priority": 1_000,
        "settings": {
            "host": HOST,
            "port": port,
            "from_address": SENDER,
            "tls": "off",
            "connections": sessions,
        },
        "secrets": {},
    }


def http_request(address: tuple[str, int], key: str, head: str, tail: str) -> tuple[str, str]:
    """POST /v1/notifications around a JSON body that is cut where the number goes."""
    length = len(head) + 8 + len(tail)
    lines = (
        f"POST /v1/notifications HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    return lines + head, tail
