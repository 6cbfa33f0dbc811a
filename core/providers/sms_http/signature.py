"""Twilio's signature of a callback. Pure.

It is the base64 of an HMAC over the URL as it was called, followed by each field's name and value
in order of the names: HMAC-SHA1 with the account's token, or, where a header names a shared key
and an algorithm, HMAC-SHA256 with that key. There is no time in it, so an old callback can be sent
again by whoever saw it. That changes nothing: a receipt that is there already joins to the same.

The provider writes the URL with its port in some callbacks and without it in others, also where it
is the scheme's own; both are tried, as its own library does.
"""

import base64
import hmac
from collections.abc import Iterable
from hashlib import sha1, sha256
from urllib.parse import urlsplit, urlunsplit

HEADER = "x-twilio-signature"
SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
SHA1 = "HMAC_SHA1"
SHA256 = "HMAC_SHA256"
_HASHES = {SHA1: sha1, SHA256: sha256}
_SCHEME_PORTS = {"http": 80, "https": 443}


def sign(key: str, url: str, fields: Iterable[tuple[str, str]], algorithm: str = SHA1) -> str:
    """The signature. Of a field that occurs with the same value again one counts."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(key.encode(), signed.encode("utf-8", "surrogatepass"), _HASHES[algorithm])
    return base64.b64encode(digest.digest()).decode()


def algorithm_named(header: str) -> str:
    """The algorithm of a settings header, "key=...,algorithm=HMAC_SHA256"; SHA-1 where none is."""
    for part in header.split(","):
        name, equals, value = part.partition("=")
        if equals and name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return SHA1


def verified(
    key: str, url: str, fields: Iterable[tuple[str, str]], algorithm: str, given: str
) -> bool:
    """Whether the signature is the right one; every comparison takes the same time."""
    if not key or algorithm not in _HASHES:
        return False
    known = list(fields)
    right = False
    for each in _both_ways(url):
        wanted = sign(key, each, known, algorithm).encode()
        right |= hmac.compare_digest(wanted, given.encode("utf-8", "surrogatepass"))
    return right


def _both_ways(url: str) -> tuple[str, str]:
    """The URL with its port and without."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = host if host.endswith("]") else host.rpartition(":")[0] or host
    port = parts.port or _SCHEME_PORTS.get(parts.scheme, 443)
    return (
        urlunsplit(parts._replace(netloc=bare)),
        urlunsplit(parts._replace(netloc=f"{bare}:{port}")),
    )
