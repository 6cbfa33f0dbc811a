"""The lean SMTP sink: takes every mail and keeps none.

It knows EHLO, MAIL, RCPT, DATA, RSET, NOOP and QUIT, takes pipelined commands, and answers a
chunk with one write. A mail counts when its end (a line with a dot) was read and 250 is written.
"""

import asyncio
from typing import cast

from core.bench.lean.goal import Goal

LINE_BYTES_MAX = 4_096
_END = b"\r\n.\r\n"
_EHLO = b"250-lean\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 33554432\r\n"
_OK = b"250 2.0.0 ok\r\n"
_ANSWERS = {
    b"EHLO": _EHLO,
    b"HELO": b"250 lean\r\n",
    b"MAIL": _OK,
    b"RSET": _OK,
    b"NOOP": _OK,
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
_UNKNOWN = b"500 5.5.2 unknown command\r\n"


class SmtpTally:
    """What all sessions of the sink share."""

    __slots__ = ("mails", "recipients")

    def __init__(self, mails: Goal) -> None:
        self.mails = mails
        self.recipients: set[bytes] = set()

    def begin(self) -> None:
        """Forget the recipients of the last run."""
        self.recipients = set()


class SmtpSession(asyncio.Protocol):
    """One client's session."""

    __slots__ = ("_in_data", "_rest", "_tally", "_transport")

    def __init__(self, tally: SmtpTally) -> None:
        self._tally = tally
        self._rest = b""
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 lean ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        out: list[bytes] = []
        done = 0
        at = 0
        quitting = False
        while not quitting:
            if self._in_data:
                end = data.find(_END, at)
                if end < 0:
                    at = max(at, len(data) - len(_END) + 1)
                    break
                at = end + len(_END)
                self._in_data = False
                out.append(_OK)
                done += 1
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            line = data[at:end]
            quitting = self._command(line, out)
            # The line end of DATA stays: it is the one before the dot of an empty mail.
            at = end if self._in_data else end + 2
        self._rest = data[at:]
        assert self._transport is not None
        if out:
            self._transport.write(b"".join(out))
        if done:
            self._tally.mails.hit(done)
        if quitting or (not self._in_data and len(self._rest) > LINE_BYTES_MAX):
            self._transport.close()

    def _command(self, line: bytes, out: list[bytes]) -> bool:
        """Answer one command line; True means that the client is leaving."""
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._tally.recipients.add(line[8:])
            out.append(_OK)
            return False
        out.append(_ANSWERS.get(verb, _UNKNOWN))
        self._in_data = verb == b"DATA"
        return verb == b"QUIT"
