"""One SMTP connection of the sandbox: the conversation, its TLS, its end.

What an e-mail comes to is decided by `mail_server.MailServer`. Commands may be pipelined; replies
to what came together go out together. While a reply is held back by `latency_ms`, nothing else is
read.
"""

import asyncio
import ssl
from collections.abc import Callable

from core.sandbox import smtp_words
from core.sandbox.gate import Gate, Peer
from core.sandbox.mail_server import MailServer, Verdict
from core.sandbox.smtp_auth import Auth
from core.sandbox.smtp_data import DataBlock

_HANDSHAKE_S = 10.0
_BAD_SEQUENCE = "503 5.5.1 Bad sequence of commands"


class SmtpSession(Peer):
    """One client connection."""

    def __init__(self, gate: Gate, server: MailServer, tls: ssl.SSLContext) -> None:
        super().__init__(gate)
        self._server = server
        self._tls = tls
        self._buffer = bytearray()
        self._replies: list[str] = []
        self._busy = False
        self._heard = True
        self._quiet: asyncio.TimerHandle | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._forget_client()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.send(b"220 sandbox ESMTP GouTong sandbox\r\n")
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self.hung:
            return
        self._heard = True
        self._buffer += data
        self._go_on()

    def resume_writing(self) -> None:
        if not self._busy:
            super().resume_writing()

    def _forget_client(self) -> None:
        self._greeted = self._secure = False
        self._auth = Auth()
        self._forget_mail()

    def _forget_mail(self) -> None:
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._block: DataBlock | None = None

    def _go_on(self) -> None:
        """Work through what has come, and send the replies."""
        while not self._busy and not self.hung and self.transport is not None:
            block = self._block
            if not (self._take_line() if block is None else self._take_data(block)):
                break
        self._flush()

    def _flush(self) -> None:
        if self._replies:
            self.send("".join(f"{reply}\r\n" for reply in self._replies).encode())
            self._replies.clear()

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\n")
        too_long = self._server.limits.command_bytes_max
        if end < 0 or end > too_long:
            if len(self._buffer) > too_long:
                self._replies.append("500 5.5.2 Line too long")
                self._end()
            return False
        line = self._buffer[:end].decode("utf-8", "replace").rstrip("\r")
        del self._buffer[: end + 1]
        if self._auth.waiting:
            self._replies.append(self._auth.answer(line))
        else:
            self._command(line)
        return True

    def _command(self, line: str) -> None:
        word, _, argument = line.partition(" ")
        handler = _COMMANDS.get(word.upper())
        if handler is None:
            self._replies.append("500 5.5.1 Command not known")
            return
        reply = handler(self, argument.strip())
        if reply:
            self._replies.append(reply)

    def _helo(self, _argument: str) -> str:
        self._greeted = True
        self._forget_mail()
        return "250 sandbox"

    def _ehlo(self, argument: str) -> str:
        self._helo(argument)
        return smtp_words.greeting(self._secure, self._server.limits.mail_bytes_max)

    def _mail(self, argument: str) -> str:
        if not self._greeted or self._sender is not None:
            return _BAD_SEQUENCE
        parsed = smtp_words.read_from(argument)
        if parsed is None:
            return "501 5.1.7 Write MAIL FROM:<address>"
        if parsed.size > self._server.limits.mail_bytes_max:
            return "552 5.3.4 Message too big"
        self._sender = parsed.sender
        return "250 2.1.0 Ok"

    def _rcpt(self, argument: str) -> str:
        if self._sender is None:
            return _BAD_SEQUENCE
        recipient = smtp_words.read_to(argument)
        if recipient is None:
            return "501 5.1.3 Write RCPT TO:<address>"
        if len(self._recipients) >= self._server.limits.mail_recipients_max:
            return "452 4.5.3 Too many recipients"
        refused = self._server.refused_recipient(recipient)
        if refused is not None:
            return refused
        self._recipients.append(recipient)
        return "250 2.1.5 Ok"

    def _data(self, _argument: str) -> str:
        if self._sender is None:
            return _BAD_SEQUENCE
        if not self._recipients:
            return "554 5.5.1 No valid recipients"
        self._block = DataBlock(self._server.limits.mail_bytes_max)
        self._block.begin(self._buffer)
        return "354 End data with <CR><LF>.<CR><LF>"

    def _rset(self, _argument: str) -> str:
        self._forget_mail()
        return "250 2.0.0 Ok"

    def _quit(self, _argument: str) -> str:
        self._replies.append("221 2.0.0 Bye")
        self._end()
        return ""

    def _authenticate(self, argument: str) -> str:
        if not self._greeted or self._sender is not None:
            return _BAD_SEQUENCE
        return self._auth.begin(argument)

    def _starttls(self, _argument: str) -> str:
        if self._secure or not self._greeted or self._sender is not None:
            return _BAD_SEQUENCE
        self._replies.append("220 2.0.0 Go ahead")
        self._flush()
        # What was sent before the handshake must not count as if it came after it.
        self._buffer.clear()
        self._hold()
        self._handshake = asyncio.get_running_loop().create_task(self._to_tls())
        return ""

    async def _to_tls(self) -> None:
        if await self.secure(self._tls, _HANDSHAKE_S):
            self._forget_client()
            self._secure, self._busy = True, False
            self._go_on()

    def _take_data(self, block: DataBlock) -> bool:
        data = block.take(self._buffer)
        if data is None:
            return False
        sender, recipients = self._sender or "", self._recipients
        self._forget_mail()
        if block.oversized:
            self._finish(self._server.too_large(recipients))
        else:
            self._finish(self._server.received(sender, recipients, data))
        return True

    def _finish(self, verdict: Verdict) -> None:
        if verdict.after == "reset":
            self.reset()
        elif verdict.after == "hang":
            self.hang()
        elif verdict.latency_ms:
            self._flush()
            self._hold()
            asyncio.get_running_loop().call_later(
                verdict.latency_ms / 1000, self._reply_late, verdict.reply
            )
        else:
            self._replies.append(verdict.reply)

    def _reply_late(self, reply: str) -> None:
        self._busy = False
        self._replies.append(reply)
        if self.transport is not None:
            self.transport.resume_reading()
        self._go_on()

    def _hold(self) -> None:
        self._busy = True
        if self.transport is not None:
            self.transport.pause_reading()

    def _end(self) -> None:
        self._flush()
        self.close()
        self._busy = True

    def _watch(self) -> None:
        wait_s = self._server.limits.smtp_idle_ms / 1000
        self._quiet = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        """Close a connection on which nothing comes any more."""
        if self.hung:
            return
        if not self._heard and not self._busy:
            self.send(b"421 4.4.2 Timeout\r\n")
            self.close()
            return
        self._heard = False
        self._watch()


_COMMANDS: dict[str, Callable[[SmtpSession, str], str]] = {
    "EHLO": SmtpSession._ehlo,
    "HELO": SmtpSession._helo,
    "MAIL": SmtpSession._mail,
    "RCPT": SmtpSession._rcpt,
    "DATA": SmtpSession._data,
    "RSET": SmtpSession._rset,
    "NOOP": lambda _session, _argument: "250 2.0.0 Ok",
    "VRFY": lambda _session, _argument: "252 2.1.5 Send a message and see",
    "AUTH": SmtpSession._authenticate,
    "STARTTLS": SmtpSession._starttls,
    "QUIT": SmtpSession._quit,
}
