"""One SMPP connection of the sandbox's SMSC: framing, binding, links, and handing on.

What a message does is decided by `smsc.Smsc`; here is only the conversation. All PDUs that came
together are one `Turn`: their entries and records are written in one go, and only then anything is
answered. A connection that breaks the framing gets generic_nack and is closed.
"""

import asyncio
from typing import Protocol

from core.providers.smpp import codec
from core.providers.smpp.codec import FramingError, Pdu, PduReader
from core.providers.smpp.fields import PduError
from core.sandbox.behaviour import After
from core.sandbox.gate import Gate, Peer
from core.sandbox.history import Entry
from core.sandbox.journal import Receipt, Record
from core.sandbox.limits import SandboxLimits
from core.sandbox.receipts import Outbox, ReceiptDesk

SYSTEM_ID = "sandbox"
PASSWORD = "sandbox"  # noqa: S105 - documented, and for tests only

OK = 0x00
INVALID_COMMAND_LENGTH = 0x02
INVALID_COMMAND_ID = 0x03
WRONG_BIND_STATE = 0x04
ALREADY_BOUND = 0x05
WRONG_PASSWORD = 0x0E
WRONG_SYSTEM_ID = 0x0F

_RECEIPT_ANSWERS = (codec.DELIVER_SM_RESP, codec.GENERIC_NACK)
_BINDS = (codec.BIND_TRANSCEIVER, codec.BIND_TRANSMITTER, codec.BIND_RECEIVER)


class Turn:
    """What came of the PDUs that arrived together; nothing of it is said before it is written."""

    __slots__ = ("after", "answers", "closing", "entries", "late", "later", "records")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.records: list[Record] = []
        self.answers: list[bytes | Receipt] = []
        self.late: list[tuple[float, bytes]] = []
        self.later: list[Receipt] = []
        self.after: After = "accepted"
        self.closing = False


class Decider(Protocol):
    """The SMSC as a session sees it."""

    desk: ReceiptDesk
    limits: SandboxLimits

    def submitted(self, pdu: Pdu, turn: Turn) -> None: ...

    def write(self, turn: Turn) -> bool: ...


class SmscSession(Peer):
    """One client connection. `bound` is "", "transceiver", "transmitter" or "receiver"."""

    def __init__(self, gate: Gate, smsc: Decider) -> None:
        super().__init__(gate)
        self.outbox = Outbox()
        self.bound = ""
        self._smsc = smsc
        self._reader = PduReader()
        self._quiet: asyncio.TimerHandle | None = None
        self._heard = True
        self._waiting = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._heard = False
        self._watch(self._smsc.limits.bind_timeout_ms)

    def connection_lost(self, error: Exception | None) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self._smsc.desk.left(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self.hung or self.transport is None or self.transport.is_closing():
            return
        self._heard = True
        turn = Turn()
        try:
            pdus = self._reader.feed(data)
        except FramingError as error:
            pdus = error.before
            turn.closing = True
        for pdu in pdus:
            self._take(pdu, turn)
            # What came behind a PDU that ended the connection never reached the SMSC.
            if turn.after != "accepted" or pdu.command == codec.UNBIND:
                break
        else:
            if turn.closing:
                turn.answers.append(codec.bare(codec.GENERIC_NACK, 0, INVALID_COMMAND_LENGTH))
        self._carry_out(turn)

    def hang(self) -> None:
        """Answer nothing more; receipts go elsewhere."""
        super().hang()
        self._smsc.desk.left(self)

    def reset(self) -> None:
        """End the connection with RST; receipts go elsewhere."""
        super().reset()
        self._smsc.desk.left(self)

    def _take(self, pdu: Pdu, turn: Turn) -> None:
        command = pdu.command
        if command == codec.SUBMIT_SM:
            if self.bound in ("transceiver", "transmitter"):
                self._smsc.submitted(pdu, turn)
            else:
                turn.answers.append(codec.submit_sm_resp(pdu.sequence, WRONG_BIND_STATE))
        elif command in _RECEIPT_ANSWERS:
            good = command == codec.DELIVER_SM_RESP and pdu.status == OK
            record = self._smsc.desk.answered(self, pdu.sequence, good)
            if record is not None:
                turn.records.append(record)
        elif command == codec.ENQUIRE_LINK:
            turn.answers.append(codec.bare(codec.ENQUIRE_LINK_RESP, pdu.sequence))
        elif command in _BINDS:
            turn.answers.append(self._bind(pdu))
        elif command == codec.UNBIND:
            turn.answers.append(codec.bare(codec.UNBIND_RESP, pdu.sequence))
            turn.closing = True
        elif not command & codec.RESPONSE_BIT:
            nack = codec.bare(codec.GENERIC_NACK, pdu.sequence, INVALID_COMMAND_ID)
            turn.answers.append(nack)

    def _bind(self, pdu: Pdu) -> bytes:
        status = self._bind_status(pdu)
        answer = pdu.command | codec.RESPONSE_BIT
        if status != OK:
            return codec.bare(answer, pdu.sequence, status)
        self.bound = {
            codec.BIND_TRANSCEIVER: "transceiver",
            codec.BIND_TRANSMITTER: "transmitter",
            codec.BIND_RECEIVER: "receiver",
        }[pdu.command]
        body = SYSTEM_ID.encode() + b"\0"
        return codec.pack_header(16 + len(body), answer, OK, pdu.sequence) + body

    def _bind_status(self, pdu: Pdu) -> int:
        if self.bound:
            return ALREADY_BOUND
        try:
            bind = codec.read_bind(pdu.body)
        except PduError:
            return INVALID_COMMAND_LENGTH
        if bind.system_id != SYSTEM_ID:
            return WRONG_SYSTEM_ID
        return OK if bind.password == PASSWORD else WRONG_PASSWORD

    def _carry_out(self, turn: Turn) -> None:
        if not self._smsc.write(turn):
            # Not written is not told: the client has to take it for a lost connection.
            self.reset()
            return
        desk = self._smsc.desk
        if turn.after == "reset":
            self.reset()
        elif turn.after == "hang":
            self.hang()
        self._answer(turn, desk)
        for receipt in turn.later:
            desk.owe(receipt, self)
        desk.pump(self)
        if turn.closing:
            desk.left(self)
            if not self.hung:
                self.close()

    def _answer(self, turn: Turn, desk: ReceiptDesk) -> None:
        early_ok = self.outbox.open and turn.after == "accepted"
        pdus = []
        for answer in turn.answers:
            if isinstance(answer, bytes):
                pdus.append(answer)
            elif early_ok:
                pdus.append(desk.at_once(answer, self))
            else:
                desk.owe(answer, self)
        if turn.after != "accepted":
            return
        if pdus:
            self.send(b"".join(pdus))
        self._answer_late(turn)
        if self.bound in ("transceiver", "receiver") and not self.outbox.open:
            desk.joined(self)

    def _answer_late(self, turn: Turn) -> None:
        loop = asyncio.get_running_loop()
        for wait_ms, answer in turn.late:
            loop.call_later(wait_ms / 1000, self._send_late, answer)
        self._waiting += len(turn.late)
        if self._waiting >= self._smsc.limits.answers_waiting_max and self.transport is not None:
            self.transport.pause_reading()

    def _send_late(self, answer: bytes) -> None:
        self._waiting -= 1
        self.send(answer)
        if self._waiting == self._smsc.limits.answers_waiting_max - 1 and self.transport:
            self.transport.resume_reading()

    def _watch(self, wait_ms: int) -> None:
        self._quiet = asyncio.get_running_loop().call_later(wait_ms / 1000, self._look)

    def _look(self) -> None:
        """Close a connection that did not bind in time or on which nothing comes any more."""
        if self.hung:
            return
        if not self.bound or not self._heard:
            self.close()
            return
        self._heard = False
        self._watch(self._smsc.limits.smpp_idle_ms)
