"""API keys: `gt_live_<id>_<secret and checksum>`, and the scopes they carry.

The id (12 characters) finds the key; of the secret (32) only the SHA-256 is kept anywhere; the
last six are a checksum over both, so that a mistyped or invented key is refused without asking
anybody. The characters are of [0-9A-Za-z]. Pure: random bytes come in from outside.
"""

import hashlib
import re
import zlib
from typing import Literal, get_args

from msgspec import Struct

PREFIX = "gt_live_"
KEY_CHARS = len(PREFIX) + 12 + 1 + 38
MINT_RANDOM_BYTES = 40
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"gt_live_([0-9A-Za-z]{12})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})", re.ASCII)

Scope = Literal[
    "send", "read", "templates", "suppressions", "webhooks", "providers", "keys", "admin"
]
SCOPES: frozenset[str] = frozenset(get_args(Scope))
SEND: Scope = "send"
READ: Scope = "read"
TEMPLATES: Scope = "templates"
SUPPRESSIONS: Scope = "suppressions"
WEBHOOKS: Scope = "webhooks"
PROVIDERS: Scope = "providers"
KEYS: Scope = "keys"
ADMIN: Scope = "admin"


class ApiKey(Struct, frozen=True):
    """A key taken apart. `secret` is without the checksum and belongs in no log."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id!r}, secret=...)"


def mint_key(rnd: bytes) -> ApiKey:
    """A new key from forty bytes of a cryptographic random source."""
    if len(rnd) < MINT_RANDOM_BYTES:
        raise ValueError(f"a key needs {MINT_RANDOM_BYTES} random bytes, got {len(rnd)}")
    key_id = _base62(int.from_bytes(rnd[:10], "big"), 12)
    return ApiKey(key_id, _base62(int.from_bytes(rnd[10:MINT_RANDOM_BYTES], "big"), 32))


def format_key(key: ApiKey) -> str:
    """The key as its owner gets to see it, once."""
    return f"{PREFIX}{key.id}_{key.secret}{checksum(key.id, key.secret)}"


def parse_key(text: str) -> ApiKey | None:
    """The key taken apart, or None if it is malformed or its checksum does not fit."""
    found = _KEY.fullmatch(text)
    if found is None or checksum(found[1], found[2]) != found[3]:
        return None
    return ApiKey(found[1], found[2])


def checksum(key_id: str, secret: str) -> str:
    """Six characters over id and secret; against typing errors, not against attackers."""
    return _base62(zlib.crc32(f"{key_id}_{secret}".encode()), 6)


def secret_hash(secret: str) -> bytes:
    """SHA-256 of the secret. It has 190 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).digest()


def grants(scopes: frozenset[str], needed: str) -> bool:
    """Whether a key with these scopes may do what `needed` stands for."""
    return needed in scopes or ADMIN in scopes


def _base62(number: int, digits: int) -> str:
    out = []
    for _ in range(digits):
        number, digit = divmod(number, 62)
        out.append(_BASE62[digit])
    return "".join(reversed(out))
