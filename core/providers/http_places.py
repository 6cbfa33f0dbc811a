"""What accounts that are called by HTTP have in common in their settings: kinds, and addresses.

Pure. `address_problem` says what is wrong with an address that an operator wrote, with a hint.
"""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from core.contract.pointers import FieldProblem

Millis = Annotated[int, Meta(ge=10, le=3_600_000)]
Count = Annotated[int, Meta(ge=1, le=1_000)]
Line = Annotated[str, Meta(max_length=1_024, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Url = Annotated[str, Meta(max_length=2_048, pattern=r"^[\x21-\x7e]*$(?!\n)")]


def address_problem(pointer: str, url: str, *, allow_http: bool) -> FieldProblem | None:
    """What is wrong with an http(s) address; clear text is for this machine or where allowed."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        hint = "Write it as https://host/path."
        return FieldProblem(pointer, "this is no address of an HTTP server", hint)
    if parts.username is not None or parts.password is not None:
        hint = "Take them out of the address; credentials go under `secrets`."
        return FieldProblem(pointer, "the address holds a name or password", hint)
    if parts.fragment or "#" in url:
        return FieldProblem(pointer, "the address has a fragment", "Leave out what follows `#`.")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        hint = "Use https, or set `allow_http` where the way there is safe."
        return FieldProblem(pointer, "credentials would go over the network in clear", hint)
    return None


def is_loopback(host: str) -> bool:
    """Whether the name or address is of this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
