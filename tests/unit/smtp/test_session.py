"""The moment in which a call begins, seen from the transport."""

from typing import Any

from core.providers.port import Call, Outcome, OutMessage
from core.providers.smtp import Settings
from core.providers.smtp.mime import Mail
from core.providers.smtp.reply import Extensions
from core.providers.smtp.session import Session
from core.providers.smtp.transaction import Job, data_block

SETTINGS = Settings(host="127.0.0.1", from_address="news@example.com")
MAIL = Mail("news@example.com", "ann@example.net", b"Subject: x\r\n\r\nx\r\n", "<m@x>", False)


class Wire:
    """A transport and a session's owner that write down, in order, what happens."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.buffered = 0
        self.session = Session(SETTINGS, self)
        self.session.connection_made(self)
        self.session.ready(Extensions(pipelining=True))

    # what a transport does
    def write(self, data: bytes) -> None:
        self.events.append(data)

    def abort(self) -> None:
        self.events.append("abort")

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.buffered

    # what an owner is told
    def connected(self, session: Session) -> None: ...

    def left(self, session: Session, why: str) -> None: ...

    def late(self, session: Session, job: Job, outcome: Outcome) -> None: ...

    def closed(self, session: Session) -> None: ...

    def finished(self, session: Session, job: Job, outcome: Outcome, stale: bool) -> None:
        self.events.append(outcome.kind)

    def offer(self, guard: bool = True) -> None:
        """Begin a mail, and take what was written for it."""

        def asked() -> bool:
            self.events.append("guard")
            return guard

        call = Call(OutMessage(ref="m.a.1", to=MAIL.recipient), asked, lambda _: None)
        self.session.begin(Job(call, MAIL, data_block(MAIL)))
        assert len(self.events) == 1
        self.events.clear()


ENVELOPE_TAKEN = b"250 ok\r\n250 ok\r\n354 go on\r\n"


async def test_guard_and_first_byte_are_one_turn() -> None:
    wire = Wire()
    wire.offer()
    wire.session.data_received(ENVELOPE_TAKEN)
    assert wire.events == ["guard", data_block(MAIL)]
    wire.session.data_received(b"250 ok\r\n")
    assert wire.events[2:] == ["accepted"]
    wire.session.abort("over")


async def test_nothing_is_begun_while_something_waits_to_be_written() -> None:
    wire = Wire()
    wire.offer()
    wire.buffered = 5
    wire.session.data_received(ENVELOPE_TAKEN)
    assert wire.events == ["abort", "not_sent"]


async def test_a_guard_that_says_no_ends_the_connection_in_the_same_turn() -> None:
    wire = Wire()
    wire.offer(guard=False)
    wire.session.data_received(ENVELOPE_TAKEN)
    assert wire.events == ["guard", "abort", "withdrawn"]
