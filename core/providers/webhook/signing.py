"""Signatures as Standard Webhooks 1.0.0 want them. Pure.

What is signed is `id.timestamp.body`. A secret `whsec_` + base64 of 24 to 64 bytes signs with
HMAC-SHA256 (`v1`); a private key `whsk_` + base64 of an Ed25519 seed of 32 bytes, or of seed and
public key, signs with Ed25519 (`v1a`). Several secrets give several signatures, so that a receiver
may know the old or the new one while they are exchanged.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SHARED, PRIVATE = "whsec_", "whsk_"
_SHARED_BYTES_MIN, _SHARED_BYTES_MAX = 24, 64
_SEED_BYTES = 32
_SIGNERS_KEPT = 1_024


class BadSecretError(ValueError):
    """A secret that is none; the text says how one looks and repeats nothing of it."""


class Signer:
    """Signs with one secret."""

    __slots__ = ("_key", "_private")

    def __init__(self, key: bytes, private: Ed25519PrivateKey | None) -> None:
        self._key = key
        self._private = private

    def sign(self, content: bytes) -> bytes:
        """The signature with its version, as it stands in the header."""
        if self._private is not None:
            return b"v1a," + b64encode(self._private.sign(content))
        return b"v1," + b64encode(hmac.digest(self._key, content, "sha256"))


@lru_cache(_SIGNERS_KEPT)
def signer(secret: str) -> Signer:
    """What signs with this secret. Raises BadSecretError."""
    if secret.startswith(PRIVATE):
        return Signer(b"", _private_key(_bytes(secret.removeprefix(PRIVATE))))
    if not secret.startswith(SHARED):
        raise BadSecretError(f"a secret begins with {SHARED} or {PRIVATE}")
    key = _bytes(secret.removeprefix(SHARED))
    if not _SHARED_BYTES_MIN <= len(key) <= _SHARED_BYTES_MAX:
        raise BadSecretError(f"a secret is {SHARED} and base64 of 24 to 64 bytes")
    return Signer(key, None)


def signatures(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> bytes:
    """The value of `webhook-signature`, one for each secret in their order. Raises
    BadSecretError."""
    content = b"%b.%d.%b" % (message_id.encode(), timestamp_s, body)
    if len(secrets) == 1:
        return signer(secrets[0]).sign(content)
    return b" ".join([signer(secret).sign(content) for secret in secrets])


def _private_key(key: bytes) -> Ed25519PrivateKey:
    if len(key) not in (_SEED_BYTES, 2 * _SEED_BYTES):
        raise BadSecretError(f"a private key is {PRIVATE} and base64 of 32 or 64 bytes")
    private = Ed25519PrivateKey.from_private_bytes(key[:_SEED_BYTES])
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if key[_SEED_BYTES:] not in (b"", public):
        raise BadSecretError("the two halves of the private key do not belong together")
    return private


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise BadSecretError("what follows a secret's prefix is base64") from None
