"""The adapter for SMS over SMPP 3.4: one account, one or more binds as transceiver.

It keeps its promises as `core/providers/port.py` says. What is particular to SMPP:

* **Places.** `capacity()` is the sum of the windows of the bound sessions. A long message takes
  a place for each part while its parts are unanswered, so capacity shrinks meanwhile; it is let
  in whole as soon as one place is free.
* **Long messages** are one call: all parts in one write, one `done`. `Outcome.provider_id` is
  then the ids of the parts joined by commas. A receipt names one part, so `ReceiptIn.provider_id`
  is one of them: the engine keeps each part's id pointing to the attempt and counts. The message
  is delivered when every part was reported delivered, and failed as soon as one part failed.
  That survives a restart, since the ids are in the journaled outcome. If the SMSC took some parts
  and not others, the outcome is `accepted` with code "partial:<status>" (see flight.py).
* **The guard** may be asked more than once for one call: where the kernel took none of its bytes,
  nothing was written and it is asked again before the next try.
* **Silence.** A link on which a submit waits and nothing comes is enquired and, if the silence
  goes on, gets no new calls before it dies or speaks again (see pulse.py); so a provider that
  hangs leaves no more than its windows in doubt.
* **Faults.** A bind refused for its name or password takes the account out: `fault`, and no
  further connection until the account is edited (a new adapter). "Bind failed" while another
  bind of the same account stands only means that the SMSC allows no more of them.
* **Reference.** Where `reference_tlv` is set the attempt's name travels in it, and comes back in
  receipts if the SMSC returns it.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from random import Random

from msgspec.structs import replace

from core.providers.port import Adapter, AdapterEvents, Call, Capabilities, Outcome
from core.providers.smpp.classify import BIND_FAILED, BIND_FAULTS, status_table
from core.providers.smpp.codec import Bind
from core.providers.smpp.compose import Composer
from core.providers.smpp.dial import dial, tls_context
from core.providers.smpp.inbox import Inbox, Tally
from core.providers.smpp.session import BindRefusedError, Session
from core.providers.smpp.settings import SmppSettings
from core.providers.smpp.stragglers import Stragglers
from core.providers.smpp.window import Window

CAPABILITIES = Capabilities(
    wire="smpp",
    channel="sms",
    formats=("text",),
    # Written in UCS-2 with surrogate pairs only, this still fits the default of 50 parts.
    text_chars_max=1600,
    receipts=True,
    reference=True,
)
_BACKOFF_DOUBLINGS_MAX = 16
_UNBIND_S_MAX = 0.5
_STOP_LOOK_S = 0.01

_log = logging.getLogger(__name__)


class SmppAdapter:
    """One account. Made inside the event loop that runs it; `start` connects."""

    def __init__(
        self,
        account_id: str,
        settings: SmppSettings,
        password: str,
        events: AdapterEvents,
        loop: asyncio.AbstractEventLoop,
        random: Random,
    ) -> None:
        self.capabilities = replace(
            CAPABILITIES,
            receipts=settings.receipts,
            reference=settings.reference_tlv is not None,
        )
        self.tally = Tally()
        self._account_id = account_id
        self._settings = settings
        self._bind = Bind(settings.system_id, password, settings.system_type)
        self._events = events
        self._loop = loop
        self._random = random
        self._composer = Composer(settings, first_reference=random.randrange(256))
        self._statuses = status_table(settings.status_kinds, settings.throttle_wait_ms)
        self._stragglers = Stragglers(self._statuses, loop)
        self._sessions: list[Session] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._tls: ssl.SSLContext | None = None
        self._fault = ""
        self._down = ""

    async def start(self) -> None:
        """Begin to connect in the background."""
        self._keepers = [
            self._loop.create_task(self._keep_connected(number))
            for number in range(self._settings.connections)
        ]

    async def stop(self, grace_ms: int) -> None:
        """End: queued calls are `not_sent`, what is unanswered after the grace is `unknown`."""
        deadline = self._loop.time() + grace_ms / 1000
        self._stopping.set()
        self._stragglers.close()
        for session in list(self._sessions):
            session.finish("stopping")
        while self._busy() and self._loop.time() < deadline:
            await asyncio.sleep(_STOP_LOOK_S)
        leave_s = min(_UNBIND_S_MAX, max(_STOP_LOOK_S, deadline - self._loop.time()))
        await asyncio.gather(*[session.unbind(leave_s) for session in self._sessions])
        for session in list(self._sessions):
            session.end("stopped")
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def capacity(self) -> int:
        """How many calls may be under way."""
        if self._fault:
            return 0
        return sum([session.capacity() for session in self._sessions])

    def state(self) -> str:
        """`up`, `connecting`, `down: <why>` or `fault: <why>`."""
        if self._fault:
            return f"fault: {self._fault}"
        if any(session.usable() for session in self._sessions):
            return "up"
        if any(session.state == "bound" for session in self._sessions):
            return "down: the SMSC is silent"
        return f"down: {self._down}" if self._down else "connecting"

    def submit(self, call: Call) -> None:
        """Carry out one call; `call.done` is never called before this returns."""
        session = self._best_session()
        if session is None:
            refused: Outcome | None = Outcome("not_sent", detail=f"no place; {self.state()}")
        else:
            bodies = self._composer.compose(call.message)
            refused = bodies if isinstance(bodies, Outcome) else None
            if not isinstance(bodies, Outcome):
                session.submit(call, bodies)
        if refused is not None:
            self._loop.call_soon(call.done, refused)

    def _best_session(self) -> Session | None:
        """The session with the most room, those that can write at once first."""
        sessions = self._sessions
        if self._fault or self._stopping.is_set() or not sessions:
            return None
        best = sessions[0]
        if len(sessions) > 1:
            best = max(sessions, key=lambda one: (one.room() > 0 and one.writable(), one.room()))
        return best if best.room() > 0 else None

    def _busy(self) -> bool:
        return any(
            session.window.calls or session.inbox.open_receipts() for session in self._sessions
        )

    async def _keep_connected(self, number: int) -> None:
        """Connect again and again, with growing pauses, until stopped or barred."""
        failures = 0
        while not self._stopping.is_set() and not self._fault:
            try:
                reason, bound = await self._one_session(number)
            except Exception:
                _log.exception("SMPP connection failed unexpectedly", extra=self._names(number))
                reason, bound = "internal error", False
            failures = 0 if bound else failures + 1
            self._down = reason
            _log.warning("SMPP link is down: %s", reason, extra=self._names(number))
            self._events.changed()
            if self._fault:
                return
            try:
                async with asyncio.timeout(self._pause_s(failures)):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _one_session(self, number: int) -> tuple[str, bool]:
        """One connection from dialling to its end: why it ended, and whether it was ever bound."""
        session = Session(
            self._settings,
            Window(
                self._settings,
                self._statuses,
                self._events.late,
                self._stragglers.take,
                self._loop.time,
            ),
            lambda say: Inbox(self._settings, self._events, self.tally, say),
            self._changed,
            self._loop,
        )
        reason = "stopped"
        try:
            if self._settings.tls and self._tls is None:
                self._tls = tls_context(self._settings)
            session.attach(await dial(self._loop, self._settings, session, self._tls))
            self._sessions.append(session)
            await session.bind(self._bind)
            _log.info("SMPP link is up", extra=self._names(number))
            # Not awaited itself: a cancelled keeper must not cancel what the session still sets.
            await asyncio.wait((session.ended,))
            return session.ended.result(), True
        except BindRefusedError as refused:
            reason = self._bind_refused(refused)
        except TimeoutError:
            reason = "no answer in time while connecting"
        except OSError as error:
            reason = f"cannot connect: {error}"
        except ValueError as wrong:
            # A password or name that SMPP cannot carry: no connection will ever be bound.
            reason = self._take_out(str(wrong))
        finally:
            session.end(reason)
            if session in self._sessions:
                self._sessions.remove(session)
        return reason, False

    def _changed(self) -> None:
        """Something changed at a session: what waits for a link may have one."""
        for session in self._sessions:
            if session.usable():
                self._stragglers.hand_to(session.window)
                break
        self._events.changed()

    def _bind_refused(self, refused: BindRefusedError) -> str:
        meaning = BIND_FAULTS.get(refused.status)
        others_stand = any(session.state == "bound" for session in self._sessions)
        if meaning is None or (refused.status == BIND_FAILED and others_stand):
            return str(refused)
        return self._take_out(f"{meaning} (bind status 0x{refused.status:08x})")

    def _take_out(self, detail: str) -> str:
        if not self._fault:
            self._fault = detail
            self._stragglers.close()
            self._events.fault(detail)
        return detail

    def _pause_s(self, failures: int) -> float:
        """The wait before the next connection: doubling, bounded, between half and all of it."""
        settings = self._settings
        doubled_ms = settings.reconnect_min_ms << min(failures, _BACKOFF_DOUBLINGS_MAX)
        pause_ms = min(settings.reconnect_max_ms, doubled_ms)
        return pause_ms * (0.5 + self._random.random() / 2) / 1000

    def _names(self, number: int) -> Mapping[str, object]:
        return {"account": self._account_id, "connection": number}


def make(
    account_id: str,
    settings: SmppSettings,
    secrets: Mapping[str, str],
    events: AdapterEvents,
    random: Random,
) -> Adapter:
    """The adapter for one configured account; to be called in the running event loop."""
    loop = asyncio.get_running_loop()
    return SmppAdapter(account_id, settings, secrets["password"], events, loop, random)
