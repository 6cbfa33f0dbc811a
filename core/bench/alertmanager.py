"""Prometheus Alertmanager from Debian as the peer: alerts in, one webhook for each alert.

It is configured at its best: every alert is a group of its own that is told at once, nothing is
told again or when it is over, no cluster, no log. It stores nothing before it answers: alerts are
in memory, and what was told is written to disk every 15 minutes.
"""

import http.client
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from core.bench.kannel import free_ports
from core.bench.plan import HOST, BenchError
from core.bench.proc import Process
from core.bench.processes import start, stop

PROGRAM = "prometheus-alertmanager"
MEND = f"install {PROGRAM} (make system-deps, or apt-get install {PROGRAM}), or use --no-peer"
START_TIMEOUT_S = 20.0

_CONFIG = """\
global:
  resolve_timeout: 1h
route:
  receiver: lean
  group_by: ['...']
  group_wait: 0s
  group_interval: 1h
  repeat_interval: 24h
receivers:
- name: lean
  webhook_configs:
  - url: http://{host}:{hooks}/hook
    send_resolved: false
"""


class AlertmanagerError(BenchError):
    """Alertmanager is not here or does not start; the text says how to mend it."""


def alert_request(port: int) -> tuple[str, str]:
    """Head and tail of the request that brings one alert; between them goes its number."""
    head = '[{"labels":{"alertname":"bench-'
    tail = '"},"annotations":{"text":"GouTong bench: your code is 493021"}}]'
    lines = (
        f"POST /api/v2/alerts HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(head) + 8 + len(tail)}\r\n\r\n"
    )
    return lines + head, tail


class Alertmanager:
    """Alertmanager as a context, in a folder of its own."""

    def __init__(self, folder: Path, hooks_port: int) -> None:
        self._folder = folder
        self._hooks_port = hooks_port
        self._running: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        program = shutil.which(PROGRAM)
        if program is None:
            raise AlertmanagerError(f"{PROGRAM} is not installed: {MEND}")
        [self.port] = free_ports(1)
        self._folder.mkdir(parents=True)
        config = self._folder / "alertmanager.yml"
        config.write_text(_CONFIG.format(host=HOST, hooks=self._hooks_port))
        log = self._folder / "alertmanager.out"
        arguments = [
            f"--config.file={config}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
        self._running = start([program, *arguments], log=log)
        try:
            self._wait(self._running, log)
        except BaseException:
            stop(self._running, grace_s=5.0)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            stop(self._running, grace_s=5.0)

    def processes(self) -> list[Process]:
        """The one process."""
        assert self._running is not None
        return [Process("alertmanager", self._running.pid)]

    def _wait(self, running: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and running.poll() is None:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=1)
            try:
                connection.request("GET", "/-/ready")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        last = log.read_text(errors="replace")[-500:]
        raise AlertmanagerError(f"{PROGRAM} did not answer on its port {self.port}: {last}")
