"""Kannel from Debian as the peer: bearerbox with its spool store, and smsbox.

All that it could do needlessly is off (access log, information log, further callbacks), so that
the comparison is with Kannel at its best: one callback a message, delivery reports kept in memory
(`dlr-storage = internal`), a spool that is not fsynced. Everything is bound to 127.0.0.1.
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from core.bench.plan import HOST, PHONE_HEAD, TEXT, BenchError, Plan
from core.bench.proc import Process
from core.bench.processes import start, stop

PROGRAMS = ("bearerbox", "smsbox")
MEND = "install Kannel (make system-deps, or apt-get install kannel), or use --no-peer"
START_TIMEOUT_S = 20.0
_DLR_MASK = 1 + 2 + 16  # delivered, not delivered, refused by the SMSC: one callback a message

_CONFIG = """\
group = core
admin-port = {admin}
admin-interface = {host}
admin-password = bench
smsbox-port = {box}
smsbox-interface = {host}
box-allow-ip = "{host}"
box-deny-ip = "*.*.*.*"
store-type = spool
store-location = "{folder}/spool"
dlr-storage = internal
log-file = "{folder}/bearerbox.log"
log-level = 3

group = smsc
smsc = smpp
smsc-id = lean
host = {host}
port = {smsc}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = ""
max-pending-submits = {window}
source-addr-autodetect = true

group = smsbox
bearerbox-host = {host}
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = {host}
max-pending-requests = {window}
log-file = "{folder}/smsbox.log"
log-level = 3

group = sendsms-user
username = bench
password = bench
default-sender = GouTong
max-messages = 1

group = sms-service
keyword = default
catch-all = yes
max-messages = 0
text = ""
"""


class KannelError(BenchError):
    """Kannel is not here or does not start; the text says how to mend it."""


def find_programs() -> dict[str, str]:
    """The paths of Kannel's programs (Debian keeps them in /usr/sbin, outside of some PATHs)."""
    found = {}
    for name in PROGRAMS:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if path is None:
            raise KannelError(f"{name} is not installed: {MEND}")
        found[name] = path
    return found


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on now; all are held until the last is found, so none is twice."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(number)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def sendsms_request(sendsms_port: int, callback_port: int) -> tuple[str, str]:
    """Head and tail of the request; the number between is the end of the recipient's phone."""
    text = TEXT.replace(" ", "+")
    head = f"GET /cgi-bin/sendsms?username=bench&password=bench&to={PHONE_HEAD.replace('+', '%2B')}"
    callback = f"http%3A%2F%2F{HOST}%3A{callback_port}%2Fdlr%3Fd%3D%25d"
    tail = (
        f"&text={text}&dlr-mask={_DLR_MASK}&dlr-url={callback} HTTP/1.1\r\n"
        f"Host: {HOST}:{sendsms_port}\r\n\r\n"
    )
    return head, tail


class Kannel:
    """Bearerbox and smsbox as a context, in a folder of their own."""

    def __init__(self, folder: Path, plan: Plan, smsc_port: int) -> None:
        self._folder = folder
        self._plan = plan
        self._smsc_port = smsc_port
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.sendsms_port = 0

    def __enter__(self) -> Self:
        programs = find_programs()
        admin, box, self.sendsms_port = free_ports(3)
        (self._folder / "spool").mkdir(parents=True)
        config = self._folder / "kannel.conf"
        config.write_text(
            _CONFIG.format(
                host=HOST,
                admin=admin,
                box=box,
                sendsms=self.sendsms_port,
                smsc=self._smsc_port,
                window=self._plan.window,
                folder=self._folder,
            )
        )
        try:
            self._start(programs["bearerbox"], config, box)
            self._start(programs["smsbox"], config, self.sendsms_port)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def processes(self) -> list[Process]:
        """Both boxes."""
        return [Process(role, running.pid) for role, running in self._running]

    def _start(self, program: str, config: Path, port: int) -> None:
        role = Path(program).name
        log = self._folder / f"{role}.out"
        running = start([program, "-v", "4", str(config)], log=log)
        self._running.append((role, running))
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if running.poll() is not None:
                break
            try:
                socket.create_connection((HOST, port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        last = log.read_text(errors="replace")[-500:]
        raise KannelError(f"{role} did not open its port {port}: {last}")

    def _stop(self) -> None:
        # The smsbox first: a bearerbox that still has a box waits for it.
        for _, running in reversed(self._running):
            stop(running, grace_s=5.0)
        self._running.clear()
