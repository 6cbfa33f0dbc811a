"""DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed, by RSA or Ed25519. Pure.

Signed are the headers that a reader sees and those that RFC 8058 asks for. From, To and Subject
are signed once more than they occur, so that none can be added on the way.

A key is an unencrypted private key in PEM; `read_key` raises BadKeyError with a text that never
holds any of it. The key is read once. A signature by Ed25519 takes some 50 µs, one by RSA with
2,048 bits near a millisecond, in which other threads run.
"""

import base64
import re
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

DkimKey = RSAPrivateKey | Ed25519PrivateKey

_RSA_BITS_MIN = 1_024
_RSA_BITS_MAX = 4_096
_SIGNED = (
    *(b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post"),
)
_NONE_MORE = (b"from", b"to", b"subject")
_FIELD = re.compile(rb"([!-9;-~]+):(.*(?:\r\n[ \t].*)*)\r\n")
_BLANKS = re.compile(rb"[ \t]+")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_LINE = 70


class BadKeyError(ValueError):
    """Not a key that mails can be signed with; the text says what is wrong, and holds no key."""


def read_key(pem: str) -> DkimKey:
    """The private key, or BadKeyError."""
    try:
        key = load_pem_private_key(pem.strip().encode() + b"\n", password=None)
    except TypeError:
        raise BadKeyError("the key is encrypted; give it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeyError("this is no private key in PEM") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise BadKeyError("DKIM knows RSA and Ed25519 keys only")
    if not _RSA_BITS_MIN <= key.key_size <= _RSA_BITS_MAX:
        raise BadKeyError(
            f"the RSA key has {key.key_size} bits; "
            f"{_RSA_BITS_MIN} to {_RSA_BITS_MAX} can be used, 2048 are advised"
        )
    return key


class Signer:
    """Signs for one domain and selector."""

    def __init__(self, domain: str, selector: str, key: DkimKey) -> None:
        self._key = key
        self.slow = isinstance(key, RSAPrivateKey)
        algorithm = "rsa-sha256" if self.slow else "ed25519-sha256"
        self._begin = (
            f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed;\r\n"
            f"\td={domain}; s={selector};\r\n"
        ).encode()

    def signature(self, data: bytes, now_s: int) -> bytes:
        """The header to put before the mail `data`, whose lines end in CRLF."""
        head, _, body = data.partition(b"\r\n\r\n")
        fields = {m[1].lower(): m[2] for m in _FIELD.finditer(head + b"\r\n")}
        present = [name for name in _SIGNED if name in fields]
        names = b":".join([*present, *_NONE_MORE])
        hashed = base64.b64encode(sha256(_relaxed_body(body)).digest())
        unsigned = b"%bt=%d; h=%b;\r\n\tbh=%b;\r\n\tb=" % (
            *(self._begin + b"\t", now_s, _folded(names), hashed),
        )
        signed = b"".join([_relaxed_field(name, fields[name]) for name in present])
        own = _relaxed_field(b"dkim-signature", unsigned.partition(b":")[2])
        signature = base64.b64encode(self._sign(signed + own.removesuffix(b"\r\n")))
        lines = [signature[i : i + _LINE] for i in range(0, len(signature), _LINE)]
        return unsigned + b"\r\n\t".join(lines) + b"\r\n"

    def _sign(self, text: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(text, PKCS1v15(), SHA256())
        return self._key.sign(sha256(text).digest())


def _relaxed_field(name: bytes, value: bytes) -> bytes:
    return name + b":" + _BLANKS.sub(b" ", _FOLD.sub(b"", value)).strip(b" ") + b"\r\n"


def _relaxed_body(body: bytes) -> bytes:
    text = _BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n").rstrip(b" ")
    while text.endswith(b"\r\n"):
        text = text[:-2]
    return text + b"\r\n" if text else b""


def _folded(names: bytes) -> bytes:
    """The list of names, which may be broken behind a colon."""
    lines, line = [], b""
    for name in names.split(b":"):
        if line and len(line) + len(name) > _LINE:
            lines.append(line)
            line = b""
        line += name + b":"
    lines.append(line.removesuffix(b":"))
    return b"\r\n\t".join(lines)
