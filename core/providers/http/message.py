"""What goes in and what comes out of a call: the place that is called, the request, the results.

A `Target` is made once for a URL and used for many calls; `field_lines` turns header fields into
the bytes of a request. Both refuse what would let a value break out of its line. All pure.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit

import idna
from msgspec import Struct

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
USER_AGENT = "GouTong/1"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_OWN_FIELDS = frozenset({"host", "content-length", "transfer-encoding", "connection", "te"})
_URL_SAFE = "%/:?#[]@!$&'()*+,;=-._~"
_TARGETS_KEPT = 4_096


class BadUrlError(ValueError):
    """A URL that cannot be called; the text says why and repeats nothing of it."""


HostKey = tuple[bool, str, int]
"""TLS or not, host, port."""


class Target(Struct, frozen=True):
    """One URL, ready to be called. `host` has no brackets; `lines` are the request's first ones,
    after the method."""

    key: HostKey
    lines: bytes

    @property
    def tls(self) -> bool:
        """Whether it is https."""
        return self.key[0]

    @property
    def host(self) -> str:
        """A name, or an address as it was written; without brackets."""
        return self.key[1]

    @property
    def port(self) -> int:
        """The port, also where it is the usual one."""
        return self.key[2]


class HttpRequest(Struct, frozen=True, gc=False):
    """One request. `fields` come from `field_lines`; Host, User-Agent and Content-Length are
    written by the client."""

    target: Target
    fields: bytes = b""
    body: bytes = b""
    method: bytes = b"POST"


class Answered(Struct, frozen=True, gc=False):
    """The server answered. Header names are in lower case, repeated ones joined by ", ".

    `complete` is false where the body is longer than allowed, or broke off; status and headers
    are whole even then.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool = True


class NotSent(Struct, frozen=True, gc=False):
    """Nothing was written: no connection, no place, or given up before the first byte."""

    detail: str


class Refused(Struct, frozen=True, gc=False):
    """Nothing was written, and nothing will be: the place may not be called."""

    detail: str


class Withdrawn(Struct, frozen=True, gc=False):
    """The guard said no; nothing was written."""


class Unknown(Struct, frozen=True, gc=False):
    """Written at least in part, and no answer: time-out, reset, or no HTTP."""

    detail: str


HttpResult = Answered | NotSent | Refused | Withdrawn | Unknown


@lru_cache(_TARGETS_KEPT)
def target_of(url: str) -> Target:
    """The place of an http or https URL. Raises BadUrlError."""
    if not url.isprintable():  # urlsplit would leave some characters out
        raise BadUrlError("a control character in the URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except (ValueError, UnicodeError):
        raise BadUrlError("this is no URL") from None
    if parts.scheme not in ("http", "https"):
        raise BadUrlError("only http and https can be called")
    if parts.username is not None or parts.password is not None:
        raise BadUrlError("a user in the URL")
    host = host.removesuffix(".")
    if _HOST.fullmatch(host) is None or port == 0:
        raise BadUrlError("the host or port in the URL is not valid")
    tls = parts.scheme == "https"
    path = quote(parts.path, safe=_URL_SAFE) or "/"
    if parts.query:
        path += "?" + quote(parts.query, safe=_URL_SAFE)
    usual = 443 if tls else 80
    named = f"[{host}]" if ":" in host else host
    if port not in (None, usual):
        named += f":{port}"
    lines = f" {path} HTTP/1.1\r\nHost: {named}\r\nUser-Agent: {USER_AGENT}\r\n"
    return Target((tls, host, port or usual), lines.encode("ascii"))


def field_lines(fields: Mapping[str, str]) -> bytes:
    """Header fields as bytes. Raises ValueError for a name or value that is none, and for those
    that the client writes itself."""
    lines = []
    for name, value in fields.items():
        if _TOKEN.fullmatch(name) is None or name.lower() in _OWN_FIELDS:
            raise ValueError(f"{name!r} cannot be used as a header field")
        if _VALUE.fullmatch(value) is None:
            raise ValueError(f"the value of the header field {name} is not printable ASCII")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("ascii")


def written(request: HttpRequest) -> bytes:
    """The request as it goes over the wire."""
    body = request.body
    return b"%b%b%bContent-Length: %d\r\n\r\n%b" % (
        request.method,
        request.target.lines,
        request.fields,
        len(body),
        body,
    )
