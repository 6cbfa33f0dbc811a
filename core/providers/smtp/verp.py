"""Return paths that name the attempt (VERP): a bounce says by its address what it is about. Pure.

`b+<token>@<bounce domain>`: the token holds the whole name of the attempt and a MAC over it, so a
bounce finds its message without any table, for as long as the journal knows the message, and also
where the provider's answer was lost and nobody else knows that the mail went out. A provider's id
would be found for hours only, and not at all after a lost answer.

A local part has 64 characters at most, and servers may change its case, so the token is a number
in base 36: shard, random or hashed part of the message's id, incarnation, log and place of the
attempt, then 48 bits of HMAC-SHA256. The names of regions are not in it: the MAC is made over
the names in full, and whoever knows the regions tries them. In the worst case, an id made from an
idempotency key, 48 bits are left for generation, row and index, which is more than a log grows to.

A reference that is not of this form, or that does not fit, has no such address (""); the mail then
goes out with the account's plain return path. A token that nobody signed, or that was changed in
one character, names nothing ("").
"""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256

PREFIX = "b+"
KEY_CHARS_MIN = 16
_TOKEN_CHARS_MAX = 64 - len(PREFIX)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"[0-9a-z]{16,62}")
_REF = re.compile(
    r"(?P<home>[a-z][a-z0-9]{0,15})-(?P<kind>[uk])(?P<shard>[0-9a-f]{3})(?P<rest>[0-9a-v]{23,26})"
    r"\.(?P<region>[a-z][a-z0-9]{0,15})(?P<incarnation>[0-9a-f]{16})"
    r"-(?P<urgency>[un])(?P<generation>0|[1-9]\d{0,8})-(?P<row>0|[1-9]\d{0,14})"
    r"-(?P<index>0|[1-9]\d{0,8})"
    r"\.\d{1,18}"
)
_MAC_BITS = 48
_SHARD_BITS = 12
_INCARNATION_BITS = 64
_LENGTH_BITS = {"generation": 5, "row": 6, "index": 5}
_KINDS = {"u": 23, "k": 26}  # letters of five bits after the shard
_CHUNK = 36**12


class Verp:
    """The return paths of one account."""

    def __init__(self, domain: str, key: str) -> None:
        self.domain = domain.lower()
        self._key = key.encode()

    def address(self, ref: str) -> str:
        """The return path for the attempt "message.attempt.epoch", or ""."""
        found = _REF.fullmatch(ref)
        if found is None or len(found["rest"]) != _KINDS[found["kind"]]:
            return ""
        number = (_packed(found) << _MAC_BITS) | self._mac(ref.rpartition(".")[0])
        token = _base36(number)
        return f"{PREFIX}{token}@{self.domain}" if len(token) <= _TOKEN_CHARS_MAX else ""

    def ref_of(self, address: str, regions: Iterable[str]) -> str:
        """The attempt that this return path names, as "message.attempt.0", or ""."""
        local, _, domain = address.lower().rpartition("@")
        token = local.removeprefix(PREFIX)
        if domain != self.domain or token == local or not _TOKEN.fullmatch(token):
            return ""
        number = int(token, 36)
        if _base36(number) != token:
            return ""
        mac = number & ((1 << _MAC_BITS) - 1)
        unpacked = _unpacked(number >> _MAC_BITS)
        if unpacked is None:
            return ""
        known = tuple(regions)
        for home in known:
            for region in known:
                name = f"{home}-{unpacked[0]}.{region}{unpacked[1]}"
                if hmac.compare_digest(_six(self._mac(name)), _six(mac)):
                    return f"{name}.0"
        return ""

    def _mac(self, name: str) -> int:
        digest = hmac.digest(self._key, name.encode(), sha256)
        return int.from_bytes(digest[: _MAC_BITS // 8], "big")


def _six(mac: int) -> bytes:
    return mac.to_bytes(_MAC_BITS // 8, "big")


def _packed(found: "re.Match[str]") -> int:
    """The fields as one number, the first one lowest."""
    number, at = int(found["kind"] == "k"), 1
    for value, bits in (
        (int(found["shard"], 16), _SHARD_BITS),
        (int(found["rest"], 32), 5 * len(found["rest"])),
        (int(found["incarnation"], 16), _INCARNATION_BITS),
        (int(found["urgency"] == "u"), 1),
    ):
        number |= value << at
        at += bits
    for name, length_bits in _LENGTH_BITS.items():
        value = int(found[name])
        bits = value.bit_length()
        number |= (bits | value << length_bits) << at
        at += length_bits + bits
    return number


def _unpacked(number: int) -> tuple[str, str] | None:
    """Message id and attempt, both without the region's name; None if this was never packed."""
    rest = number

    def take(bits: int) -> int:
        nonlocal rest
        value = rest & ((1 << bits) - 1)
        rest >>= bits
        return value

    kind = "k" if take(1) else "u"
    shard = take(_SHARD_BITS)
    letters = _KINDS[kind]
    unique = take(5 * letters)
    incarnation = take(_INCARNATION_BITS)
    urgency = "u" if take(1) else "n"
    numbers = [take(take(bits)) for bits in _LENGTH_BITS.values()]
    if rest:
        return None
    text = "".join([_DIGITS[unique >> 5 * place & 31] for place in reversed(range(letters))])
    generation, row, index = numbers
    attempt = f"{incarnation:016x}-{urgency}{generation}-{row}-{index}"
    return f"{kind}{shard:03x}{text}", attempt


def _base36(number: int) -> str:
    digits: list[str] = []
    while number:
        # Small numbers divide much faster than one of three hundred bits.
        number, chunk = divmod(number, _CHUNK)
        for _ in range(12):
            chunk, digit = divmod(chunk, 36)
            digits.append(_DIGITS[digit])
    return "".join(reversed(digits)).lstrip("0")
