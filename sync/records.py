"""What logs, by-id rows, the open set and floors hold (PROTOCOL.md 2 and 3).

Records are written once and never changed. To the machines a message is bytes (`payload`) beside
a few facts; `note` and `detail` are bytes and words that the owner's shell wants back when it
shows a message. Encoding is MessagePack of arrays with a one-letter tag, so a record may grow new
fields at its end. A row that cannot be decoded is a damaged store: decoding raises
`msgspec.ValidationError` or `msgspec.DecodeError`, and the reader stops there rather than guess.
"""

from typing import Literal

import msgspec
from msgspec import Struct

State = Literal[
    "accepted",
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "failed",
    "expired",
    "canceled",
    "suppressed",
    "skipped",
    "unknown",
]


class Place(Struct, frozen=True, array_like=True, gc=False):
    """Where a record stands: a log, a row, and the index in the row."""

    log: str
    row: int
    index: int


class Message(Struct, frozen=True, array_like=True, tag="m", gc=False):
    """A message as it was accepted. `stamp` orders copies of which none is fixed.

    Nothing is sent before `not_before_ms`. Where `until` names a state ("sent", "delivered" or
    "seen"), something follows the message that does not reach it: at its end, and at the latest at
    `escalate_at_ms` (0: at its end only).
    """

    id: str
    shard: int
    body_hash: bytes
    stamp: int
    urgent: bool
    at_most_once: bool
    expires_ms: int
    accepted_ms: int
    payload: bytes
    not_before_ms: int = 0
    until: str = ""
    escalate_at_ms: int = 0


class Cancel(Struct, frozen=True, array_like=True, tag="c", gc=False):
    """Somebody asked to cancel; the owner decides."""

    id: str
    shard: int
    at_ms: int
    note: bytes = b""


class Receipt(Struct, frozen=True, array_like=True, tag="r", gc=False):
    """What a provider reported back of one attempt (or of one part of it)."""

    id: str
    shard: int
    attempt: str
    account: str
    provider_id: str
    status: str
    code: str
    detail: str
    at_ms: int


class Intent(Struct, frozen=True, array_like=True, tag="i", gc=False):
    """The owner is about to call. Fixes the body; `names` are the earlier unsettled attempts."""

    id: str
    shard: int
    epoch: int
    accept: Place
    body_hash: bytes
    account: str
    provider_key: str
    dedupe_ms: int
    first_ms: int
    at_most_once: bool
    expires_ms: int
    resend: int
    at_ms: int
    names: tuple[str, ...] = ()
    note: bytes = b""


class Outcome(Struct, frozen=True, array_like=True, tag="o", gc=False):
    """What came of a call. `withdrawn` and `not_sent` say that it was never made."""

    id: str
    shard: int
    attempt: str
    kind: str
    provider_id: str
    code: str
    detail: str
    at_ms: int


class End(Struct, frozen=True, array_like=True, tag="e", gc=False):
    """The owner ended the message without (or beside) a send, for a reason that a person reads."""

    id: str
    shard: int
    epoch: int
    accept: Place | None
    body_hash: bytes
    state: State
    reason: str
    detail: str
    at_ms: int


AcceptRecord = Message | Cancel | Receipt
EffectRecord = Intent | Outcome | End
Record = AcceptRecord | EffectRecord


class ById(Struct, frozen=True, array_like=True, gc=False):
    """What the store knows of a message by its id: state and pointers, never the content.

    `noted` says that a cancel came before the message did; `conflicts` are copies with another
    body. A row with neither `accept` nor `effects` exists for what came early only. `gave_way`: the
    message ended because one with the same key, under another home, goes on instead.
    """

    body_hash: bytes
    state: State
    ended: bool
    accept: Place | None = None
    effects: tuple[Place, ...] = ()
    receipts: tuple[Place, ...] = ()
    noted: bool = False
    conflicts: tuple[Place, ...] = ()
    gave_way: bool = False


class OpenEntry(Struct, frozen=True, array_like=True, gc=False):
    """Something to be done later, whole: the message, where it stands, and how far it came."""

    message: Message
    accept: Place
    due_ms: int
    tries: int
    epoch: int
    effects: tuple[Place, ...] = ()
    unsettled: tuple[tuple[Place, Intent], ...] = ()


class FloorPart(Struct, frozen=True, array_like=True, gc=False):
    """How far an owner is with some shards that stand alike.

    `shards` are (shard, epoch). `accept` and `effect` map a log to the highest row that may be
    forgotten; `closed` lists logs that were read to their end for good; `due` is the oldest
    bucket of the open set that may hold something.
    """

    shards: tuple[tuple[int, int], ...]
    accept: dict[str, int]
    effect: dict[str, int]
    closed: tuple[str, ...]
    due: int


_row_encoder = msgspec.msgpack.Encoder()
_row_decoder = msgspec.msgpack.Decoder(list[Record])
_by_id_decoder = msgspec.msgpack.Decoder(ById)
_open_decoder = msgspec.msgpack.Decoder(OpenEntry)
_floor_decoder = msgspec.msgpack.Decoder(list[FloorPart])

encode = _row_encoder.encode


def decode_row(body: bytes) -> list[Record]:
    """The records of one row."""
    return _row_decoder.decode(body)


def decode_by_id(body: bytes) -> ById:
    """The content of a by-id row."""
    return _by_id_decoder.decode(body)


def decode_open(body: bytes) -> OpenEntry:
    """One entry of the open set."""
    return _open_decoder.decode(body)


def decode_floor(body: bytes) -> list[FloorPart]:
    """The content of a floor row."""
    return _floor_decoder.decode(body)
