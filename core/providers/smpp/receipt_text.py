"""Reading receipts out of deliver_sm: the customary text, and the optional parameters. Pure.

The text is only a custom ("id:... sub:... dlvrd:... submit date:... done date:... stat:DELIVRD
err:000 text:..."), so fields may come in any order and letter case, or not at all; optional
parameters, where present, are believed rather than the text. Nothing here fails: what cannot be
read is left empty, and a word that we do not know is status "unknown" and kept in `code`. The
date in the text names no time zone, so it is not used.
"""

from msgspec import Struct

from core.providers.port import ReceiptStatus
from core.providers.smpp.codec import (
    DATA_UCS2,
    ESM_RECEIPT,
    TLV_MESSAGE_STATE,
    TLV_RECEIPTED_MESSAGE_ID,
    ShortMessage,
)

_ESM_INTERMEDIATE = 0x20
_BLANKS = " \t\r\n"

_WORDS: dict[str, ReceiptStatus] = {
    "DELIVRD": "delivered",
    "EXPIRED": "expired",
    "DELETED": "failed",
    "UNDELIV": "failed",
    "REJECTD": "failed",
    "SKIPPED": "failed",
    "ACCEPTD": "accepted",
    "ENROUTE": "accepted",
    "SCHEDULED": "accepted",
    "UNKNOWN": "unknown",
    # Common spellings that are not the custom's own.
    "DELIVERED": "delivered",
    "UNDELIVERABLE": "failed",
    "UNDELIVERED": "failed",
    "FAILED": "failed",
    "REJECTED": "failed",
    "ACCEPTED": "accepted",
    "BUFFERED": "accepted",
}
_STATES: dict[int, str] = {
    0: "SCHEDULED",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}


class ReceiptText(Struct, frozen=True, gc=False):
    """What a receipt says. `message_id` is as written, "" if it names none."""

    message_id: str
    status: ReceiptStatus
    code: str


def is_receipt(message: ShortMessage) -> bool:
    """Whether a deliver_sm reports on a message of ours instead of bringing one from a phone."""
    return bool(message.esm_class & (ESM_RECEIPT | _ESM_INTERMEDIATE)) or (
        TLV_RECEIPTED_MESSAGE_ID in message.tlvs
    )


def read_receipt(message: ShortMessage) -> ReceiptText:
    """The receipt in a deliver_sm for which `is_receipt` holds."""
    octets = message.content()
    coding = "utf-16-be" if message.data_coding == DATA_UCS2 else "latin-1"
    text = octets.decode(coding, "replace")
    folded = text.lower()
    # What follows "text:" is the message's own beginning, where anything may stand.
    end = folded.find(" text:")
    if end < 0:
        end = len(folded)
    message_id = _field(text, folded, "id:", end)
    word = _field(text, folded, "stat:", end).upper()
    error = _field(text, folded, "err:", end)
    if message.tlvs:
        tagged = message.tlvs.get(TLV_RECEIPTED_MESSAGE_ID)
        if tagged is not None:
            message_id = tagged.rstrip(b"\0").decode("latin-1") or message_id
        state = message.tlvs.get(TLV_MESSAGE_STATE)
        if state:
            word = _STATES.get(state[0], f"STATE{state[0]}")
    code = f"{word}:{error}" if error.strip("0") else word
    return ReceiptText(message_id, _WORDS.get(word, "unknown"), code)


def _field(text: str, folded: str, name: str, end: int) -> str:
    """The value after `name`, which must begin a word, up to the next blank; "" if not there."""
    at = folded.find(name, 0, end)
    while at > 0 and folded[at - 1] not in _BLANKS:
        at = folded.find(name, at + 1, end)
    if at < 0:
        return ""
    start = at + len(name)
    while start < end and text[start] in _BLANKS:
        start += 1
    stop = text.find(" ", start, end)
    return text[start : end if stop < 0 else stop].rstrip(_BLANKS)
