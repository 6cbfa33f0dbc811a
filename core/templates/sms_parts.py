"""How a text goes out by SMS, by the rules that the SMPP wire cuts texts with. Pure."""

from core.contract.templates import SmsOut
from core.providers.smpp import gsm7
from core.providers.smpp.codec import DATA_GSM7
from core.providers.smpp.udh import (
    PARTS_MAX,
    SEPTETS_ALONE,
    SEPTETS_IN_PART,
    UCS2_UNITS_ALONE,
    UCS2_UNITS_IN_PART,
    TextTooLongError,
    split,
)

_HEADER_BYTES = 6
_FORCING_MAX = 20


def sms_of(text: str) -> SmsOut:
    """Encoding and parts; raises `TextTooLongError` for more parts than a text message can have."""
    cut = split(text, 0, PARTS_MAX)
    gsm = cut.data_coding == DATA_GSM7
    alone, in_part = (
        (SEPTETS_ALONE, SEPTETS_IN_PART) if gsm else (UCS2_UNITS_ALONE, UCS2_UNITS_IN_PART)
    )
    last = len(cut.payloads[-1])
    if len(cut.payloads) > 1:
        room, last = in_part, last - _HEADER_BYTES
    else:
        room = alone
    used = last if gsm else last // 2
    forcing = [] if gsm else [char for char in dict.fromkeys(text) if gsm7.encode(char) is None]
    return SmsOut(
        "gsm7" if gsm else "ucs2", len(cut.payloads), len(text), room - used, forcing[:_FORCING_MAX]
    )


__all__ = ["TextTooLongError", "sms_of"]
