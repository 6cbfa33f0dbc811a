"""What accounts that are called by HTTP have in common in their settings. Pure.

`address_problem` says what is wrong with an address that an operator wrote, with a hint.
"""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from core.contract.pointers import FieldProblem

Millis = Annotated[int, Meta(ge=10, le=3_600_000)]
Count = Annotated[int, Meta(ge=1, le=1_000)]
Line = Annotated[str, Meta(max_length=1_024, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Url = Annotated[str, Meta(max_length=2_048, pattern=r"^[\x21-\x7e]*$(?!\n)")]


class HttpPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an account is called, whatever it says."""

    connections_max: Count = 16
    window: Count = 32
    """Calls under way at once; those that have no connection yet wait for one."""

    connect_timeout_ms: Millis = 5_000
    timeout_ms: Millis = 30_000
    """For the whole answer: running out leaves the message in doubt."""

    late_answer_ms: Millis = 60_000
    """How long a connection is kept listening after `timeout_ms` for a late answer."""

    throttle_wait_ms: Millis = 1_000
    """The wait after a throttling answer that names none."""

    throttle_wait_max_ms: Millis = 60_000
    """The longest wait that is believed of a throttling answer."""

    reconnect_min_ms: Millis = 200
    reconnect_max_ms: Millis = 30_000
    """Pause before the next call after the provider could not be reached; it doubles."""

    answer_bytes_max: Annotated[int, Meta(ge=1_024, le=1_048_576)] = 65_536
    allow_http: bool = False
    """Whether credentials may go in clear to another machine."""

    ca_file: str = ""
    """PEM file of the authorities to trust; empty: those of the system."""


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
