"""Keys of DKIM as a test needs them: written as PEM, published in a DNS that is only here."""

import base64
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from core.providers.smtp.dkim import DkimKey


def pem(key: DkimKey) -> str:
    """The private key as an account takes it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def dns_of(selector: str, domain: str, key: DkimKey) -> Callable[..., bytes | None]:
    """A look-up of TXT records that knows this key."""
    public = key.public_key()
    if isinstance(key, RSAPrivateKey):
        kind, raw = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind, raw = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    record = f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}".encode()

    def look(name: bytes, **_: Any) -> bytes | None:
        return record if name.decode() == f"{selector}._domainkey.{domain}." else None

    return look
