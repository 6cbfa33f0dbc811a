"""An SMTP account: a few kept connections, one mail at a time on each, and a short queue.

The first connection is made at `start`; the others when mails need them. A place is a connection
that is up, or one that may be opened at once while the newest attempt to connect has succeeded;
there is none before the first success, after a refusal of the account, and while nothing can be
reached. `capacity` is the places times (1 + `queue_ahead`): while one mail is on its way, the
next ones are here already, and a connection need not wait for the caller. They are taken in the
order of `submit`, and the guard is asked as late as of any mail, right before the data block.

A mail that meets a dead server ends as `not_sent`. When places are lost, the waiting mails that
are too many for the rest end as `not_sent`, too, the youngest first; without a place none is held
back here. A throttling reply ends none: those that wait are still offered.

`submit` answers nothing itself: what is refused without asking the server, too, is told in a
later turn of the event loop.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from random import Random

from core.clock import Clock
from core.providers.port import AdapterEvents, Call, Outcome
from core.providers.smtp.capabilities import CAPABILITIES, WITH_BOUNCES
from core.providers.smtp.composer import Composer
from core.providers.smtp.lane import Lane
from core.providers.smtp.mime import Mail, UnsendableError
from core.providers.smtp.opening import OpenFailedError, open_session, tls_context
from core.providers.smtp.places import Places
from core.providers.smtp.session import Session
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.signing import Signing
from core.providers.smtp.transaction import Job, data_block

_GOODBYE_S = 0.5


class SmtpAdapter:
    """See the module; it implements `core.providers.port.Adapter`."""

    def __init__(
        self,
        account_id: str,
        settings: SmtpSettings,
        secrets: Mapping[str, str],
        events: AdapterEvents,
        random: Random,
        clock: Clock,
    ) -> None:
        self.account_id = account_id
        self.capabilities = WITH_BOUNCES if settings.bounce_domain else CAPABILITIES
        self._settings = settings
        self._password = secrets.get("password", "")
        self._events = events
        self._random = random
        self._composer = Composer(settings, secrets, clock)
        self._signing = Signing(self._composer.sign, self._offer)
        self._context: ssl.SSLContext | None = None
        self._lanes = [Lane(self) for _ in range(settings.connections)]
        self._places = Places(self._lanes, self, settings, self._end_later)
        self._sessions: dict[Session, None] = {}  # all that are connected, oldest first
        self._under_way = 0
        self._calm = asyncio.Event()
        self._empty = asyncio.Event()
        self._stopping = False
        self._proven = False
        self._fault = ""
        self._failure = ""
        self._told = (0, "connecting")

    # --- port.Adapter ---

    async def start(self) -> None:
        """Begin to connect in the background."""
        if self._settings.username and not self._password:
            self._account_fault("the account has a username and no password")
            return
        if self._composer.problem:
            self._account_fault(self._composer.problem)
            return
        try:
            self._context = tls_context(self._settings)
        except OpenFailedError as error:
            self._account_fault(error.detail)
            return
        self._lanes[0].open()

    async def stop(self, grace_ms: int) -> None:
        """Let what is under way end within the grace, then close by reset.

        Mails that wait for a connection end as `not_sent` at once: the grace is for those that a
        connection has taken, or is being opened for.
        """
        self._stopping = True
        for lane in self._lanes:
            lane.drop()
        self._refresh()
        if self._under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_ms / 1_000):
                    await self._calm.wait()
        for lane in self._lanes:
            lane.end("the account was stopped")
            await lane.wait_opened()
        await self._wait_closed(_GOODBYE_S)
        for session in list(self._sessions):
            session.abort("the account was stopped")
        await self._wait_closed(_GOODBYE_S)
        self._signing.close()

    def capacity(self) -> int:
        """How many mails may be under way now, those that wait for a connection included."""
        return self._places.capacity

    def state(self) -> str:
        """`up`, `connecting`, `down: <why>` or `fault: <why>`."""
        if self._fault:
            return f"fault: {self._fault}"
        if self._stopping:
            return "down: stopped"
        if self._places.capacity:
            return "up"
        return f"down: {self._failure}" if self._failure else "connecting"

    def submit(self, call: Call) -> None:
        """Send one mail, at once or when those before it have gone."""
        self._under_way += 1
        try:
            mail = self._composer.compose(call.message)
        except UnsendableError as error:
            self._end_later(call, Outcome(error.kind, detail=error.detail))
            return
        if self._composer.slow and not self.closing:
            self._signing.put(call, mail)
        else:
            self._offer(call, self._composer.sign(mail))

    # --- lane.Pool ---

    @property
    def closing(self) -> bool:
        return self._stopping or bool(self._fault)

    @property
    def proven(self) -> bool:
        return self._proven

    @property
    def up(self) -> bool:
        return any(lane.phase in ("idle", "busy") for lane in self._lanes)

    async def open(self, lane: Lane) -> Session:
        return await open_session(self._settings, self._password, self._context, lane)

    def backoff_s(self, failures: int, wait_ms: int) -> float:
        settings = self._settings
        doubled_ms = settings.reconnect_min_ms << max(0, failures - 1)
        delay_ms = min(doubled_ms, settings.reconnect_max_ms) * self._random.uniform(0.5, 1.0)
        return max(delay_ms, wait_ms) / 1_000

    def opened(self, lane: Lane, job: Job | None) -> None:
        self._proven = True
        self._failure = ""
        self._places.opened(lane, job)
        self._refresh()
        self._places.serve()

    def not_opened(self, error: OpenFailedError) -> None:
        self._proven = False
        self._failure = error.detail
        if error.kind == "fault":
            self._account_fault(error.detail)
        else:
            self._refresh()

    def rested(self, lane: Lane) -> None:
        self._places.idle(lane)

    def cooled(self, lane: Lane) -> None:
        self._places.cooled(lane)
        self._refresh()

    def ended(self, job: Job, outcome: Outcome) -> None:
        if outcome.kind == "account_fault":
            self._account_fault(outcome.detail)
        # The lane has rested or cooled just before. Only now is it known that the account is
        # not at fault, and that the next mail may be offered.
        self._places.serve()
        self._end(job.call, outcome)

    def answered_late(self, job: Job, outcome: Outcome) -> None:
        self._events.late(job.call.message.ref, outcome)

    def session_connected(self, session: Session) -> None:
        self._sessions[session] = None
        listening = [old for old in self._sessions if old.listening]
        if len(listening) > len(self._lanes):
            listening[0].abort("too many late answers are waited for")

    def session_closed(self, session: Session) -> None:
        self._sessions.pop(session, None)
        if self._stopping and not self._sessions:
            self._empty.set()

    def full(self, session: Session) -> bool:
        return session.mails >= self._settings.mails_per_connection

    # --- inside ---

    def _offer(self, call: Call, mail: Mail) -> None:
        self._places.put(Job(call, mail, data_block(mail)))

    def _end_later(self, call: Call, outcome: Outcome) -> None:
        asyncio.get_running_loop().call_soon(self._end, call, outcome)

    def _end(self, call: Call, outcome: Outcome) -> None:
        self._under_way -= 1
        if self._stopping and not self._under_way:
            self._calm.set()
        call.done(outcome)

    def _account_fault(self, detail: str) -> None:
        if self._fault:
            return
        self._fault = detail
        for lane in self._lanes:
            lane.drop()
        self._refresh()
        self._events.fault(detail)

    def _refresh(self) -> None:
        """Count the places again after anything but the plain change of idle and busy."""
        self._places.recount()
        now = (self._places.capacity, self.state())
        if now != self._told:
            self._told = now
            self._events.changed()

    async def _wait_closed(self, timeout_s: float) -> None:
        if self._sessions:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._empty.wait()
