"""What happened in a run, as an outsider sees it; the checkers read nothing else but the store."""

from collections.abc import Callable

from msgspec import Struct, field

from core.engine.payload import Payload, decode_payload
from core.sim.result import Violation
from core.sim.trace import Trace
from sync.records import Message, State


class ViolationError(AssertionError):
    """A checker found something. `checker` is its name."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker = checker
        self.what = what

    def found_at(self, at_s: float) -> Violation:
        """For the result."""
        return Violation(self.checker, self.what, round(at_s, 3))


class FirstByte(Struct):
    """A call reached a provider. `sent` says that it had an effect there."""

    at: float
    id: str
    epoch: int
    account: str
    key: str
    body: str
    attempt: str
    process: str
    region: str
    sent: bool = False


class Submitted(Struct):
    """A body that a client handed in under an id, and whether it was told that it is accepted.

    `region` took it in; `globally` is the durability that was asked for. `taken_from` are the
    regions whose edge handed it to a core that took it, whether the edge heard of that or not.
    """

    id: str
    body: str
    at_most_once: bool
    globally: bool
    region: str
    accepted: bool = False
    not_before_ms: int = 0
    taken_from: set[str] = field(default_factory=set)


class History:
    """Facts in the order of virtual time."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.submitted: list[Submitted] = []
        self.bytes: list[FirstByte] = []
        self.told: dict[str, list[tuple[float, State, str]]] = {}
        self.acked: list[tuple[str, str, str, str]] = []  # account, provider id, attempt, id
        self.untils: dict[str, str] = {}  # how far messages are to come
        self.followed: dict[str, str] = {}  # a message to the one that follows it
        self.minted: dict[str, list[str]] = {}  # where the map changes: a message to its ids
        self.events: set[str] = set()
        self.suppressed: dict[str, float] = {}
        self.on_told: Callable[[str, State, str], None] = lambda *_: None
        self.on_accepted: Callable[[Submitted], None] = lambda _: None
        self.on_follow: Callable[[str, str, float | None], None] = lambda *_: None

    def accept(self, submitted: Submitted, region: str) -> None:
        """A client was told that its message is accepted."""
        submitted.accepted, submitted.region = True, region
        self.on_accepted(submitted)

    def tell(self, at: float, message_id: str, state: State, by: str) -> None:
        """An owner told of a message's state."""
        self.told.setdefault(message_id, []).append((at, state, by))
        self.on_told(message_id, state, by)

    def follows(
        self, message: Message, payload: Payload, read_from: float | None, region: str
    ) -> None:
        """An owner is about to write what follows its parent, whose events it read then, or did
        not read (None)."""
        parent = payload.parent
        self.on_follow(parent, self.untils.get(parent, ""), read_from)
        self.untils[message.id] = message.until
        if parent not in self.followed:
            self.followed[parent] = message.id
            self.made(message, payload.text, region)

    def made(self, message: Message, body: str, region: str) -> None:
        """An owner is about to write a message of its own."""
        self.submitted.append(Submitted(message.id, body, message.at_most_once, False, region))

    def event(self, event: Message, body: str, region: str) -> None:
        """An owner is about to write an event."""
        if event.id not in self.events:
            self.events.add(event.id)
            self.made(event, body, region)

    def suppress(self, notification: str, at: float) -> None:
        """From then on the recipient of this notification is not sent to."""
        self.suppressed[notification] = at

    def is_suppressed(self, notification: str, now: float) -> bool:
        """Whether the recipient is suppressed now."""
        at = self.suppressed.get(notification)
        return at is not None and now >= at

    def sends(self, message_id: str) -> list[FirstByte]:
        """The calls of a message that had an effect."""
        return [b for b in self.bytes if b.id == message_id and b.sent]

    @staticmethod
    def text_of(message: Message) -> str:
        """What is sent of a message."""
        return decode_payload(message.payload).text
