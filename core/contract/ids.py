"""Names of messages and notifications: made at the edge, once, and kept by every retry.

A message id says which home and shard the message belongs to, and whether it came with an
idempotency key. Ids hold no dots, so that "message.attempt.epoch" can be taken apart again.
Everything here is pure: minutes and random bytes come in from outside. `parse_id` answers None
for whatever is not an id, and never raises.
"""

import re
from functools import lru_cache
from hashlib import blake2b

import msgspec
from msgspec import Struct

from core.contract.requests import NotificationRequest

ALPHABET = "0123456789abcdefghijklmnopqrstuv"
SHARDS_MAX = 4096
UNKEYED_RANDOM_BYTES = 16
NOTIFICATION_RANDOM_BYTES = 26
_MINUTE_DIGITS = 7
_HASH_BYTES = 26
# Each byte gives one letter, five bits of it counting; one call instead of arithmetic.
_LETTERS = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))
_HOME = re.compile(r"[a-z][a-z0-9]{0,15}")
_ID = re.compile(
    r"(?P<home>[a-z][a-z0-9]{0,15})-"
    r"(?:u(?P<shard>[0-9a-f]{3})(?P<minute>[0-9a-v]{7})[0-9a-v]{16}"
    r"|k(?P<keyed_shard>[0-9a-f]{3})[0-9a-v]{26})"
)
_canonical = msgspec.json.Encoder(order="sorted")


class MessageId(Struct, frozen=True, gc=False):
    """What an id says. `minute` counts from 1970 and is None for a keyed id."""

    home: str
    shard: int
    keyed: bool
    minute: int | None


def is_home(name: str) -> bool:
    """Whether a region may be called so."""
    return _HOME.fullmatch(name) is not None


@lru_cache(maxsize=16)
def _minute_text(minute: int) -> str:
    """Base 32 of fixed width: as text, ids of one home and shard sort by minute."""
    digits = [ALPHABET[(minute >> (5 * place)) & 31] for place in range(_MINUTE_DIGITS)]
    return "".join(reversed(digits))


def shard_of(tenant: str, recipient: str, shards: int) -> int:
    """The shard of a recipient (its normalised address). Tenant names hold no NUL."""
    digest = blake2b(f"{tenant}\0{recipient}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def mint_unkeyed(home: str, shard: int, minute: int, rnd: bytes) -> str:
    """An id without idempotency key, from sixteen random bytes and the minute since 1970."""
    unique = rnd[:UNKEYED_RANDOM_BYTES].translate(_LETTERS).decode()
    return f"{home}-u{shard:03x}{_minute_text(minute)}{unique}"


def mint_keyed(home: str, shard: int, tenant: str, key: str, item: int) -> str:
    """The id that this tenant's key and item always give, wherever it is minted."""
    return f"{home}-k{shard:03x}{_hash26(b'message', tenant, key, item)}"


def mint_derived(home: str, shard: int, purpose: bytes, *parts: str) -> str:
    """The id that always follows from `parts`, in the form of a keyed one: minted again, it is the
    same message. No part holds a NUL. `purpose` keeps families apart, at most 16 bytes."""
    return f"{home}-k{shard:03x}{_hash(purpose, chr(0).join(parts).encode())}"


def mint_child(home: str, shard: int, parent: str, step: int) -> str:
    """The id of the message that follows `parent` as step `step` of its chain."""
    return mint_derived(home, shard, b"child", parent, str(step))


def notification_id(tenant: str, key: str | None, rnd: bytes) -> str:
    """A notification's id: hashed from tenant and key, or of 26 random bytes without a key."""
    if key is None:
        return f"ntf_{rnd[:NOTIFICATION_RANDOM_BYTES].translate(_LETTERS).decode()}"
    return f"ntf_{_hash26(b'notification', tenant, key, 0)}"


def parse_id(text: str) -> MessageId | None:
    """What an id says, or None if this is no id."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    keyed_shard = found["keyed_shard"]
    if keyed_shard is not None:
        return MessageId(found["home"], int(keyed_shard, 16), True, None)
    return MessageId(found["home"], int(found["shard"], 16), False, int(found["minute"], 32))


def body_hash(canonical: bytes) -> bytes:
    """Sixteen bytes that tell two bodies apart."""
    return blake2b(canonical, digest_size=16).digest()


def canonical_request(request: NotificationRequest) -> bytes:
    """The request with all defaults written out and all names sorted: equal means the same."""
    return _canonical.encode(request)


def _hash26(purpose: bytes, tenant: str, key: str, item: int) -> str:
    # The tenant's length keeps ("ab", "c") and ("a", "bc") apart, whatever the key holds.
    name = tenant.encode()
    return _hash(purpose, b"%d:%b%b\0%d" % (len(name), name, key.encode(), item))


def _hash(purpose: bytes, text: bytes) -> str:
    digest = blake2b(text, digest_size=_HASH_BYTES, person=purpose).digest()
    return digest.translate(_LETTERS).decode()
