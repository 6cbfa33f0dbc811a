"""SMPP 3.4 on the wire: building and reading PDUs, for both sides. Pure.

`PduReader` cuts a byte stream into `Pdu` (header fields and raw body); the `read_*` functions
decode the bodies; the other functions build whole PDUs. What cannot be framed raises
`FramingError`, after which the stream is of no further use; a body that breaks the format raises
`PduError` and leaves the stream intact. Reading is lenient where SMSCs are known to be careless
(missing bodies on refusals, long fields), building is strict.
"""

import struct
from struct import Struct as Layout

from msgspec import Struct

from core.providers.smpp.fields import PduError, cstring, pack_tlvs, read_cstring, read_tlvs

GENERIC_NACK = 0x80000000
BIND_RECEIVER = 0x00000001
BIND_TRANSMITTER = 0x00000002
SUBMIT_SM = 0x00000004
SUBMIT_SM_RESP = 0x80000004
DELIVER_SM = 0x00000005
DELIVER_SM_RESP = 0x80000005
UNBIND = 0x00000006
UNBIND_RESP = 0x80000006
BIND_TRANSCEIVER = 0x00000009
BIND_TRANSCEIVER_RESP = 0x80000009
ENQUIRE_LINK = 0x00000015
ENQUIRE_LINK_RESP = 0x80000015
RESPONSE_BIT = 0x80000000

TLV_MESSAGE_PAYLOAD = 0x0424
TLV_RECEIPTED_MESSAGE_ID = 0x001E
TLV_MESSAGE_STATE = 0x0427

ESM_RECEIPT = 0x04
ESM_UDHI = 0x40
DATA_GSM7 = 0x00
DATA_UCS2 = 0x08

PDU_BYTES_MAX = 64 * 1024
SEQUENCE_MAX = 0x7FFFFFFF
_SHORT_MESSAGE_MAX = 254
_NO_TLVS: dict[int, bytes] = {}

_HEADER = Layout(">IIII")
_SOURCE_TON_NPI = Layout("BB")
_FLAGS = Layout("BBB")
_TAIL = Layout("BBBBB")

pack_header = _HEADER.pack


class FramingError(PduError):
    """The stream cannot be cut into PDUs any more; `before` holds the PDUs read until here."""

    def __init__(self, message: str, before: "list[Pdu]") -> None:
        super().__init__(message)
        self.before = before


class Pdu(Struct, frozen=True, gc=False):
    """One PDU: the header's fields and the body as it came."""

    command: int
    status: int
    sequence: int
    body: bytes


class Bind(Struct, frozen=True):
    """The body of a bind request."""

    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        """Without the password: binds turn up in logs and assertion messages."""
        return f"Bind(system_id={self.system_id!r}, system_type={self.system_type!r})"


class ShortMessage(Struct, gc=False, kw_only=True):
    """The body that submit_sm and deliver_sm share. `payload` is the short_message's octets."""

    source: str
    dest: str
    payload: bytes
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    dest_ton: int = 0
    dest_npi: int = 0
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    schedule: str = ""
    validity: str = ""
    registered_delivery: int = 0
    replace_if_present: int = 0
    data_coding: int = 0
    default_message_id: int = 0
    tlvs: dict[int, bytes] = {}

    def content(self) -> bytes:
        """The message's octets, from short_message or, where that is empty, message_payload."""
        return self.payload or self.tlvs.get(TLV_MESSAGE_PAYLOAD, b"")


class PduReader:
    """Cuts a stream into PDUs, whatever the pieces it comes in; keeps one unfinished PDU."""

    def __init__(self, pdu_bytes_max: int = PDU_BYTES_MAX) -> None:
        self._pdu_bytes_max = pdu_bytes_max
        self._rest = b""

    def feed(self, data: bytes) -> list[Pdu]:
        """All PDUs that are complete now. Raises FramingError on an impossible length."""
        if self._rest:
            data = self._rest + data
        pdus: list[Pdu] = []
        size = len(data)
        start = 0
        while size - start >= 16:
            length, command, status, sequence = _HEADER.unpack_from(data, start)
            if length < 16 or length > self._pdu_bytes_max:
                self._rest = b""
                raise FramingError(
                    f"PDU length {length} is outside of 16 to {self._pdu_bytes_max}", pdus
                )
            end = start + length
            if end > size:
                break
            pdus.append(Pdu(command, status, sequence, data[start + 16 : end]))
            start = end
        self._rest = data[start:] if start < size else b""
        return pdus


def bind_transceiver(sequence: int, bind: Bind) -> bytes:
    """A bind_transceiver request."""
    body = b"".join(
        (
            cstring("system_id", bind.system_id, 15),
            cstring("password", bind.password, 8),
            cstring("system_type", bind.system_type, 12),
            bytes((bind.interface_version, bind.addr_ton, bind.addr_npi)),
            cstring("address_range", bind.address_range, 40),
        )
    )
    return _HEADER.pack(16 + len(body), BIND_TRANSCEIVER, 0, sequence) + body


def read_bind(body: bytes) -> Bind:
    """The body of a bind request (any of the three kinds)."""
    try:
        system_id, at = read_cstring(body, 0)
        password, at = read_cstring(body, at)
        system_type, at = read_cstring(body, at)
        version, ton, npi = body[at], body[at + 1], body[at + 2]
        address_range, _ = read_cstring(body, at + 3)
    except (ValueError, IndexError) as broken:
        raise PduError(f"bind request cut short ({len(body)} octets)") from broken
    return Bind(system_id, password, system_type, version, ton, npi, address_range)


def bind_transceiver_resp(sequence: int, status: int, system_id: str = "") -> bytes:
    """The answer to bind_transceiver; without a body where the bind is refused."""
    body = cstring("system_id", system_id, 15) if status == 0 else b""
    return _HEADER.pack(16 + len(body), BIND_TRANSCEIVER_RESP, status, sequence) + body


def submit_sm(sequence: int, message: ShortMessage) -> bytes:
    """A submit_sm request."""
    return submit_sm_of(sequence, short_message_body(message))


def submit_sm_of(sequence: int, body: bytes) -> bytes:
    """A submit_sm request with a body that was built before."""
    return _HEADER.pack(16 + len(body), SUBMIT_SM, 0, sequence) + body


def deliver_sm(sequence: int, message: ShortMessage) -> bytes:
    """A deliver_sm request: a message from a phone, or a receipt."""
    body = short_message_body(message)
    return _HEADER.pack(16 + len(body), DELIVER_SM, 0, sequence) + body


def submit_sm_resp(sequence: int, status: int, message_id: str = "") -> bytes:
    """The answer to submit_sm; without a body where the message is refused."""
    if status:
        return _HEADER.pack(16, SUBMIT_SM_RESP, status, sequence)
    body = message_id.encode("latin-1") + b"\0"
    return _HEADER.pack(16 + len(body), SUBMIT_SM_RESP, 0, sequence) + body


def read_message_id(body: bytes) -> str:
    """The message_id of a submit_sm_resp; "" where the SMSC left it out."""
    end = body.find(0)
    return (body if end < 0 else body[:end]).decode("latin-1")


def deliver_sm_resp(sequence: int, status: int = 0) -> bytes:
    """The answer to deliver_sm: its message_id is always empty."""
    return _HEADER.pack(17, DELIVER_SM_RESP, status, sequence) + b"\0"


def bare(command: int, sequence: int, status: int = 0) -> bytes:
    """A PDU without a body: enquire_link, unbind, their answers, and generic_nack."""
    return _HEADER.pack(16, command, status, sequence)


def short_message_body(message: ShortMessage) -> bytes:
    """The body of a submit_sm or deliver_sm. More than 254 octets go into message_payload."""
    payload = message.payload
    tlvs = message.tlvs
    if len(payload) > _SHORT_MESSAGE_MAX:
        tlvs = {**tlvs, TLV_MESSAGE_PAYLOAD: payload}
        payload = b""
    return b"".join(
        (
            cstring("service_type", message.service_type, 5),
            _SOURCE_TON_NPI.pack(message.source_ton, message.source_npi),
            cstring("source", message.source, 20),
            _SOURCE_TON_NPI.pack(message.dest_ton, message.dest_npi),
            cstring("dest", message.dest, 20),
            _FLAGS.pack(message.esm_class, message.protocol_id, message.priority),
            cstring("schedule", message.schedule, 16),
            cstring("validity", message.validity, 16),
            _TAIL.pack(
                message.registered_delivery,
                message.replace_if_present,
                message.data_coding,
                message.default_message_id,
                len(payload),
            ),
            payload,
            pack_tlvs(tlvs),
        )
    )


def read_short_message(body: bytes) -> ShortMessage:
    """The body of a submit_sm or deliver_sm."""
    try:
        service_type, at = read_cstring(body, 0)
        source_ton, source_npi = _SOURCE_TON_NPI.unpack_from(body, at)
        source, at = read_cstring(body, at + 2)
        dest_ton, dest_npi = _SOURCE_TON_NPI.unpack_from(body, at)
        dest, at = read_cstring(body, at + 2)
        esm_class, protocol_id, priority = _FLAGS.unpack_from(body, at)
        schedule, at = read_cstring(body, at + 3)
        validity, at = read_cstring(body, at)
        registered, replace, coding, default_id, length = _TAIL.unpack_from(body, at)
    except (ValueError, struct.error) as broken:
        raise PduError(f"short message cut short ({len(body)} octets)") from broken
    at += 5
    end = at + length
    if end > len(body):
        raise PduError(f"sm_length {length} is more than the {len(body) - at} octets that follow")
    return ShortMessage(
        service_type=service_type,
        source_ton=source_ton,
        source_npi=source_npi,
        source=source,
        dest_ton=dest_ton,
        dest_npi=dest_npi,
        dest=dest,
        esm_class=esm_class,
        protocol_id=protocol_id,
        priority=priority,
        schedule=schedule,
        validity=validity,
        registered_delivery=registered,
        replace_if_present=replace,
        data_coding=coding,
        default_message_id=default_id,
        payload=body[at:end],
        tlvs=_NO_TLVS if end == len(body) else read_tlvs(body, end),
    )
