"""The lean SMSC: takes `submit_sm`, answers at once, and sends a receipt after a fixed delay.

It reads of a PDU only what a receipt needs, writes once for each chunk that it read and once for
all receipts that fall due together, and repeats a receipt that was refused (command status not 0)
after a second, as a real SMSC does. Password and system id are not looked at.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

from core.bench.lean.awaited import Awaited
from core.bench.lean.goal import Goal

HEADER = struct.Struct(">IIII")
SUBMIT_SM, DELIVER_SM, ENQUIRE_LINK, UNBIND = 0x04, 0x05, 0x15, 0x06
BINDS = frozenset({0x01, 0x02, 0x09})
RESPONSE = 0x80000000
GENERIC_NACK = 0x80000000
PDU_BYTES_MAX = 65_536
RECEIPT_TICK_S = 0.005  # receipts that fall due within this time leave in one write
REFUSED_REPEAT_S = 1.0

_RECEIPT_TEXT = (
    b"id:%010d sub:001 dlvrd:001 submit date:2601010000 done date:2601010000"
    b" stat:DELIVRD err:000 text:"
)
_RECEIPT_TEXT_LENGTH = len(_RECEIPT_TEXT % 0)
_AFTER_ADDRESSES = b"\x04\0\0\0\0\0\0\0\0" + bytes([_RECEIPT_TEXT_LENGTH])
_RECEIPT_FIXED = 16 + 1 + 2 + 1 + 2 + 1 + len(_AFTER_ADDRESSES) + _RECEIPT_TEXT_LENGTH


class BadPduError(Exception):
    """The client sent a length that no PDU has."""


def read_submit(data: bytes, at: int) -> tuple[bytes, bytes, bool]:
    """(source, destination, wants a receipt) of the submit_sm whose header begins at `at`."""
    source_at = data.index(0, at + 16) + 3
    source_end = data.index(0, source_at)
    destination_at = source_end + 3
    destination_end = data.index(0, destination_at)
    schedule_end = data.index(0, destination_end + 4)
    registered = data[data.index(0, schedule_end + 1) + 1]
    return data[source_at:source_end], data[destination_at:destination_end], registered & 3 != 0


def submit_answer(sequence: int, number: int) -> bytes:
    """submit_sm_resp with the message id `number` (ten digits)."""
    return HEADER.pack(27, 0x80000004, 0, sequence) + b"%010d\0" % number


def receipt(sequence: int, number: int, source: bytes, destination: bytes) -> bytes:
    """deliver_sm that says DELIVRD of message `number`, from its recipient to its sender."""
    return b"%b\0\1\1%b\0\1\1%b\0%b%b" % (
        HEADER.pack(_RECEIPT_FIXED + len(source) + len(destination), DELIVER_SM, 0, sequence),
        destination,
        source,
        _AFTER_ADDRESSES,
        _RECEIPT_TEXT % number,
    )


class Smsc:
    """What all connections of the SMSC share: counts, ids, and the receipts to come."""

    __slots__ = (
        "_due",
        "_ticking",
        "acked",
        "awaited",
        "call_later",
        "destinations",
        "next_id",
        "now",
        "receipt_delay_s",
        "refused",
        "submits",
    )

    def __init__(
        self,
        acked: Goal,
        first_id: int,
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.acked = acked
        self.awaited: Awaited | None = None
        self.next_id = first_id
        self.receipt_delay_s = 0.05
        self.submits = 0
        self.refused = 0
        self.destinations: set[bytes] = set()
        self.now = now
        self.call_later = call_later
        self._due: deque[tuple[float, SmscConnection, int, bytes, bytes]] = deque()
        self._ticking = False

    def begin(self, receipt_delay_s: float, awaited: Awaited | None = None) -> None:
        """Forget the counts of the last run; receipts still due are not forgotten."""
        self.awaited = awaited
        self.receipt_delay_s = receipt_delay_s
        self.submits = 0
        self.refused = 0
        self.destinations = set()

    def receipt_later(
        self, connection: "SmscConnection", due: float, number: int, source: bytes, to: bytes
    ) -> None:
        """Send the receipt at `due` or up to a tick later."""
        self._due.append((due, connection, number, source, to))
        if not self._ticking:
            self._ticking = True
            self.call_later(RECEIPT_TICK_S, self._tick)

    def _tick(self) -> None:
        now = self.now()
        due = self._due
        touched: set[SmscConnection] = set()
        while due and due[0][0] <= now:
            _, connection, number, source, to = due.popleft()
            connection.queue_receipt(number, source, to)
            touched.add(connection)
        for connection in touched:
            connection.flush()
        if due:
            self.call_later(RECEIPT_TICK_S, self._tick)
        else:
            self._ticking = False


class SmscConnection(asyncio.Protocol):
    """One session of a client; receipts go back on the session that the message came on."""

    __slots__ = ("_out", "_rest", "_sequence", "_smsc", "_transport", "_unacked")

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._rest = b""
        self._sequence = 0
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._unacked: dict[int, tuple[int, bytes, bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._transport = None

    def queue_receipt(self, number: int, source: bytes, to: bytes) -> None:
        """Make the receipt's PDU; it leaves with the next `flush`."""
        self._sequence += 1
        self._unacked[self._sequence] = (number, source, to)
        self._out.append(receipt(self._sequence, number, source, to))

    def flush(self) -> None:
        """Write everything made in this turn, at once."""
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        acks = 0
        unpack = HEADER.unpack_from
        while end - at >= 16:
            length, command, status, sequence = unpack(data, at)
            if not 16 <= length <= PDU_BYTES_MAX:
                raise BadPduError(f"a PDU of {length} bytes")
            if end - at < length:
                break
            if command == SUBMIT_SM:
                self._submit(data, at, sequence)
            elif command == DELIVER_SM | RESPONSE:
                acks += self._answered(sequence, status)
            else:
                self._other(command, sequence)
            at += length
        self._rest = data[at:]
        self.flush()
        if acks:
            self._smsc.acked.hit(acks)

    def _submit(self, data: bytes, at: int, sequence: int) -> None:
        smsc = self._smsc
        source, to, wants_receipt = read_submit(data, at)
        number = smsc.next_id
        smsc.next_id = number + 1
        smsc.submits += 1
        smsc.destinations.add(to)
        if smsc.awaited is not None:
            smsc.awaited.arrived(to, smsc.now())
        self._out.append(submit_answer(sequence, number))
        if wants_receipt:
            due = smsc.now() + smsc.receipt_delay_s
            smsc.receipt_later(self, due, number, source, to)

    def _answered(self, sequence: int, status: int) -> int:
        """1 if the receipt is done with; a refused one is sent again a second later."""
        waiting = self._unacked.pop(sequence, None)
        if waiting is None:
            return 0
        if status == 0:
            return 1
        smsc = self._smsc
        smsc.refused += 1
        smsc.call_later(REFUSED_REPEAT_S, lambda: self._repeat(waiting))
        return 0

    def _repeat(self, waiting: tuple[int, bytes, bytes]) -> None:
        self.queue_receipt(*waiting)
        self.flush()

    def _other(self, command: int, sequence: int) -> None:
        if command in BINDS:
            self._out.append(HEADER.pack(21, command | RESPONSE, 0, sequence) + b"lean\0")
        elif command in (ENQUIRE_LINK, UNBIND):
            self._out.append(HEADER.pack(16, command | RESPONSE, 0, sequence))
        elif not command & RESPONSE:
            self._out.append(HEADER.pack(16, GENERIC_NACK, 3, sequence))
