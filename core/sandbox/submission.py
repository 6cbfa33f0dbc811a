"""What a submit_sm says, as the SMSC sees it. Pure."""

from msgspec import Struct

from core.providers.smpp import codec
from core.providers.smpp.codec import ShortMessage
from core.providers.smpp.udh import Concat, decode_text, read_header

TLV_REFERENCE = 0x1400
"""Vendor parameter with the attempt's name, "message.attempt.epoch", as text."""

_SAR_REFERENCE, _SAR_TOTAL, _SAR_PART = 0x020C, 0x020E, 0x020F
_DIGITS_MIN, _DIGITS_MAX = 3, 20

Address = tuple[int, int, str]


class Submission(Struct, frozen=True, gc=False):
    """A message or a part of one. `octets` are its own, without the user data header."""

    to: str
    valid: bool  # whether `to` is a number that can be reached
    ref: str | None
    text: str
    octets: bytes
    data_coding: int
    concat: Concat | None
    wants: int  # of receipts: 0 none, 1 always, 2 if it fails
    sender: Address
    recipient: Address

    def key(self, concat: Concat) -> str:
        """What the parts of one long message have in common."""
        sender, recipient = self.sender[2], self.recipient[2]
        return f"{sender}|{recipient}|{concat.reference}|{concat.total}|{self.ref or ''}"


def read_submission(body: bytes) -> Submission:
    """Raises PduError if the body breaks the format."""
    message = codec.read_short_message(body)
    concat, octets = _concat(message)
    number = message.dest.removeprefix("+")
    valid = number.isdecimal() and _DIGITS_MIN <= len(number) <= _DIGITS_MAX
    ref = message.tlvs.get(TLV_REFERENCE)
    return Submission(
        to="+" + number if valid else message.dest,
        valid=valid,
        ref=None if ref is None else ref.rstrip(b"\0").decode("latin-1"),
        text=decode_text(message.data_coding, octets),
        octets=octets,
        data_coding=message.data_coding,
        concat=concat,
        wants=message.registered_delivery & 0x03,
        sender=(message.source_ton, message.source_npi, message.source),
        recipient=(message.dest_ton, message.dest_npi, message.dest),
    )


def _concat(message: ShortMessage) -> tuple[Concat | None, bytes]:
    """Which part of which message this is, if it is a part; by its header or by SAR parameters."""
    octets = message.content()
    concat: Concat | None = None
    tlvs = message.tlvs
    if message.esm_class & codec.ESM_UDHI:
        concat, octets = read_header(octets)
    elif _SAR_REFERENCE in tlvs and _SAR_TOTAL in tlvs and _SAR_PART in tlvs:
        concat = Concat(
            int.from_bytes(tlvs[_SAR_REFERENCE]),
            int.from_bytes(tlvs[_SAR_TOTAL]),
            int.from_bytes(tlvs[_SAR_PART]),
        )
    # Phones show a part with an impossible number as a message of its own.
    if concat is not None and not 1 <= concat.part <= concat.total <= 255:
        concat = None
    return concat, octets
