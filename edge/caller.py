"""Where a request comes from, and the name under which it is traced. Pure.

Only proxies that we know of may say who stands behind them: the addresses that they appended are
counted from the right, and what stands further left was written by the caller and is not believed.
"""

import ipaddress
import re
from collections.abc import Sequence

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def caller_address(peer: str, forwarded_for: Sequence[str], trusted_hops: int) -> str:
    """The caller's address, seen through `trusted_hops` proxies that appended to
    X-Forwarded-For (its values in the order of the request).

    Fewer entries than hops means that the request came by a shorter way: the leftmost stands. A
    word that is no address ends the search; the one to its right, which a trusted proxy or the
    socket vouches for, is taken.
    """
    address = peer
    if trusted_hops > 0:
        entries = ",".join(forwarded_for).split(",") if forwarded_for else []
        for entry in reversed(entries[-trusted_hops:]):
            found = plain_address(entry)
            if found is None:
                break
            address = found
    return address


def plain_address(text: str) -> str | None:
    """The IP address in one word of X-Forwarded-For, without port or brackets, or None."""
    word = text.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def trace_of(traceparent: str | None, random_bits: int) -> str:
    """The caller's trace id if the header is valid (W3C Trace Context), else a new one made of
    these 128 random bits."""
    if traceparent is not None:
        found = _TRACEPARENT.fullmatch(traceparent)
        if found is not None and not traceparent.startswith("ff"):
            trace, span, more = found.groups()
            if (
                trace != _NO_TRACE
                and span != _NO_SPAN
                and not (more and traceparent.startswith("00"))
            ):
                return trace
    return f"{random_bits:032x}"
