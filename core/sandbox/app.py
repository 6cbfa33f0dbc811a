"""The whole sandbox in one process: its providers, their history, and the HTTP doors.

`async with Sandbox.start(folder) as box:` gives a running one, for tests; `python -m core.sandbox`
runs it as a program. A data folder belongs to one sandbox at a time; a second one is told so. What
is in the folder survives a kill -9: history, receipts owed, parts of long messages, certificate.
Behaviour does not: each start is a good day.
"""

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Self

import msgspec
from aiohttp import web

from core.clock import Clock, SystemClock
from core.contract.log import Log, silent
from core.contract.problems import problem
from core.sandbox import (
    doors,
    gateway,
    mail_server,
    sms_http,
    smsc,
    smsc_session,
    smtp_auth,
    webhook_sink,
)
from core.sandbox.behaviour import Behaviour, merge
from core.sandbox.certificate import tls_context
from core.sandbox.doors import ProviderInfo
from core.sandbox.gate import Gate, Peer
from core.sandbox.gateway import GatewayDouble
from core.sandbox.history import History
from core.sandbox.http_double import SECRET, HttpDouble
from core.sandbox.journal import Journal
from core.sandbox.limits import SandboxLimits
from core.sandbox.mail_server import MailServer
from core.sandbox.sms_http import SmsHttpDouble
from core.sandbox.smsc import Smsc
from core.sandbox.smtp_session import SmtpSession
from core.sandbox.webhook_sink import WebhookSink

_SHUTDOWN_S = 1.0
_Server = Smsc | MailServer | HttpDouble


class FolderInUseError(RuntimeError):
    """Another sandbox runs on this data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is in use by another sandbox. End that one, or name another folder."
        )


class _Provider:
    """One provider: where it listens, and the server behind it."""

    def __init__(self, gate: Gate, server: _Server) -> None:
        self.gate = gate
        self.server = server


class Sandbox:
    """A running sandbox. Use `Sandbox.start`."""

    def __init__(self, folder: Path, host: str, limits: SandboxLimits, log: Log) -> None:
        self.folder = folder
        self.host = host
        self.limits = limits
        self.log = log
        self.http_port = 0
        self._stack = AsyncExitStack()
        self._providers: dict[str, _Provider] = {}

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        http_port: int = 0,
        smpp_port: int = 0,
        smtp_port: int = 0,
        bounce_to: tuple[str, int] | None = None,
        sms_http_port: int = 0,
        gateway_port: int = 0,
        webhook_port: int = 0,
        seed: int | None = None,
        limits: SandboxLimits | None = None,
        log: Log | None = None,
        clock: Clock | None = None,
    ) -> AsyncIterator[Self]:
        """A sandbox that serves until the block ends. Port 0 means a free one; bounces of mail go
        to the SMTP server at `bounce_to`.

        Raises FolderInUseError, or OSError where the folder or a port cannot be used.
        """
        box = cls(folder, host, limits or SandboxLimits(), log or silent())
        try:
            box._open_folder()
            clock = clock or SystemClock()
            box._open_smsc(smpp_port, clock, Random(seed))
            box._open_mail(smtp_port, clock, Random(seed), bounce_to)
            shared = (box.history, box.limits, clock, Random(seed), box.log)
            box._open_http(SmsHttpDouble(*shared), sms_http_port)
            box._open_http(GatewayDouble(*shared), gateway_port)
            box._open_http(WebhookSink(*shared), webhook_port)
            await box._open_doors(http_port)
            yield box
        finally:
            await box._stack.aclose()

    @property
    def url(self) -> str:
        """Where the HTTP doors are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.http_port}"

    @property
    def smpp_port(self) -> int:
        """Where the SMSC listens."""
        return self._providers[smsc.PROVIDER].gate.port

    @property
    def smtp_port(self) -> int:
        """Where the mail server listens."""
        return self._providers[mail_server.PROVIDER].gate.port

    @property
    def sms_http_port(self) -> int:
        """Where the provider in Twilio's form listens."""
        return self._providers[sms_http.PROVIDER].gate.port

    @property
    def gateway_port(self) -> int:
        """Where the gateway listens."""
        return self._providers[gateway.PROVIDER].gate.port

    @property
    def webhook_port(self) -> int:
        """Where the webhook endpoint listens."""
        return self._providers[webhook_sink.PROVIDER].gate.port

    def providers(self) -> list[ProviderInfo]:
        """What a user has to know to talk to each provider."""
        smpp = (smsc.WIRE, smsc_session.SYSTEM_ID, smsc_session.PASSWORD)
        smtp = (mail_server.WIRE, smtp_auth.USER, smtp_auth.PASSWORD)
        told = {
            smsc.PROVIDER: smpp,
            mail_server.PROVIDER: smtp,
            sms_http.PROVIDER: (sms_http.WIRE, sms_http.ACCOUNT_SID, SECRET),
            gateway.PROVIDER: (gateway.WIRE, SECRET, SECRET),
            webhook_sink.PROVIDER: (webhook_sink.WIRE, "", ""),
        }
        infos = []
        for name, provider in self._providers.items():
            wire, user, password = told[name]
            behaviour = provider.server.behaviour
            port = provider.gate.port
            infos.append(ProviderInfo(name, wire, self.host, port, user, password, behaviour))
        return infos

    def behaviour(self, provider: str) -> Behaviour:
        """How a provider behaves now. Raises ProblemError for one that is not there."""
        return self._find(provider).server.behaviour

    def behave(self, provider: str, changes: bytes) -> Behaviour:
        """Change what the JSON names. Raises ProblemError where it makes no sense."""
        return self._set(provider, merge(self.behaviour(provider), changes))

    def restore(self, provider: str) -> Behaviour:
        """Back to a good day."""
        return self._set(provider, type(self.behaviour(provider))())

    def _set(self, provider: str, behaviour: Behaviour) -> Behaviour:
        found = self._find(provider)
        found.server.behaviour = behaviour
        if behaviour.down:
            found.gate.take_down()
        else:
            found.gate.bring_back()
        self.log.info("behaviour set", provider=provider, behaviour=msgspec.to_builtins(behaviour))
        return behaviour

    def _find(self, provider: str) -> _Provider:
        found = self._providers.get(provider)
        if found is None:
            names = list(self._providers)
            detail = f"There is no provider {provider!r}; there are: {', '.join(names)}."
            raise problem("not_found", detail, providers=names)
        return found

    def _open_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The lock ends with the process, however it ends.
        file = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise FolderInUseError(self.folder) from None
        self._stack.callback(os.close, file)
        self.history = History(self.folder / "history", self.limits)
        self._stack.callback(self.history.close)

    def _open_smsc(self, port: int, clock: Clock, random: Random) -> None:
        journal = Journal(self.folder / "smsc.jsonl", self.limits.journal_bytes_max)
        self._stack.callback(journal.close)
        server = Smsc(self.history, journal, self.limits, clock, random, self.log)
        self._stack.callback(server.close)
        self._open(smsc.PROVIDER, server, port, server.session)

    def _open_mail(
        self, port: int, clock: Clock, random: Random, bounce_to: tuple[str, int] | None
    ) -> None:
        tls = tls_context(self.folder, clock.wall_ms())
        server = MailServer(self.history, self.limits, clock, random, self.log, bounce_to)
        self._stack.push_async_callback(server.close)
        provider = mail_server.PROVIDER
        self._open(provider, server, port, lambda gate: SmtpSession(gate, server, tls))

    def _open_http(self, server: HttpDouble, port: int) -> None:
        self._stack.push_async_callback(server.close)
        self._open(server.provider, server, port, server.session)

    def _open(self, name: str, server: _Server, port: int, session: Callable[[Gate], Peer]) -> None:
        gate = Gate(self.host, port, session, self.limits.connections_max, self.log)
        self._stack.push_async_callback(gate.close)
        self._providers[name] = _Provider(gate, server)

    async def _open_doors(self, port: int) -> None:
        runner = web.AppRunner(
            doors.application(self), access_log=None, shutdown_timeout=_SHUTDOWN_S
        )
        self._stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, self.host, port).start()
        self.http_port = runner.addresses[0][1]
