"""core/engine/behind.py in virtual time: what follows, views and by-id rows, in the same order.

Chains, events and views are the core's own; one endpoint hears of every message.
"""

from collections import deque
from collections.abc import Callable

from core.engine.chain import child_of, later_ids
from core.engine.payload import Payload, Step, content_of, encode_payload
from core.views.writer import Views
from core.webhooks.events import events_of
from core.webhooks.store import Endpoint
from sync.owner.state import Msg, WriteByIds
from sync.records import Message, Place
from sync.store.port import Answer, PutById, Write
from tests.support.world.logs import Ticket
from tests.support.world.plan import HOME
from tests.support.world.process import Core

AGAIN_S = 0.05
TENANT = "t"
ENDPOINT = Endpoint(TENANT, "ep", "https://hook", (), True, "", 0, ())


def body_of(text: str, steps: int = 0) -> bytes:
    """A message's content, with so many later channels."""
    later = tuple(Step("email", "a@b", "ZZ", f"{text}{n}") for n in range(1, steps + 1))
    return encode_payload(
        Payload(TENANT, "n", "sms", "+1", "ZZ", "alert", "local", "", text, steps=later)
    )


def chain_of(message_id: str) -> list[str]:
    """The ids of all that may follow a message with two later channels."""
    steps = (Step("email", "a@b", "ZZ"),) * 2
    first = Payload(TENANT, "n", "sms", "+1", "ZZ", "alert", "local", "", steps=steps)
    return later_ids(message_id, first)


class SimBehind:
    """What is written behind the logs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._line: deque[_Place] = deque()
        self._views = Views(core.incarnation, core.wall_ms, 1_000)

    def follow(self, msg: Msg, read_from: float, then: Callable[[], None]) -> None:
        """Write the next message of a chain to an accept log."""
        core, message = self._core, msg.message
        assert message is not None
        now_ms = core.wall_ms()
        child = child_of(message, content_of(msg), HOME, now_ms * 1000, now_ms)
        core.history.follows(message, child, read_from)
        self.accept(child, then)

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
        events = [event for msg in msgs for event in self._events_of(msg)]
        views = list(self._views.writes_of(msgs))
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
            self._core.history.made(event)
            self.accept(event, stands)

    def _events_of(self, msg: Msg) -> list[Message]:
        if not self._core.plan.events:
            return []
        return events_of(msg, content_of(msg), [ENDPOINT], HOME, self._core.wall_ms())

    def accept(self, message: Message, then: Callable[[], None]) -> None:
        """Append a message to an own accept log, however long there is no room."""

        def told(place: Place | None) -> None:
            if place is not None:
                then()

        if not self._core.logs.accept(message, message.urgent, Ticket(told)):
            self._again(lambda: self.accept(message, then))

    def put(self, write: Write, then: Callable[[], None]) -> None:
        """Write to the store until it stands."""

        def answered(answer: Answer) -> None:
            if answer == "ok":
                then()
            else:
                self._again(lambda: self.put(write, then))

        self._core.submit(write, answered)

    def _again(self, do: Callable[[], None]) -> None:
        if not self._core.logs.revoked:
            self._core.later(AGAIN_S, do)


class _Place:
    """By-id rows in line; `ready` once their events and views stand."""

    __slots__ = ("ready", "then", "write")

    def __init__(self, write: PutById, then: Callable[[], None]) -> None:
        self.write = write
        self.then = then
        self.ready = False


def _after(count: int, then: Callable[[], None]) -> Callable[[], None]:
    left = count

    def one() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            then()

    return one
