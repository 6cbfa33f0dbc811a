"""The words of an SMTP server: reading commands, writing replies. Pure."""

import re

from msgspec import Struct

_FROM = re.compile(r"from:[ ]?<([^<>]*)>(.*)", re.IGNORECASE)
_TO = re.compile(r"to:[ ]?<([^<>\s]+@[^<>\s]+)>(.*)", re.IGNORECASE)
_SIZE = re.compile(r"\bsize=(\d{1,15})\b", re.IGNORECASE)


class From(Struct, frozen=True):
    """The argument of MAIL. `size` is 0 where the client does not tell it."""

    sender: str
    size: int


def read_from(argument: str) -> From | None:
    """`FROM:<address> parameters`, or None if it is not that."""
    found = _FROM.fullmatch(argument)
    if found is None:
        return None
    size = _SIZE.search(found[2])
    return From(found[1], int(size[1]) if size else 0)


def read_to(argument: str) -> str | None:
    """The address of `TO:<address> parameters`, or None if it is not that."""
    found = _TO.fullmatch(argument)
    return found[1] if found else None


def greeting(secure: bool, mail_bytes_max: int) -> str:
    """The reply to EHLO, of several lines."""
    words = [
        "sandbox",
        "PIPELINING",
        f"SIZE {mail_bytes_max}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
    ]
    if not secure:
        words.append("STARTTLS")
    words.append("AUTH PLAIN LOGIN")
    return "\r\n".join([f"250-{word}" for word in words[:-1]] + [f"250 {words[-1]}"])
