"""The mails that go over one connection, one after the other.

Own code instead of a library, because the lease has to be asked in the very turn of the event
loop in which the data block's first byte goes out, with nothing waiting in the transport's
buffer (PROTOCOL.md 4 and 6). `on_reply` does exactly that: the reply 354 comes in, the guard is
asked, the block is written, with no await in between.

After a time-out of the data block's reply the session stays open a while and listens, so that a
late answer is still told. Each mail given to `begin` ends in exactly one
`SessionOwner.finished`, each `connected` in one `closed`.
"""

from enum import IntEnum
from typing import Protocol

from core.providers.port import Outcome
from core.providers.smtp.link import Link
from core.providers.smtp.reply import Extensions, Reply
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.transaction import Job, Step, Transaction, Waits

_QUIT_TIMEOUT_MS = 1_000


class SessionOwner(Protocol):
    """Who is told what becomes of a session."""

    def connected(self, session: "Session") -> None:
        """There is a connection now."""

    def finished(self, session: "Session", job: Job, outcome: Outcome, stale: bool) -> None:
        """A mail's way is at its end; `session.usable` says whether the next may begin."""

    def left(self, session: "Session", why: str) -> None:
        """An idle session has become unfit for mail; without `why`, for being idle too long."""

    def late(self, session: "Session", job: Job, outcome: Outcome) -> None:
        """An answer after `finished` had told a doubt."""

    def closed(self, session: "Session") -> None:
        """The connection is gone."""


class _Mode(IntEnum):
    IDLE = 0
    BUSY = 1
    LISTENING = 2  # the reply to a data block is overdue
    QUITTING = 3


class Session(Link):
    """See the module. Made by `opening.open_session`, which also carries out the greeting."""

    def __init__(self, settings: SmtpSettings, owner: SessionOwner) -> None:
        super().__init__(settings.reply_timeout_ms)
        self.extensions = Extensions()
        self.mails = 0
        self._settings = settings
        self._waits = Waits(settings.throttle_wait_ms, settings.throttle_wait_max_ms)
        self._owner = owner
        self._mode = _Mode.IDLE
        self._dirty = False  # a refused mail left its envelope behind: RSET before the next
        self._job: Job | None = None
        self._transaction: Transaction | None = None

    @property
    def usable(self) -> bool:
        """Whether a mail may begin now."""
        return self._mode is _Mode.IDLE and not self.opening and not self.closing

    @property
    def listening(self) -> bool:
        """Whether it only waits for a late answer."""
        return self._mode is _Mode.LISTENING and not self.ended

    def ready(self, extensions: Extensions) -> None:
        """The greeting is over; mails may begin."""
        self._check_open()
        self.check_silence()
        self.extensions = extensions
        self.opening = False
        self._rest()

    def begin(self, job: Job) -> None:
        """Offer a mail. Only while `usable`, and only one that is not `unfit`."""
        assert self.usable
        self._job = job
        self._transaction = Transaction(
            job.mail,
            self.extensions,
            self._waits,
            reset_first=self._dirty,
            reused=self.mails > 0,
        )
        self._mode = _Mode.BUSY
        self.mails += 1
        self.expect(self._settings.reply_timeout_ms)
        self.write(self._transaction.start())

    def quit(self) -> None:
        """Say good-bye, wait shortly for the answer, and close. Only while `usable`."""
        assert self.usable
        self._mode = _Mode.QUITTING
        self.expect(min(_QUIT_TIMEOUT_MS, self._settings.reply_timeout_ms))
        self.write(b"QUIT\r\n")

    # --- Link ---

    def on_connected(self) -> None:
        self._owner.connected(self)

    def on_closed(self) -> None:
        self._owner.closed(self)

    def on_reply(self, reply: Reply, alone: bool) -> None:
        if self._mode is _Mode.BUSY:
            self._mail_reply(reply, alone)
        elif self._mode is _Mode.LISTENING:
            self._late_reply(reply)
        else:
            self.abort(f"the server said {reply.code} and was not asked")

    def on_timeout(self) -> None:
        if self._mode is _Mode.IDLE and self.usable:
            self.quit()
            self._owner.left(self, "")
        elif self._mode is _Mode.BUSY and self._transaction is not None and self._transaction.begun:
            self._listen_on()
        else:
            self.abort("no reply in time")

    def on_ended(self, why: str) -> None:
        if self._mode is _Mode.BUSY:
            assert self._transaction is not None
            self._finish(self._transaction.given_up(why))
        elif self._mode is _Mode.IDLE:
            self._owner.left(self, why)

    # --- the way of a mail ---

    def _mail_reply(self, reply: Reply, alone: bool) -> None:
        transaction = self._transaction
        assert transaction is not None
        step = transaction.reply(reply, alone=alone, drained=self.unwritten() == 0)
        if step.body:
            self._send_body()
        elif step.outcome is not None:
            self._finish(step)
        else:
            self.expect(self._settings.reply_timeout_ms)
            if step.write:
                self.write(step.write)

    def _send_body(self) -> None:
        """The moment of PROTOCOL.md 6: the guard and the first byte in one turn."""
        job, transaction = self._job, self._transaction
        assert job is not None
        assert transaction is not None
        if self.unwritten() > 0 or self.closing:
            self._finish(transaction.given_up("the connection was not ready for the data block"))
        elif not job.call.guard():
            # The server waits for data; only a reset makes sure that no mail comes of it.
            self._finish(Step(outcome=Outcome("withdrawn"), close=True))
        else:
            transaction.begin_body()
            self.write(job.block)
            self.expect(self._settings.data_timeout_ms)

    def _finish(self, step: Step) -> None:
        """Tell the end of the mail, with the connection ready for the next, or reset."""
        job, transaction = self._job, self._transaction
        assert job is not None
        assert transaction is not None
        assert step.outcome is not None
        self._job = self._transaction = None
        if step.close:
            self._mode = _Mode.QUITTING  # so that its end is not told a second time
            self.abort(step.outcome.detail)
        else:
            self._dirty = not transaction.begun
            self._rest()
        self._owner.finished(self, job, step.outcome, step.stale)

    def _listen_on(self) -> None:
        """The data block's reply is overdue: tell the doubt, and stay for a late answer."""
        job, transaction = self._job, self._transaction
        assert job is not None
        assert transaction is not None
        outcome = transaction.given_up("no reply in time").outcome
        assert outcome is not None
        self._mode = _Mode.LISTENING
        self.expect(self._settings.late_reply_ms)
        self._owner.finished(self, job, outcome, False)

    def _late_reply(self, reply: Reply) -> None:
        job, transaction = self._job, self._transaction
        assert job is not None
        assert transaction is not None
        step = transaction.reply(reply, alone=True, drained=self.unwritten() == 0)
        self._job = self._transaction = None
        self.abort("answered late")
        if step.outcome is not None and step.outcome.kind != "unknown":
            self._owner.late(self, job, step.outcome)

    def _rest(self) -> None:
        self._mode = _Mode.IDLE
        self.expect(self._settings.idle_close_ms)
