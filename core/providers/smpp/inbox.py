"""What an SMSC brings to us over one session: receipts, and messages from phones.

A receipt is handed to the engine and answered when the engine says so: accepted on `ack`,
"temporary error" on `nack`, upon which the SMSC delivers it again. More than
`receipts_open_max` unanswered ones are not taken in: the SMSC is told at once to come again. An
answer after the session has ended goes nowhere; the SMSC repeats the receipt on another session.

Messages from phones have no use yet: they are accepted and counted, so that the SMSC does not
repeat them for days and hold up the receipts behind them.
"""

import logging
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from core.providers.port import AdapterEvents, ReceiptIn
from core.providers.smpp.classify import ESME_ROK, ESME_RX_P_APPN, ESME_RX_T_APPN
from core.providers.smpp.codec import Pdu, ShortMessage, deliver_sm_resp, read_short_message
from core.providers.smpp.fields import PduError
from core.providers.smpp.ids import normalise
from core.providers.smpp.receipt_text import is_receipt, read_receipt
from core.providers.smpp.settings import SmppSettings

_log = logging.getLogger(__name__)


class Tally(Struct):
    """What came in over all sessions of an account, for metrics and tests."""

    receipts: int = 0
    receipts_put_off: int = 0
    receipts_nameless: int = 0
    from_phones: int = 0
    unreadable: int = 0


class Inbox:
    """The receiving side of one session; `say` writes a PDU to it."""

    def __init__(
        self,
        settings: SmppSettings,
        events: AdapterEvents,
        tally: Tally,
        say: Callable[[bytes], None],
    ) -> None:
        self._notation = settings.id_notation
        self._reference_tlv = settings.reference_tlv
        self._open_max = settings.receipts_open_max
        self._events = events
        self._tally = tally
        self._say = say
        self._open: set[int] = set()

    def open_receipts(self) -> int:
        """How many receipts wait for the engine's word."""
        return len(self._open)

    def close(self) -> None:
        """The session has ended: answers have nowhere to go."""
        self._open.clear()

    def deliver(self, pdu: Pdu) -> None:
        """Take one deliver_sm."""
        try:
            message = read_short_message(pdu.body)
        except PduError as wrong:
            self._tally.unreadable += 1
            _log.warning("unreadable deliver_sm: %s", wrong)
            self._say(deliver_sm_resp(pdu.sequence, ESME_RX_P_APPN))
            return
        if is_receipt(message):
            self._receipt(pdu.sequence, message)
        else:
            self._tally.from_phones += 1
            self._say(deliver_sm_resp(pdu.sequence, ESME_ROK))

    def _receipt(self, sequence: int, message: ShortMessage) -> None:
        if len(self._open) >= self._open_max:
            self._tally.receipts_put_off += 1
            self._say(deliver_sm_resp(sequence, ESME_RX_T_APPN))
            return
        read = read_receipt(message)
        ref = ""
        if self._reference_tlv is not None:
            ref = message.tlvs.get(self._reference_tlv, b"").rstrip(b"\0").decode("latin-1")
        if not read.message_id and not ref:
            # It names nothing that it could be matched with, however often it is repeated.
            self._tally.receipts_nameless += 1
            _log.warning("receipt without an id", extra={"code": read.code})
            self._say(deliver_sm_resp(sequence, ESME_ROK))
            return
        self._tally.receipts += 1
        self._open.add(sequence)
        receipt = ReceiptIn(
            normalise(read.message_id, self._notation, True),
            read.status,
            partial(self._answer, sequence, ESME_ROK),
            partial(self._answer, sequence, ESME_RX_T_APPN),
            ref,
            read.code,
        )
        try:
            self._events.receipt(receipt)
        except Exception:
            _log.exception("the engine failed on a receipt; the SMSC is asked to repeat it")
            receipt.nack()

    def _answer(self, sequence: int, status: int) -> None:
        if sequence in self._open:
            self._open.discard(sequence)
            self._say(deliver_sm_resp(sequence, status))
