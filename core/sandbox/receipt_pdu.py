"""A receipt as the SMSC sends it: a deliver_sm with the usual text and the two usual TLVs. Pure."""

import time
from functools import lru_cache

from core.providers.smpp.codec import (
    ESM_RECEIPT,
    TLV_MESSAGE_STATE,
    TLV_RECEIPTED_MESSAGE_ID,
    ShortMessage,
    deliver_sm,
)
from core.sandbox.journal import Receipt

_DELIVERED = b"\x02"
_UNDELIVERABLE = b"\x05"
HEAD_CHARS = 20


def head_of(text: str) -> str:
    """The beginning of a text as receipts repeat it; what is not ASCII becomes `?`."""
    return text[:HEAD_CHARS].encode("ascii", "replace").decode().replace("\n", " ")


def receipt_pdu(sequence: int, receipt: Receipt) -> bytes:
    """The deliver_sm. It goes back the message's way: from its recipient to its sender."""
    delivered, state, code = ("001", "DELIVRD", "000")
    message_state = _DELIVERED
    if receipt.failed:
        delivered, state, code = ("000", "UNDELIV", "001")
        message_state = _UNDELIVERABLE
    text = (
        f"id:{receipt.shown_id} sub:001 dlvrd:{delivered}"
        f" submit date:{_minute(receipt.submitted_ms // 60_000)}"
        f" done date:{_minute(receipt.due_ms // 60_000)}"
        f" stat:{state} err:{code} text:{receipt.head}"
    )
    source_ton, source_npi, source = receipt.recipient
    dest_ton, dest_npi, dest = receipt.sender
    return deliver_sm(
        sequence,
        ShortMessage(
            source=source,
            source_ton=source_ton,
            source_npi=source_npi,
            dest=dest,
            dest_ton=dest_ton,
            dest_npi=dest_npi,
            esm_class=ESM_RECEIPT,
            payload=text.encode("latin-1", "replace"),
            tlvs={
                TLV_RECEIPTED_MESSAGE_ID: receipt.shown_id.encode("latin-1") + b"\0",
                TLV_MESSAGE_STATE: message_state,
            },
        ),
    )


@lru_cache(maxsize=64)
def _minute(minutes_since_1970: int) -> str:
    return time.strftime("%y%m%d%H%M", time.gmtime(minutes_since_1970 * 60))
