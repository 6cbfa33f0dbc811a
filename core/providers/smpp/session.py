"""One SMPP connection from its bind to its end.

`Session` is the asyncio protocol of one connection. It promises that submits are written in the
turn in which their guards were asked, with nothing before them in the transport's buffer; that
every call given to its window is answered for, at the latest when the session ends; that a link
that is silent, stuck or broken ends within the configured time-outs, by reset. It never
reconnects: the adapter makes a new session.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from core.providers.port import Call
from core.providers.smpp.classify import ESME_RINVBNDSTS, ESME_RINVCMDID
from core.providers.smpp.codec import (
    BIND_TRANSCEIVER_RESP,
    DELIVER_SM,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    GENERIC_NACK,
    RESPONSE_BIT,
    SUBMIT_SM_RESP,
    UNBIND,
    UNBIND_RESP,
    Bind,
    FramingError,
    Pdu,
    PduReader,
    bare,
    bind_transceiver,
)
from core.providers.smpp.inbox import Inbox
from core.providers.smpp.outlet import Outlet
from core.providers.smpp.pulse import Pulse
from core.providers.smpp.settings import SmppSettings
from core.providers.smpp.window import Window

# "finishing": only parts of messages already begun are written; "draining": nothing is.
SessionState = Literal["new", "binding", "bound", "finishing", "draining", "ended"]

_SWEEP_S_MIN, _SWEEP_S_MAX = 0.01, 0.2
# A sweep that comes this much late means that the process stood still.
_STOOD_STILL_S = 0.5
# How long answers that came before the link broke may take to be read.
_LAST_ANSWERS_S = 0.05
_UNKNOWN_ERROR = 0xFF

_log = logging.getLogger(__name__)


class BindRefusedError(ConnectionError):
    """The SMSC answered the bind with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused with status 0x{status:08x}")
        self.status = status


class Session(asyncio.Protocol):
    """A connection: `attach` gives it its writing end, then `bind`; `ended` tells why it ended."""

    def __init__(
        self,
        settings: SmppSettings,
        window: Window,
        make_inbox: Callable[[Callable[[bytes], None]], Inbox],
        changed: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.window = window
        self.inbox = make_inbox(self._say)
        self.ended: asyncio.Future[str] = loop.create_future()
        self.state: SessionState = "new"
        self._loop = loop
        self._time = loop.time
        self._changed = changed
        self._response_timeout = settings.response_timeout_ms / 1000
        self._pulse = Pulse(
            self._time(),
            enquire_after_s=settings.enquire_link_ms / 1000,
            answer_within_s=self._response_timeout,
            write_within_s=settings.write_timeout_ms / 1000,
        )
        self._sweep_every = _sweep_period(settings)
        self._reader = PduReader()
        self._outlet: Outlet | None = None
        self._control: list[bytes] = []
        self._flush_asked = False
        self._broken = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_due = 0.0
        self._stood_still = False
        self._bind_status: asyncio.Future[int] = loop.create_future()
        self._unbound: asyncio.Future[None] = loop.create_future()

    # What the adapter does with a session.

    def attach(self, outlet: Outlet) -> None:
        """The connection (TLS included) stands; begin to watch it."""
        if self.state == "ended":
            outlet.abort()
            return
        self._outlet = outlet
        now = self._time()
        self._pulse.heard(now)
        self._sweep_due = now + self._sweep_every
        self._sweeper = self._loop.call_later(self._sweep_every, self._sweep)

    async def bind(self, bind: Bind) -> None:
        """Bind as transceiver. Raises BindRefusedError, ConnectionError or TimeoutError."""
        if self.state == "ended":
            raise ConnectionError(self.ended.result())
        self.state = "binding"
        self._say(bind_transceiver(self.window.next_sequence(), bind))
        async with asyncio.timeout(self._response_timeout):
            status = await self._bind_status
        if status:
            raise BindRefusedError(status)
        if self.state == "binding":
            self.state = "bound"
            self._changed()

    def usable(self) -> bool:
        """Whether new calls may begin here."""
        return self.state == "bound" and not self._pulse.suspect

    def room(self) -> int:
        """How many more PDUs this session takes now."""
        return self.window.room() if self.usable() else 0

    def capacity(self) -> int:
        """How many calls may be under way here."""
        return self.window.capacity() if self.usable() else 0

    def writable(self) -> bool:
        """Whether the next call could be written at once."""
        return self._pulse.blocked_since is None

    def submit(self, call: Call, bodies: list[bytes]) -> None:
        """Take a call, all its parts, for this turn's write."""
        self.window.submit(call, bodies)
        self._ask_flush()

    def finish(self, reason: str) -> None:
        """Begin no more calls, but bring to an end what has begun."""
        if self.state in ("binding", "bound"):
            self.state = "finishing"
            self.window.drop_unbegun(reason)
            self._changed()

    def drain(self, reason: str) -> None:
        """Write no more; what is unanswered may still be answered, then the session ends."""
        if self.state in ("binding", "bound", "finishing"):
            self.state = "draining"
            self.window.drop_queue(reason)
            self._changed()

    async def unbind(self, timeout_s: float) -> None:
        """Take leave of the SMSC; returns when it answered, or the time is up."""
        if self.state in ("bound", "finishing", "draining"):
            self._say(bare(UNBIND, self.window.next_sequence()))
            await asyncio.wait(
                (self._unbound, self.ended),
                timeout=timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )

    def end(self, reason: str) -> None:
        """Close by reset, and answer for every call; harmless when it has ended already."""
        if self.state == "ended":
            return
        self.state = "ended"
        if self._outlet is not None:
            self._outlet.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.inbox.close()
        self.window.lost(reason)
        if not self._bind_status.done():
            self._bind_status.set_exception(ConnectionError(reason))
            # Looked at here, so that asyncio does not complain where nobody waits for the bind.
            self._bind_status.exception()
        self.ended.set_result(reason)
        self._changed()

    # What asyncio tells.

    def connection_lost(self, exc: Exception | None) -> None:
        """Reset, time-out of the kernel, or closed."""
        self.end(f"link lost: {exc}" if exc else "link closed")

    def eof_received(self) -> None:
        """The SMSC says no more, so nothing will be answered any more."""
        self.end("closed by the SMSC")

    def pause_writing(self) -> None:
        """The transport's buffer holds something."""
        self._pulse.blocked_since = self._time()

    def resume_writing(self) -> None:
        """The transport's buffer is empty again."""
        self._pulse.blocked_since = None
        self._ask_flush()
        self._changed()

    def data_received(self, data: bytes) -> None:
        """Cut into PDUs and hand on each."""
        if self._pulse.heard(self._time()):
            self._ask_flush()
            self._changed()
        broken = ""
        try:
            pdus = self._reader.feed(data)
        except FramingError as error:
            pdus, broken = error.before, str(error)
        for pdu in pdus:
            if pdu.command == SUBMIT_SM_RESP:
                self._submit_answered(pdu)
            elif pdu.command == DELIVER_SM:
                self.inbox.deliver(pdu)
            else:
                self._other(pdu)
        if broken:
            self.end(f"the SMSC broke the protocol: {broken}")

    # PDUs.

    def _submit_answered(self, pdu: Pdu) -> None:
        if not self.window.answered(pdu.sequence, pdu.status, pdu.body):
            _log.info("answer to no known submit", extra={"sequence": pdu.sequence})
        if pdu.status == ESME_RINVBNDSTS:
            self.drain("the SMSC says that we are not bound")

    def _other(self, pdu: Pdu) -> None:
        command = pdu.command
        if command == ENQUIRE_LINK:
            self._say(bare(ENQUIRE_LINK_RESP, pdu.sequence))
        elif command == BIND_TRANSCEIVER_RESP:
            self._bind_answered(pdu.status)
        elif command == UNBIND:
            self._say(bare(UNBIND_RESP, pdu.sequence))
            self.drain("the SMSC unbinds")
        elif command == UNBIND_RESP:
            if not self._unbound.done():
                self._unbound.set_result(None)
        elif command == GENERIC_NACK:
            self._nacked(pdu)
        elif not command & RESPONSE_BIT:
            self._say(bare(GENERIC_NACK, pdu.sequence, ESME_RINVCMDID))

    def _bind_answered(self, status: int) -> None:
        if not self._bind_status.done():
            self._bind_status.set_result(status)

    def _nacked(self, pdu: Pdu) -> None:
        status = pdu.status or _UNKNOWN_ERROR
        if self.state == "binding":
            self._bind_answered(status)
        elif not self.window.answered(pdu.sequence, status, b"") and pdu.sequence == 0:
            # It lost the thread of our stream; what it took until then cannot be known.
            self.end(f"the SMSC could not read us (generic_nack 0x{status:08x})")

    # Writing.

    def _say(self, pdu: bytes) -> None:
        self._control.append(pdu)
        self._ask_flush()

    def _ask_flush(self) -> None:
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what is due: control PDUs, then the calls whose guards agree, in this turn."""
        self._flush_asked = False
        outlet = self._outlet
        if outlet is None or self.state == "ended" or self._broken or not outlet.clear():
            return
        chunks = [b"".join(self._control)] if self._control else []
        controls = len(chunks)
        if self.state in ("bound", "finishing") and not self._pulse.suspect:
            chunks += self.window.gather()
        begun = 0
        if chunks:
            try:
                begun = outlet.begin(chunks)
            except OSError as error:
                self._break(f"link lost: {error}")
        if controls and begun:
            self._control.clear()
            begun -= 1
        self.window.begun(begun)
        if self._broken:
            self.drain("link lost")
        elif self.window.queued() and not self._pulse.suspect:
            self._ask_flush()

    def _break(self, reason: str) -> None:
        """Nothing can be written any more, but answers may still lie in the socket: read them."""
        self._broken = True
        self._loop.call_later(_LAST_ANSWERS_S, self.end, reason)

    # The regular look at everything that may be overdue.

    def _sweep(self) -> None:
        now = self._time()
        late_s = now - self._sweep_due
        self._sweep_due = now + self._sweep_every
        self._sweeper = self._loop.call_later(self._sweep_every, self._sweep)
        self._stood_still = late_s > _STOOD_STILL_S and not self._stood_still
        if self._stood_still:
            # Answers may lie in the socket: they are read before anything is called overdue.
            return
        dead = self._pulse.dead(now)
        if dead:
            self.end(dead)
            return
        self.window.expire(now)
        was_usable = self.usable()
        if self._pulse.enquire(now, self.window.waiting_since()):
            self._say(bare(ENQUIRE_LINK, self.window.next_sequence()))
        if was_usable and not self.usable():
            self._changed()
        if self.state == "draining" and self.window.calls == 0 and not self._broken:
            self.end("unbound by the SMSC")
        elif self._control or self.window.queued():
            # Under TLS nothing else tells that TCP has become free again.
            self._ask_flush()


def _sweep_period(settings: SmppSettings) -> float:
    shortest_ms = min(
        settings.response_timeout_ms, settings.write_timeout_ms, settings.enquire_link_ms
    )
    return min(_SWEEP_S_MAX, max(_SWEEP_S_MIN, shortest_ms / 10_000))
