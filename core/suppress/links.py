"""The link that takes somebody off: sealed, so that nothing personal can be read from a URL.

A token is AES-256-GCM over what it stops, under a key that is made from the vault's for this
purpose alone. It stands for itself: it works as long as the vault's key does, also when the message
that carried it is long gone. A token that was not made here opens nothing.
"""

import base64
import binascii
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from core.contract.requests import ChannelName, MessageClass

PATH = "/u/"
LINK_PURPOSE = "goutong unsubscribe links 1"
TOKEN_CHARS_MAX = 1024
_NONCE_BYTES = 12
_BOUND_TO = b"goutong unsubscribe 1"


class Leaving(Struct, frozen=True, array_like=True):
    """What a link stops, and which message it came with."""

    tenant: str
    channel: ChannelName
    address: str
    message_class: MessageClass
    message: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Leaving).decode


class Links:
    """Makes and reads links below `public_url`. Without a key or a URL there are none."""

    def __init__(self, public_url: str, key: bytes | None) -> None:
        self._base = public_url.rstrip("/")
        self._cipher = AESGCM(key) if key and public_url else None

    def url(self, leaving: Leaving) -> str:
        """The link, or "" where none can be made."""
        if self._cipher is None:
            return ""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, _encode(leaving), _BOUND_TO)
        return f"{self._base}{PATH}{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def read(self, token: str) -> Leaving | None:
        """What the token stands for; None for whatever was not made here."""
        if self._cipher is None or len(token) > TOKEN_CHARS_MAX:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            opened = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _BOUND_TO)
            return _decode(opened)
        except (InvalidTag, ValueError, binascii.Error, msgspec.MsgspecError):
            return None
