"""How many parts a message is billed as. Pure."""

from core.providers.smpp.udh import PARTS_MAX, UCS2_UNITS_ALONE, TextTooLongError, split


def parts_of(channel: str, text: str) -> int:
    """Parts of a text message, at most 255; everything else is one."""
    if channel != "sms" or (len(text) <= UCS2_UNITS_ALONE and text.isascii()):
        return 1
    try:
        return len(split(text, 0).payloads)
    except TextTooLongError:
        return PARTS_MAX
