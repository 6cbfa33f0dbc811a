"""The form of views: which partitions there are, what a segment holds, how a place is named. Pure.

A list's partition is a tenant's hour, its kinds are `<channel>/<status>`; a recipient's partition
is a tenant's day and one of 64 buckets by a hash of the address, with the kind "". What is told to
a tenant's own webhook endpoints has the channel name "event", so that plain lists leave it out.
Addresses stand in views as hashes only.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BUCKETS = 64
EVENT = "event"
OPEN = "open"
OPEN_STATUSES = ("accepted", "scheduled", "queued", "sending")
END_STATUSES = (
    "sent",
    "delivered",
    "failed",
    "expired",
    "canceled",
    "suppressed",
    "skipped",
    "unknown",
)
CURSOR_CHARS_MAX = 400
_NUMBER_MAX = (1 << 53) - 1
Number = Annotated[int, Meta(ge=0, le=_NUMBER_MAX)]


class Row(Struct, frozen=True, array_like=True, gc=False):
    """What was true of a message when the segment was written.

    `recipient` is `recipient_hash` of its address; `created_ms` is when it was accepted.
    """

    id: str
    channel: str
    status: str
    reason: str
    message_class: str
    created_ms: int
    recipient: bytes
    possible_duplicate: bool = False


class Position(NamedTuple):
    """A place in a view, newest first: a segment, and how many of its rows were passed."""

    at_ms: int
    writer: str
    seq: int
    passed: int


class _Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    at_ms: Number
    writer: Annotated[str, Meta(max_length=128)]
    seq: Number
    passed: Number


_encode = msgspec.msgpack.Encoder().encode
_rows = msgspec.msgpack.Decoder(list[Row])
_cursor = msgspec.msgpack.Decoder(_Cursor)
encode_rows = _encode


def decode_rows(body: bytes) -> list[Row]:
    """The rows of a segment; raises msgspec.DecodeError on a damaged one."""
    return _rows.decode(body)


def recipient_hash(tenant: str, address: str) -> bytes:
    """Eight bytes for an address of this tenant's recipients; others' are not comparable."""
    return blake2b(f"{tenant}\0{address}".encode(), digest_size=8).digest()


def list_part(tenant: str, hour: int) -> str:
    """A tenant's hour since 1970."""
    return f"t/{tenant}/{hour}"


def recipient_part(tenant: str, bucket: int, day: int) -> str:
    """A tenant's day since 1970, for a 64th of its recipients."""
    return f"r/{tenant}/{bucket}/{day}"


def bucket_of(hashed: bytes) -> int:
    """The bucket of a recipient."""
    return hashed[0] % BUCKETS


def kind_of(channel: str, status: str) -> str:
    """The kind of a list's segment; `status` is an end or "open"."""
    return f"{channel}/{status}"


def settled_as(status: str) -> str:
    """The status as kinds tell it apart: all that are open are one."""
    return OPEN if status in OPEN_STATUSES else status


def below(at_ms: int) -> Position:
    """The place before which everything is older than this."""
    return Position(at_ms, "", 0, 0)


def write_cursor(position: Position) -> str:
    """A place as callers get it; opaque to them."""
    return urlsafe_b64encode(_encode(position)).decode().rstrip("=")


def read_cursor(text: str) -> Position | None:
    """The place again, or None for what no answer ever held."""
    if len(text) > CURSOR_CHARS_MAX or not text.isascii():
        return None
    try:
        body = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = _cursor.decode(body)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return Position(found.at_ms, found.writer, found.seq, found.passed)
