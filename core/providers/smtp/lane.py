"""One of an account's places for a connection: opened, used, lost, opened again.

A lane is `cold` (closed on purpose, or not needed yet; opened when a mail comes), `opening`,
`idle`, `busy`, or `waiting` (it failed; it tries again after a backoff with jitter). A lane whose
connection was lost or refused tries again by itself; one that was closed on purpose does not.

A kept connection may have been closed by the server just when a mail was offered on it. Such a
mail, about which the server has said nothing, is offered once more on a fresh connection, where
the same cannot happen again; the call has not begun then, so this is no repeated call.
"""

import asyncio
from typing import Literal, Protocol

from core.providers.port import Outcome
from core.providers.smtp.opening import OpenFailedError
from core.providers.smtp.session import Session
from core.providers.smtp.transaction import Job

_FAILURES_MAX = 16  # beyond it the backoff has long reached its maximum

LanePhase = Literal["cold", "opening", "idle", "busy", "waiting"]


class Pool(Protocol):
    """What a lane needs of the adapter."""

    @property
    def closing(self) -> bool:
        """Whether no connection may be opened any more."""

    @property
    def proven(self) -> bool:
        """Whether the newest attempt to connect, of any lane, succeeded."""

    @property
    def up(self) -> bool:
        """Whether any lane has a working connection."""

    async def open(self, lane: "Lane") -> Session: ...

    def backoff_s(self, failures: int, wait_ms: int) -> float: ...

    def opened(self, lane: "Lane", job: Job | None) -> None: ...

    def not_opened(self, error: OpenFailedError) -> None: ...

    def rested(self, lane: "Lane") -> None:
        """The lane has become idle after a mail."""

    def cooled(self, lane: "Lane") -> None:
        """The lane is not idle any more, and not because of a mail."""

    def ended(self, job: Job, outcome: Outcome) -> None: ...

    def answered_late(self, job: Job, outcome: Outcome) -> None: ...

    def session_connected(self, session: Session) -> None: ...

    def session_closed(self, session: Session) -> None: ...

    def full(self, session: Session) -> bool:
        """Whether the session has carried as many mails as it may."""


class Lane:
    """See the module. It is the owner of its session, and of those that it has left behind."""

    __slots__ = ("_failures", "_job", "_pool", "_task", "_timer", "phase", "session")

    def __init__(self, pool: Pool) -> None:
        self.phase: LanePhase = "cold"
        self.session: Session | None = None
        self._pool = pool
        self._job: Job | None = None  # waits for the connection to be opened
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def awaited(self) -> bool:
        """Whether a mail waits for this lane's connection."""
        return self._job is not None

    @property
    def carries(self) -> bool:
        """Whether the lane has a mail in hand, under way or to begin once it is opened."""
        return self.phase == "busy" or (self.phase == "opening" and self.awaited)

    def carry(self, job: Job) -> None:
        """Offer a mail on the idle session."""
        assert self.session is not None
        self.phase = "busy"
        self.session.begin(job)

    def open(self, job: Job | None = None) -> None:
        """Connect, for a mail or in advance."""
        self._timer = None
        self._job = job
        self.phase = "opening"
        self._task = asyncio.get_running_loop().create_task(self._open())
        # A task that is cancelled before its first step never sees it; its callback does.
        self._task.add_done_callback(self._opening_ended)

    def drop(self) -> None:
        """Say good-bye if idle, connect no more. A mail under way is left to its end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.phase = "cold"
        if self._task is not None and self._job is None:
            self._task.cancel()
        if self.phase == "idle":
            self._quit()
            self._pool.cooled(self)

    def end(self, why: str) -> None:
        """Reset the connection; a mail under way ends as its stage says."""
        if self._task is not None:
            self._task.cancel()
        if self.session is not None:
            self.session.abort(why)

    async def wait_opened(self) -> None:
        """Until no attempt to connect is running."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # --- connecting ---

    async def _open(self) -> None:
        try:
            session = await self._pool.open(self)
        except OpenFailedError as error:
            self._task = None
            self._open_failed(error)
        except Exception as error:
            # A mistake of ours. It shows up as this task's, and the account goes on trying.
            self._task = None
            self._open_failed(OpenFailedError("down", f"unexpected {type(error).__name__}"))
            raise
        else:
            self._task = None
            self._open_succeeded(session)

    def _opening_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._task = None
            self.phase = "cold"
            self._give_back(Outcome("not_sent", detail="connect: given up"))

    def _open_succeeded(self, session: Session) -> None:
        self._failures = 0
        self.session = session
        self.phase = "idle"
        job, self._job = self._job, None
        if self._pool.closing and job is None:
            self._quit()
            self._pool.cooled(self)
        else:
            self._pool.opened(self, job)

    def _open_failed(self, error: OpenFailedError) -> None:
        self._failures = min(self._failures + 1, _FAILURES_MAX)
        self.phase = "cold"
        self._pool.not_opened(error)
        self._retry(error.wait_ms)
        if error.kind == "throttled" and not self._pool.up:
            # Where others are up, it is one connection too many, and no reason to pause them.
            outcome = Outcome("throttled", detail=error.detail, wait_ms=error.wait_ms)
        elif error.kind == "fault":
            outcome = Outcome("account_fault", detail=error.detail)
        else:
            outcome = Outcome("not_sent", detail=f"connect: {error.detail}")
        self._give_back(outcome)

    def _give_back(self, outcome: Outcome) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._pool.ended(job, outcome)

    def _retry(self, wait_ms: int = 0) -> None:
        if self._pool.closing:
            self.phase = "cold"
            return
        self.phase = "waiting"
        delay_s = self._pool.backoff_s(self._failures, wait_ms)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.open)

    def _quit(self) -> None:
        session, self.session = self.session, None
        assert session is not None
        self.phase = "cold"
        if session.usable:
            session.quit()
        else:
            session.abort("closed")

    # --- SessionOwner ---

    def connected(self, session: Session) -> None:
        self._pool.session_connected(session)

    def finished(self, session: Session, job: Job, outcome: Outcome, stale: bool) -> None:
        if stale and not self._pool.closing:
            self.session = None
            self.open(job)
            return
        if session.usable and not self._pool.closing and not self._pool.full(session):
            self.phase = "idle"
            self._pool.rested(self)
        else:
            on_purpose = session.usable or outcome.kind == "withdrawn"
            if session.usable:
                self._quit()
            self.session = None
            self.phase = "cold"
            if not on_purpose or not self._pool.proven:
                self._retry()
            self._pool.cooled(self)
        self._pool.ended(job, outcome)

    def left(self, session: Session, why: str) -> None:
        if session is not self.session:
            return
        self.session = None
        self.phase = "cold"
        # Where the server closed it, connecting again soon tells whether it is gone. While no
        # attempt succeeds, cold lanes are not used, and this one would be lost.
        if why or not self._pool.proven:
            self._retry()
        self._pool.cooled(self)

    def late(self, _session: Session, job: Job, outcome: Outcome) -> None:
        self._pool.answered_late(job, outcome)

    def closed(self, session: Session) -> None:
        self._pool.session_closed(session)
