"""The calls of one session: queued, written and unanswered, resting between tries, told too early.

Every call that comes in through `submit` is told its outcome exactly once, by an answer, by
`expire` or by `lost`. The guard of a call is asked in `gather`; the session then writes what
`gather` returned in the same turn and reports through `begun` how much of it has left. A call
whose first byte could not leave yet stays queued and its guard is asked again next time. Only a
long message of which parts were taken and others refused may leave untold when the session ends:
it is handed to `carry`, and another session goes on with it.
"""

import logging
from collections import deque
from collections.abc import Callable

from core.providers.port import Call, Outcome
from core.providers.smpp.classify import StatusTable
from core.providers.smpp.codec import SEQUENCE_MAX, read_message_id, submit_sm_of
from core.providers.smpp.flight import (
    Flight,
    outcome_of,
    parts_to_repeat,
    settle,
    take_answer,
)
from core.providers.smpp.ids import normalise
from core.providers.smpp.settings import SmppSettings

# Sequence numbers of calls that timed out, remembered for answers that come after all.
_LATE_MAX = 10_000
# A write that meets a full kernel has asked the guards of all its calls for nothing.
_CALLS_IN_WRITE_MAX = 100
_TIMED_OUT = Outcome("unknown", code="timeout", detail="no answer from the SMSC in time")
_WITHDRAWN = Outcome("withdrawn")

_log = logging.getLogger(__name__)


class Window:
    """The calls of one session. `late` hears of answers to calls that were given up."""

    def __init__(
        self,
        settings: SmppSettings,
        statuses: StatusTable,
        late: Callable[[str, Outcome], None],
        carry: Callable[[Flight], None],
        time: Callable[[], float],
    ) -> None:
        self._statuses = statuses
        self._late = late
        self._carry = carry
        self._time = time
        self._notation = settings.id_notation
        self._size = settings.window
        self._part_tries_max = settings.part_tries_max
        self._response_timeout = settings.response_timeout_ms / 1000
        self._rest = settings.throttle_wait_ms / 1000
        self._repeat_for = settings.part_repeat_ms / 1000
        self._queue: deque[Flight] = deque()
        self._gathered: list[tuple[Flight, int]] = []
        self._withdrawn: list[Flight] = []
        self._outstanding: dict[int, tuple[Flight, int]] = {}
        self._given_up: dict[int, tuple[Flight, int]] = {}
        self._resting: list[tuple[float, Flight]] = []
        self._queued_parts = 0
        self._sequence = 0
        self._closed = False
        self.calls = 0

    def room(self) -> int:
        """How many more PDUs fit; a long message is let in whole as long as this is above 0."""
        return self._size - len(self._outstanding) - self._queued_parts

    def capacity(self) -> int:
        """How many calls may be under way: the window less what long messages take beyond one."""
        pdus = len(self._outstanding) + self._queued_parts
        return max(0, self._size - max(0, pdus - self.calls))

    def queued(self) -> bool:
        """Whether a call waits for its first byte."""
        return bool(self._queue)

    def waiting_since(self) -> float | None:
        """When the oldest unanswered call was written; None if all were answered."""
        for flight, _ in self._outstanding.values():
            return flight.deadline - self._response_timeout
        return None

    def next_sequence(self) -> int:
        """A sequence number that no unanswered PDU has."""
        self._sequence = self._sequence + 1 if self._sequence < SEQUENCE_MAX - 1 else 1
        return self._sequence

    def submit(self, call: Call, bodies: list[bytes]) -> None:
        """Queue a call for the next turn's write."""
        self.calls += 1
        self._queued_parts += len(bodies)
        self._queue.append(Flight(call, bodies, list(range(len(bodies)))))

    def adopt(self, flight: Flight) -> None:
        """Go on with a message that another session began."""
        self.calls += 1
        self._resting.append((self._time() + self._rest, flight))

    def gather(self) -> list[bytes]:
        """One chunk for each of the next queued calls whose guard lets it go."""
        chunks: list[bytes] = []
        while self._queue and len(chunks) < _CALLS_IN_WRITE_MAX:
            flight = self._queue.popleft()
            self._queued_parts -= len(flight.waiting)
            if not _allowed(flight.call):
                self._withdrawn.append(flight)
                continue
            first = self.next_sequence()
            chunk = submit_sm_of(first, flight.bodies[flight.waiting[0]])
            for part in flight.waiting[1:]:
                chunk += submit_sm_of(self.next_sequence(), flight.bodies[part])
            self._gathered.append((flight, first))
            chunks.append(chunk)
        return chunks

    def begun(self, count: int) -> None:
        """Of the chunks of the last `gather` the first `count` have begun; the others wait."""
        gathered, self._gathered = self._gathered, []
        deadline = self._time() + self._response_timeout
        for flight, sequence in gathered[:count]:
            flight.deadline = deadline
            flight.unanswered = len(flight.waiting)
            flight.tries += 1
            for part in flight.waiting:
                self._outstanding[sequence] = (flight, part)
                sequence = sequence + 1 if sequence < SEQUENCE_MAX - 1 else 1
        for flight, _ in reversed(gathered[count:]):
            self._queued_parts += len(flight.waiting)
            self._queue.appendleft(flight)
        withdrawn, self._withdrawn = self._withdrawn, []
        for flight in withdrawn:
            taken = bool(flight.ids)
            self._tell(flight, outcome_of(flight, self._statuses) if taken else _WITHDRAWN)

    def answered(self, sequence: int, status: int, body: bytes) -> bool:
        """Take an answer; False if it answers nothing that we know."""
        entry = self._outstanding.pop(sequence, None)
        if entry is None:
            return self._answered_late(sequence, status, body)
        flight, part = entry
        message_id = "" if status else normalise(read_message_id(body), self._notation, False)
        if len(flight.bodies) == 1:
            refused = status and self._statuses.refusal(status)
            self._tell(flight, refused or Outcome("accepted", message_id))
            return True
        take_answer(flight, part, status, message_id)
        if flight.unanswered == 0:
            flight.waiting = parts_to_repeat(flight, self._statuses, self._part_tries_max)
            self._repeat_or_tell(flight)
        return True

    def expire(self, now: float) -> None:
        """Give up what has waited too long for its answer; wake what has rested."""
        # Deadlines stand in the order of writing, so the first that is not due ends the search.
        while self._outstanding:
            sequence, entry = next(iter(self._outstanding.items()))
            if entry[0].deadline > now:
                break
            del self._outstanding[sequence]
            self._given_up[sequence] = entry
            if len(self._given_up) > _LATE_MAX:
                del self._given_up[next(iter(self._given_up))]
            self._tell(entry[0], _TIMED_OUT)
        while self._resting and self._resting[0][0] <= now:
            _, flight = self._resting.pop(0)
            self._queued_parts += len(flight.waiting)
            self._queue.append(flight)

    def drop_unbegun(self, reason: str) -> None:
        """Begin no call any more; parts of those that have begun may still be repeated."""
        dropped = [flight for flight in self._queue if not flight.ids]
        self._queue = deque(flight for flight in self._queue if flight.ids)
        self._queued_parts = sum([len(flight.waiting) for flight in self._queue])
        not_sent = Outcome("not_sent", detail=reason)
        for flight in dropped:
            self._tell(flight, not_sent)

    def drop_queue(self, reason: str) -> None:
        """Write nothing any more: calls of which nothing is unanswered leave this session now."""
        self._closed = True
        dropped = [*self._queue, *(flight for _, flight in self._resting)]
        self._queue.clear()
        self._resting.clear()
        self._queued_parts = 0
        not_sent = Outcome("not_sent", detail=reason)
        for flight in dropped:
            if flight.ids:
                self._repeat_or_tell(flight)
            else:
                self._tell(flight, not_sent)

    def lost(self, reason: str) -> None:
        """The link is gone: what was written and not answered is in doubt."""
        unanswered = list(self._outstanding.values())
        self._outstanding.clear()
        self._given_up.clear()
        self.drop_queue(reason)
        in_doubt = Outcome("unknown", code="link_lost", detail=reason)
        for flight, _ in unanswered:
            self._tell(flight, in_doubt)

    def _answered_late(self, sequence: int, status: int, body: bytes) -> bool:
        entry = self._given_up.pop(sequence, None)
        if entry is None:
            return False
        flight, part = entry
        message_id = "" if status else normalise(read_message_id(body), self._notation, False)
        take_answer(flight, part, status, message_id)
        if flight.unanswered == 0:
            self._late(flight.call.message.ref, outcome_of(flight, self._statuses))
        return True

    def _repeat_or_tell(self, flight: Flight) -> None:
        """A long message all of whose written parts were answered: go on with it, or end it."""
        now = self._time()
        flight.repeat_until = flight.repeat_until or now + self._repeat_for
        if not flight.waiting or now >= flight.repeat_until:
            self._tell(flight, outcome_of(flight, self._statuses))
        elif self._closed:
            self.calls -= 1
            self._carry(flight)
        else:
            self._resting.append((now + self._rest, flight))

    def _tell(self, flight: Flight, outcome: Outcome) -> None:
        if not flight.told:
            self.calls -= 1
            settle(flight, outcome)


def _allowed(call: Call) -> bool:
    try:
        return call.guard()
    except Exception:
        _log.exception("guard() failed; the call is withdrawn", extra={"ref": call.message.ref})
        return False
