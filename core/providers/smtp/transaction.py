"""One mail's way through an SMTP session: replies in, what to do next out. Pure.

With PIPELINING the envelope (MAIL, RCPT, DATA) goes out in one write and its three replies are
awaited; without it the commands go one by one. The call, in the sense of PROTOCOL.md 6, begins
with the data block after the reply 354: until `begin_body()` every way out is a definite no,
after it only the server's word is.
"""

from typing import Literal

from msgspec import Struct

from core.providers.port import Call, Outcome
from core.providers.smtp.classify import Phase, accepted, refused
from core.providers.smtp.mime import Mail
from core.providers.smtp.reply import Extensions, Reply

_Stage = Literal["reset", "mail", "rcpt", "data", "blank", "body"]
_PHASES: dict[str, Phase] = {"mail": "mail", "rcpt": "rcpt", "data": "data", "body": "body"}


class Job(Struct, frozen=True):
    """One call with its mail; `block` is the whole data block, the final dot included."""

    call: Call
    mail: Mail
    block: bytes


class Step(Struct, frozen=True, gc=False):
    """What the session has to do after a reply."""

    write: bytes = b""
    body: bool = False  # the server waits for the data block: ask the guard
    outcome: Outcome | None = None  # the mail's way here is at its end
    close: bool = False  # the connection is not fit for another mail
    stale: bool = False  # the kept connection had ended before it took a word about this mail


class Waits(Struct, frozen=True, gc=False):
    """The waits that a throttling reply may lead to."""

    default_ms: int
    max_ms: int


_WAIT = Step()
_BODY = Step(body=True)
# RFC 2920: where all recipients were refused and DATA was answered 354 all the same, the client
# ends the empty data; nobody can get a mail of it.
_BLANK = Step(write=b".\r\n")


def data_block(mail: Mail) -> bytes:
    """The mail as it goes over the wire: dots stuffed, the final dot added (RFC 5321 4.5.2)."""
    return mail.data.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def unfit(mail: Mail, extensions: Extensions, size_max_bytes: int) -> Outcome | None:
    """Why this server cannot be offered this mail at all, or None."""
    if mail.utf8 and not extensions.smtputf8:
        return Outcome("permanent", detail="an address needs SMTPUTF8, which is not offered")
    limit = min(size_max_bytes, extensions.size_max or size_max_bytes)
    if len(mail.data) > limit:
        detail = f"the mail has {len(mail.data)} bytes; the limit is {limit}"
        return Outcome("permanent", code="552", detail=detail)
    return None


class Transaction:
    """The state of one mail in one session."""

    __slots__ = (
        "_at",
        "_commands",
        "_mail",
        "_pipelined",
        "_refusal",
        "_refused_at",
        "_reused",
        "_waits",
    )

    def __init__(
        self, mail: Mail, extensions: Extensions, waits: Waits, *, reset_first: bool, reused: bool
    ) -> None:
        self._mail = mail
        self._waits = waits
        self._pipelined = extensions.pipelining
        self._reused = reused
        self._refusal: Outcome | None = None
        self._refused_at: _Stage = "mail"
        self._at = 0
        size = f" SIZE={len(mail.data)}" if extensions.size_offered else ""
        utf8 = " BODY=8BITMIME SMTPUTF8" if mail.utf8 else ""
        self._commands: list[tuple[_Stage, bytes]] = [
            ("mail", f"MAIL FROM:<{mail.sender}>{size}{utf8}\r\n".encode()),
            ("rcpt", f"RCPT TO:<{mail.recipient}>\r\n".encode()),
            ("data", b"DATA\r\n"),
            ("blank", b""),
            ("body", b""),
        ]
        if reset_first:
            self._commands.insert(0, ("reset", b"RSET\r\n"))

    @property
    def stage(self) -> _Stage:
        """What the next reply will answer."""
        return self._commands[self._at][0]

    @property
    def begun(self) -> bool:
        """Whether the data block may have left."""
        return self._at == len(self._commands) - 1

    def start(self) -> bytes:
        """What to write first."""
        if self._pipelined:
            return b"".join([command for _, command in self._commands])
        return self._commands[0][1]

    def begin_body(self) -> None:
        """The data block is being written now: from here on a loss is a doubt."""
        self._at = len(self._commands) - 1

    def reply(self, reply: Reply, *, alone: bool, drained: bool) -> Step:
        """The server has spoken.

        `alone` says that nothing follows what it said, `drained` that everything which was to be
        written has left this process.
        """
        stage = self.stage
        if stage == "body":
            return self._final(reply, alone, drained)
        if stage == "blank":
            # Only an error fits here: the mail had no recipient.
            fits = alone and reply.code >= 500
            return Step(outcome=self._refusal or _odd(stage, reply), close=not fits)
        if reply.code == 421:
            outcome = self._refusal or self._refused(reply, _PHASES.get(stage, "mail"))
            return Step(outcome=outcome, close=True, stale=self._reused and self._at == 0)
        if stage == "data":
            return self._data(reply, alone)
        if reply.code < 300:
            return self._next()
        if stage == "reset" or reply.code < 400:
            return Step(outcome=self._refusal or _odd(stage, reply), close=True)
        if self._refusal is None:
            self._refusal = self._refused(reply, _PHASES[stage])
            self._refused_at = stage
        if self._pipelined:
            return self._next()
        return Step(outcome=self._refusal, close=not alone)

    def given_up(self, reason: str) -> Step:
        """The connection is lost, or is being given up, or the time is up."""
        if self.begun:
            return Step(outcome=Outcome("unknown", detail=f"body: {reason}"), close=True)
        outcome = self._refusal or Outcome("not_sent", detail=f"{self.stage}: {reason}")
        return Step(outcome=outcome, close=True, stale=self._reused and self._at == 0)

    def _next(self) -> Step:
        self._at += 1
        return _WAIT if self._pipelined else Step(write=self._commands[self._at][1])

    def _data(self, reply: Reply, alone: bool) -> Step:
        if reply.code >= 400:
            outcome = self._refusal or self._refused(reply, "data")
            return Step(outcome=outcome, close=not alone)
        if self._refusal is not None:
            if reply.code == 354 and alone and self._refused_at == "rcpt":
                self._at += 1
                return _BLANK
            return Step(outcome=self._refusal, close=True)
        if reply.code != 354 or not alone:
            # A server that has more to say than 354 answers something that was not asked.
            return Step(outcome=_odd("data", reply), close=True)
        return _BODY

    def _final(self, reply: Reply, alone: bool, drained: bool) -> Step:
        # A connection that still holds a part of the block is reset, lest that part be read as
        # commands once the server has answered.
        close = not alone or not drained or reply.code == 421
        if reply.code >= 400:
            return Step(outcome=self._refused(reply, "body"), close=close)
        if reply.code < 300 and drained:
            return Step(outcome=accepted(reply, self._mail.message_id), close=close)
        # Neither a yes nor a no, or a yes to a mail whose end the server cannot have read.
        detail = "body: the reply does not fit the command"
        return Step(outcome=Outcome("unknown", code=str(reply.code), detail=detail), close=True)

    def _refused(self, reply: Reply, phase: Phase) -> Outcome:
        return refused(
            reply,
            phase,
            recipient=self._mail.recipient,
            throttle_wait_ms=self._waits.default_ms,
            wait_max_ms=self._waits.max_ms,
        )


def _odd(stage: _Stage, reply: Reply) -> Outcome:
    detail = f"{stage}: the reply does not fit the command"
    return Outcome("not_sent", code=str(reply.code), detail=detail)
