"""Long text messages: cutting a text into parts that phones join again, and joining them. Pure.

A text goes in the GSM alphabet if it can, else as UCS-2 (UTF-16 big endian, as every phone reads
it). Parts carry a user data header with an 8-bit reference. A cut never separates an escape from
its character, nor the two halves of a surrogate pair.
"""

from collections.abc import Hashable

from msgspec import Struct

from core.providers.smpp import gsm7
from core.providers.smpp.codec import DATA_GSM7, DATA_UCS2
from core.providers.smpp.fields import PduError

SEPTETS_ALONE = 160
SEPTETS_IN_PART = 153
UCS2_UNITS_ALONE = 70
UCS2_UNITS_IN_PART = 67
PARTS_MAX = 255


class TextTooLongError(ValueError):
    """The text needs more parts than allowed."""

    def __init__(self, parts: int, parts_max: int) -> None:
        super().__init__(f"the text needs {parts} parts; {parts_max} are allowed")


class Split(Struct, frozen=True, gc=False):
    """A text ready for the wire. With more than one payload each begins with its header."""

    data_coding: int
    payloads: list[bytes]


class Concat(Struct, frozen=True):
    """What a concatenation header says: part `part` of `total` (from 1) of message `reference`."""

    reference: int
    total: int
    part: int


def split(text: str, reference: int, parts_max: int = PARTS_MAX) -> Split:
    """The text's parts; `reference` is 0 to 255. Raises TextTooLongError."""
    encoded = gsm7.encode(text)
    if encoded is not None:
        if len(encoded) <= SEPTETS_ALONE:
            return Split(DATA_GSM7, [encoded])
        pieces = _cut_septets(encoded)
        return Split(DATA_GSM7, _with_headers(pieces, reference, parts_max))
    # A lone surrogate cannot be sent; "?" stands for it.
    encoded = text.encode("utf-16-be", "replace")
    if len(encoded) <= 2 * UCS2_UNITS_ALONE:
        return Split(DATA_UCS2, [encoded])
    return Split(DATA_UCS2, _with_headers(_cut_ucs2(encoded), reference, parts_max))


def decode_text(data_coding: int, octets: bytes) -> str:
    """The text of a whole message or of one part without its header; never fails."""
    if data_coding == DATA_UCS2:
        return octets.decode("utf-16-be", "replace")
    if data_coding == 0x03:
        return octets.decode("latin-1")
    return gsm7.decode(octets)


def read_header(payload: bytes) -> tuple[Concat | None, bytes]:
    """The concatenation header (8 or 16-bit reference) of a payload with UDHI, and what follows.

    Other header elements, and numbers that contradict each other, are passed over. Raises
    PduError if the header is longer than the payload.
    """
    if not payload or payload[0] + 1 > len(payload):
        raise PduError("user data header is longer than the payload")
    end = payload[0] + 1
    concat: Concat | None = None
    at = 1
    while at + 2 <= end:
        element, length = payload[at], payload[at + 1]
        value = payload[at + 2 : min(at + 2 + length, end)]
        if element == 0x00 and len(value) == 3:
            concat = Concat(value[0], value[1], value[2])
        elif element == 0x08 and len(value) == 4:
            concat = Concat(value[0] << 8 | value[1], value[2], value[3])
        at += 2 + length
    if concat is not None and not 1 <= concat.part <= concat.total:
        concat = None
    return concat, payload[end:]


class Joiner:
    """Collects the parts of long messages; past `open_max` unfinished ones the oldest goes."""

    def __init__(self, open_max: int = 1000) -> None:
        self._open_max = open_max
        self._open: dict[Hashable, dict[int, bytes]] = {}

    def add(self, sender_and_recipient: Hashable, concat: Concat, octets: bytes) -> bytes | None:
        """All octets in order once every part has come, else None. A repeated part replaces."""
        key = (sender_and_recipient, concat.reference, concat.total)
        parts = self._open.setdefault(key, {})
        parts[concat.part] = octets
        if all(number in parts for number in range(1, concat.total + 1)):
            del self._open[key]
            return b"".join([parts[number] for number in range(1, concat.total + 1)])
        if len(self._open) > self._open_max:
            del self._open[next(iter(self._open))]
        return None


def _cut_septets(encoded: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    start = 0
    while start < len(encoded):
        end = start + SEPTETS_IN_PART
        if end < len(encoded) and encoded[end - 1] == gsm7.ESCAPE:
            end -= 1
        pieces.append(encoded[start:end])
        start = end
    return pieces


def _cut_ucs2(encoded: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    start = 0
    while start < len(encoded):
        end = start + 2 * UCS2_UNITS_IN_PART
        if end < len(encoded) and 0xD8 <= encoded[end - 2] <= 0xDB:
            end -= 2
        pieces.append(encoded[start:end])
        start = end
    return pieces


def _with_headers(pieces: list[bytes], reference: int, parts_max: int) -> list[bytes]:
    total = len(pieces)
    if total > min(parts_max, PARTS_MAX):
        raise TextTooLongError(total, min(parts_max, PARTS_MAX))
    return [
        bytes((5, 0, 3, reference & 0xFF, total, number)) + piece
        for number, piece in enumerate(pieces, start=1)
    ]
