"""Mail addresses as SMTP's envelope and the headers may carry them.

`parse_mailbox` is the one gate: what passes it holds no control character, no space, no angle
bracket and no comma, so it can be written between `<` and `>` or into a header as it is. It is
stricter than RFC 5321 in one point: quoted local parts are refused, since servers disagree about
where they end. It is more lenient in one: dots may stand anywhere in a local part, because
mailboxes like that exist.
"""

import re

from msgspec import Struct

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LITERAL = r"\[(?:IPv6:)?[0-9A-Fa-f:.]{2,45}\]"
_PLAIN = re.compile(rf"{_LOCAL}@(?:{_LABEL}(?:\.{_LABEL})*|{_LITERAL})")
_NAMED = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^<>"]*?)) *<([^<>]+)>')
_CHARS_MAX = 254
_SENDER_CHARS_MAX = 512
_LOCAL_BYTES_MAX = 64
_ASCII_BREAKERS = frozenset('()<>[]:;@\\," ')


class BadAddressError(ValueError):
    """Not a mailbox. The text says why, without the address itself."""


class Mailbox(Struct, frozen=True, gc=False):
    """One address; `utf8` when it needs a server that offers SMTPUTF8."""

    address: str
    utf8: bool
    name: str = ""

    @property
    def domain(self) -> str:
        """What stands right of the @."""
        return self.address.rpartition("@")[2]


def parse_mailbox(text: str) -> Mailbox:
    """The bare address `text`, or BadAddressError."""
    if len(text) > _CHARS_MAX:
        raise BadAddressError(f"longer than {_CHARS_MAX} characters")
    if _PLAIN.fullmatch(text):
        return Mailbox(text, utf8=False)
    if text.isascii():
        raise BadAddressError("not a mail address of the form name@domain")
    return _parse_international(text)


def parse_sender(text: str) -> Mailbox:
    """`address` or `Name <address>`, as a message's sender may be given."""
    if len(text) > _SENDER_CHARS_MAX:
        raise BadAddressError(f"longer than {_SENDER_CHARS_MAX} characters")
    named = _NAMED.fullmatch(text.strip(" "))
    if named is None:
        return parse_mailbox(text)
    quoted, plain, address = named.groups()
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain.strip(" ")
    box = parse_mailbox(address)
    return Mailbox(box.address, box.utf8, name)


def _parse_international(text: str) -> Mailbox:
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise BadAddressError("not a mail address of the form name@domain")
    # isprintable() is false for controls, for every kind of space but " ", and for surrogates.
    if not text.isprintable() or any(c in _ASCII_BREAKERS for c in local + domain):
        raise BadAddressError("holds a character that no mail address may hold")
    if len(local.encode()) > _LOCAL_BYTES_MAX:
        raise BadAddressError(f"the part left of the @ is longer than {_LOCAL_BYTES_MAX} bytes")
    if domain.startswith(".") or ".." in domain:
        raise BadAddressError("an empty label in the domain")
    return Mailbox(text, utf8=True)
