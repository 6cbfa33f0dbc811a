"""An SMTP account: a few kept connections, one mail at a time on each.

The first connection is made at `start`; the others when mails need them. `capacity` counts the
connections that are up, and those that may be opened at once while the newest attempt to connect
has succeeded; it is 0 before the first success, after a refusal of the account, and while nothing
can be reached. A mail that meets a dead server ends as `not_sent`; none is held back here.

`submit` answers nothing itself: what is refused without asking the server, too, is told in a
later turn of the event loop.
"""

import asyncio
import ssl
from contextlib import suppress
from random import Random

from core.clock import Clock
from core.providers.port import AdapterEvents, Call, Outcome
from core.providers.smtp.capabilities import CAPABILITIES
from core.providers.smtp.date import DateHeader
from core.providers.smtp.lane import Lane
from core.providers.smtp.mime import UnsendableError, compose
from core.providers.smtp.opening import OpenFailedError, open_session, tls_context
from core.providers.smtp.session import Session
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.transaction import Job, data_block, unfit

_GOODBYE_S = 0.5


class SmtpAdapter:
    """See the module; it implements `core.providers.port.Adapter`."""

    capabilities = CAPABILITIES

    def __init__(
        self,
        account_id: str,
        settings: SmtpSettings,
        password: str,
        events: AdapterEvents,
        random: Random,
        clock: Clock,
    ) -> None:
        self.account_id = account_id
        self._settings = settings
        self._password = password
        self._events = events
        self._random = random
        self._origin = settings.origin()
        self._date = DateHeader(clock)
        self._context: ssl.SSLContext | None = None
        self._lanes = [Lane(self) for _ in range(settings.connections)]
        self._idle: list[Lane] = []  # the last used is used next, so that the others may close
        self._sessions: dict[Session, None] = {}  # all that are connected, oldest first
        self._under_way = 0
        self._calm = asyncio.Event()
        self._empty = asyncio.Event()
        self._stopping = False
        self._proven = False
        self._fault = ""
        self._failure = ""
        self._capacity = 0
        self._told = (0, "connecting")

    # --- port.Adapter ---

    async def start(self) -> None:
        """Begin to connect in the background."""
        if self._settings.username and not self._password:
            self._account_fault("the account has a username and no password")
            return
        try:
            self._context = tls_context(self._settings)
        except OpenFailedError as error:
            self._account_fault(error.detail)
            return
        self._lanes[0].open()

    async def stop(self, grace_ms: int) -> None:
        """Let what is under way end within the grace, then close by reset."""
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

    def capacity(self) -> int:
        """How many mails may be under way now."""
        return self._capacity

    def state(self) -> str:
        """`up`, `connecting`, `down: <why>` or `fault: <why>`."""
        if self._fault:
            return f"fault: {self._fault}"
        if self._stopping:
            return "down: stopped"
        if self._capacity:
            return "up"
        return f"down: {self._failure}" if self._failure else "connecting"

    def submit(self, call: Call) -> None:
        """Send one mail."""
        self._under_way += 1
        try:
            mail = compose(call.message, self._origin, self._date.now())
        except UnsendableError as error:
            self._end_later(call, Outcome(error.kind, detail=error.detail))
            return
        self._carry(Job(call, mail, data_block(mail)))

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
        self._idle.append(lane)
        if job is not None:
            self._carry(job)
        self._refresh()

    def not_opened(self, error: OpenFailedError) -> None:
        self._proven = False
        self._failure = error.detail
        if error.kind == "fault":
            self._account_fault(error.detail)
        else:
            self._refresh()

    def rested(self, lane: Lane) -> None:
        self._idle.append(lane)

    def cooled(self, lane: Lane) -> None:
        if lane in self._idle:
            self._idle.remove(lane)
        self._refresh()

    def ended(self, job: Job, outcome: Outcome) -> None:
        if outcome.kind == "account_fault":
            self._account_fault(outcome.detail)
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

    def _carry(self, job: Job) -> None:
        """Offer the mail on an idle connection, or open one for it."""
        while self._idle:
            lane = self._idle.pop()
            session = lane.session
            if session is None or not session.usable:
                continue  # it is closing, and will say so in a moment
            refusal = unfit(job.mail, session.extensions, self._settings.size_max_bytes)
            if refusal is None:
                lane.carry(job)
            else:
                self._idle.append(lane)
                self._end_later(job.call, refusal)
            return
        if self._proven and not self.closing:
            for lane in self._lanes:
                if lane.phase == "cold":
                    lane.open(job)
                    return
        self._end_later(job.call, Outcome("not_sent", detail="no connection is free"))

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
        self._capacity = 0 if self.closing else sum(map(self._has_place, self._lanes))
        now = (self._capacity, self.state())
        if now != self._told:
            self._told = now
            self._events.changed()

    def _has_place(self, lane: Lane) -> bool:
        if lane.phase == "cold":
            return self._proven
        return lane.phase in ("idle", "busy") or lane.awaited

    async def _wait_closed(self, timeout_s: float) -> None:
        if self._sessions:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._empty.wait()
