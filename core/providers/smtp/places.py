"""Which mail goes over which of an account's lanes, and which mails wait for one.

A mail that finds no idle lane waits, and the mails that wait are taken in the order in which they
came: by a lane that comes to rest, or by a cold one, which is opened for it. Waiting costs no
right to send: the guard is asked by the lane, right before the data block, as of any mail.

`capacity` is the number of places for a connection times (1 + `queue_ahead`). What is more than
that ends as `not_sent`, the youngest first: when it is put, and when places are lost. So without
a place nothing waits, and nothing can wait for ever, because each place that counts is one where
something is going to happen within the time-outs.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from core.providers.port import Call, Outcome
from core.providers.smtp.lane import Lane
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.transaction import Job, unfit


class Chances(Protocol):
    """What decides, beside the lanes' own phases, whether a lane is a place."""

    @property
    def closing(self) -> bool:
        """Whether no waiting mail may be begun any more."""

    @property
    def proven(self) -> bool:
        """Whether a cold lane may be opened for a mail."""


class Places:
    """See the module. `refuse` is called for each mail that ends here; it must not call back."""

    def __init__(
        self,
        lanes: list[Lane],
        chances: Chances,
        settings: SmtpSettings,
        refuse: Callable[[Call, Outcome], None],
    ) -> None:
        self.capacity = 0
        self._lanes = lanes
        self._chances = chances
        self._queue_ahead = settings.queue_ahead
        self._waiting_max = 0  # while each place has a mail in hand
        self._size_max_bytes = settings.size_max_bytes
        self._refuse = refuse
        self._idle: list[Lane] = []  # the last used is used next, so that the others may close
        self._waiting: deque[Job] = deque()

    def put(self, job: Job) -> None:
        """Offer the mail on an idle connection, open one for it, or let it wait."""
        self._waiting.append(job)
        self.serve()
        self._end_excess()

    def idle(self, lane: Lane) -> None:
        """The lane may carry a mail; `serve` gives it one."""
        self._idle.append(lane)

    def opened(self, lane: Lane, job: Job | None) -> None:
        """The lane was opened, for `job` if there is one, which goes before those that wait.

        It goes even while the account is closing: a mail that a lane has taken is under way.
        """
        if job is None:
            self._idle.append(lane)
        elif not self._offer(lane, job):
            self._waiting.appendleft(job)

    def cooled(self, lane: Lane) -> None:
        """The lane is not idle any more."""
        if lane in self._idle:
            self._idle.remove(lane)

    def recount(self) -> None:
        """Count the places after anything but the plain change of idle and busy."""
        places = 0 if self._chances.closing else sum(map(self._is_place, self._lanes))
        self._waiting_max = places * self._queue_ahead
        self.capacity = places + self._waiting_max
        self._end_excess()

    def serve(self) -> None:
        """Give waiting mails to lanes, the oldest first, as long as there are both."""
        while self._waiting and not self._chances.closing:
            lane = self._idle.pop() if self._idle else self._cold()
            if lane is None:
                return
            job = self._waiting.popleft()
            if lane.phase == "cold":
                lane.open(job)
            elif not self._offer(lane, job):
                self._waiting.appendleft(job)

    # --- inside ---

    def _offer(self, lane: Lane, job: Job) -> bool:
        """Carry the mail on an idle lane, or refuse it. False: it is not the lane's any more."""
        session = lane.session
        if session is None or not session.usable:
            return False  # it is closing, and will say so in a moment
        refusal = unfit(job.mail, session.extensions, self._size_max_bytes)
        if refusal is None:
            lane.carry(job)
        else:
            self._idle.append(lane)
            self._refuse(job.call, refusal)
        return True

    def _cold(self) -> Lane | None:
        if not self._chances.proven:
            return None
        return next((lane for lane in self._lanes if lane.phase == "cold"), None)

    def _is_place(self, lane: Lane) -> bool:
        if lane.phase == "cold":
            return self._chances.proven
        return lane.phase in ("idle", "busy") or lane.awaited

    def _end_excess(self) -> None:
        if len(self._waiting) <= self._waiting_max:
            return
        room = max(0, self.capacity - sum(lane.carries for lane in self._lanes))
        while len(self._waiting) > room:
            job = self._waiting.pop()
            self._refuse(job.call, Outcome("not_sent", detail="no connection is free"))
