"""The pieces SMPP bodies are made of: C-octet strings and optional parameters (TLVs). Pure.

Whatever does not fit raises PduError; the value of a field is never repeated in the message.
"""

from struct import Struct as Layout

_TLV = Layout(">HH")


class PduError(ValueError):
    """A PDU's body does not follow the format; the next PDU can still be read."""


def pack_tlvs(tlvs: dict[int, bytes]) -> bytes:
    """Optional parameters, in the order given."""
    return b"".join([_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items()])


def read_tlvs(body: bytes, start: int) -> dict[int, bytes]:
    """Optional parameters from `start` to the end of the body; of a repeated tag the last."""
    tlvs: dict[int, bytes] = {}
    size = len(body)
    while start < size:
        if size - start < 4:
            raise PduError(f"{size - start} octets after the last optional parameter")
        tag, length = _TLV.unpack_from(body, start)
        start += 4
        if start + length > size:
            raise PduError(f"optional parameter {tag:#06x} is cut short")
        tlvs[tag] = body[start : start + length]
        start += length
    return tlvs


def cstring(name: str, value: str, chars_max: int) -> bytes:
    """A C-octet string of at most so many characters."""
    try:
        encoded = value.encode("latin-1")
    except UnicodeEncodeError:
        # Without the cause: its message would repeat the value, which may be a password.
        raise PduError(f"{name} has characters outside of latin-1") from None
    if len(encoded) > chars_max:
        raise PduError(f"{name} has {len(encoded)} characters; SMPP takes {chars_max}")
    if 0 in encoded:
        raise PduError(f"{name} holds a zero octet")
    return encoded + b"\0"


def read_cstring(body: bytes, start: int) -> tuple[str, int]:
    """The C-octet string that begins at `start`, and where the next field begins."""
    end = body.index(0, start)
    return body[start:end].decode("latin-1"), end + 1
