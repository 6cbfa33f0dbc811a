"""What is written behind the logs, in this order: what follows from a message, then its views, and
then the by-id row that lets go of it.

So whoever takes over after a crash finds the row missing, and writes what follows once more: the
same ids, the same content. Everything is repeated until it stands, or until the logs are closed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from core.clock import Clock
from core.engine.chain import child_of
from core.engine.logs import Logs, Ticket
from core.engine.payload import content_of
from sync.hlc import Hlc
from sync.owner.owner import Owner
from sync.owner.state import Msg, WriteByIds
from sync.records import Message, Place
from sync.store.port import Answer, JournalStore, PutById, Write

AGAIN_S = 0.05


class Behind:
    """See the module's docstring.

    `events_of` makes the messages that tell others of a message's new states, `views_of` the
    writes of the views that show it.
    """

    def __init__(
        self, store: JournalStore, owner: Owner, logs: Logs, clock: Clock, hlc: Hlc
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._owner = owner
        self._logs = logs
        self._clock = clock
        self._hlc = hlc
        self._line: deque[_Place] = deque()
        self.events_of: Callable[[Msg], Iterable[Message]] = lambda _: ()
        self.views_of: Callable[[list[Msg]], Iterable[Write]] = lambda _: ()

    def follow(self, msg: Msg, then: Callable[[], None]) -> None:
        """Write the next message of a chain to an accept log."""
        assert msg.message is not None
        now_us = self._clock.wall_us()
        payload, stamp = content_of(msg), self._hlc.stamp(now_us)
        child = child_of(msg.message, payload, self._owner.home, stamp, now_us // 1000)
        self.accept(child, payload.durability == "global", then)

    def by_ids(self, command: WriteByIds, then: Callable[[], None]) -> None:
        """Write by-id rows: first the events of their messages, then the views.

        In line: what an earlier one gathered is not gathered again, so no later one overtakes it.
        """
        write, token = PutById(command.rows), command.token
        if isinstance(token, list):
            msgs = [msg for msg, *_ in token if msg.message is not None]
        elif token[0] == "parked":
            msgs = [msg for msg in token[1] if msg.message is not None]
        else:
            self.put(write, then)
            return
        events = [event for msg in msgs for event in self.events_of(msg)]
        views = list(self.views_of(msgs))
        place = _Place(write, then)
        self._line.append(place)

        def rows() -> None:
            place.ready = True
            while self._line and self._line[0].ready:
                first = self._line.popleft()
                self.put(first.write, first.then)

        def views_then_rows() -> None:
            if not views:
                rows()
                return
            viewed = _after(len(views), rows)
            for view in views:
                self.put(view, viewed)

        if not events:
            views_then_rows()
            return
        stands = _after(len(events), views_then_rows)
        for event in events:
            self.accept(event, False, stands)

    def accept(self, message: Message, globally: bool, then: Callable[[], None]) -> None:
        """Append a message to an own accept log, however long there is no room."""

        def told(place: Place | None) -> None:
            if place is not None:
                then()

        if not self._logs.accept_own(message, globally, Ticket(told)):
            self._again(lambda: self.accept(message, globally, then))

    def put(self, write: Write, then: Callable[[], None]) -> None:
        """Write to the store until it stands."""

        def answered(answer: Answer) -> None:
            if answer == "ok":
                then()
            else:
                self._again(lambda: self.put(write, then))

        self._store.submit(write, answered)

    def _again(self, do: Callable[[], None]) -> None:
        if not self._logs.revoked:
            self._loop.call_later(AGAIN_S, do)


class _Place:
    """By-id rows in line; `ready` once their events and views stand."""

    __slots__ = ("ready", "then", "write")

    def __init__(self, write: PutById, then: Callable[[], None]) -> None:
        self.write = write
        self.then = then
        self.ready = False


def _after(count: int, then: Callable[[], None]) -> Callable[[], None]:
    """To be called `count` times; `then` is called with the last one."""
    left = count

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            then()

    return one
