"""What happened in a run, as an outsider sees it; the checkers read nothing else but the store."""

from collections.abc import Callable

from msgspec import Struct

from sync.records import Message, State


class ViolationError(AssertionError):
    """A checker found something. `checker` is its name."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker = checker


class FirstByte(Struct):
    """A call reached a provider. `sent` says that it had an effect there."""

    at: float
    id: str
    shard: int
    epoch: int
    account: str
    key: str
    body: bytes
    attempt: str
    resend: int
    sent: bool


class Submitted(Struct):
    """A body that a client handed in under an id, and whether it was told that it is accepted."""

    id: str
    body: bytes
    at_most_once: bool
    accepted: bool = False
    not_before_ms: int = 0


class History:
    """Facts in the order of virtual time."""

    def __init__(self) -> None:
        self.submitted: list[Submitted] = []
        self.bytes: list[FirstByte] = []
        self.told: dict[str, list[tuple[float, State, str]]] = {}
        self.acked: list[tuple[str, str, str, str]] = []  # account, provider id, attempt, id
        self.trail: list[tuple[float, str, str]] = []
        self.on_told: Callable[[str, State], None] = lambda *_: None
        self.followed: dict[str, str] = {}  # a message to the one that follows it
        self.events: set[str] = set()
        self.suppressed: dict[str, float] = {}
        self.on_follow: Callable[[Message, float], None] = lambda *_: None

    def tell(self, at: float, message_id: str, state: State, by: str) -> None:
        """An owner told of a message's state."""
        self.told.setdefault(message_id, []).append((at, state, by))
        self.on_told(message_id, state)

    def follows(self, message: Message, child: Message, read_from: float) -> None:
        """An owner is about to write what follows; its events were last read from then on."""
        self.on_follow(message, read_from)
        if message.id not in self.followed:
            self.followed[message.id] = child.id
            self.submitted.append(Submitted(child.id, child.payload, child.at_most_once))

    def made(self, event: Message) -> None:
        """An owner is about to write an event."""
        if event.id not in self.events:
            self.events.add(event.id)
            self.submitted.append(Submitted(event.id, event.payload, event.at_most_once))

    def suppress(self, message_id: str, at: float) -> None:
        """From then on the message's recipient is not sent to."""
        self.suppressed[message_id] = at

    def is_suppressed(self, message_id: str, now: float) -> bool:
        """Whether the message's recipient is suppressed now."""
        at = self.suppressed.get(message_id)
        return at is not None and now >= at

    def sends(self, message_id: str) -> list[FirstByte]:
        """The calls of a message that had an effect."""
        return [b for b in self.bytes if b.id == message_id and b.sent]
