"""From a rendered message to the bodies of its submit_sm PDUs. No I/O.

What does not fit the wire (a recipient that is no E.164 number, a sender that SMPP cannot carry,
a text of too many parts) is answered with the refusal, and nothing is written.
"""

from functools import lru_cache

from core.providers.port import Outcome, OutMessage
from core.providers.smpp.codec import ESM_UDHI
from core.providers.smpp.fields import PduError, cstring, pack_tlvs
from core.providers.smpp.settings import SmppSettings
from core.providers.smpp.udh import TextTooLongError, split

_SENDERS_MAX = 1_000
_DAYS_MAX = 30
_TON_INTERNATIONAL, _NPI_ISDN = 1, 1
_TON_ALPHANUMERIC = 5


class Composer:
    """Builds bodies for one account; keeps the prefixes of the senders used last."""

    def __init__(self, settings: SmppSettings, first_reference: int) -> None:
        self._settings = settings
        self._reference = first_reference
        self._prefixes: dict[str, bytes] = {}
        self._registered = 1 if settings.receipts else 0

    def compose(self, message: OutMessage) -> list[bytes] | Outcome:
        """The bodies of all parts, in order, or why there can be none."""
        to = message.to
        if not (to.isascii() and to[:1] == "+" and to[1:].isdigit() and len(to) <= 16):
            return Outcome("invalid_target", code="address", detail="not an E.164 number")
        sender = message.sender or self._settings.source_addr
        try:
            prefix = self._prefixes.get(sender) or self._prefix(sender)
            cut = split(message.text, self._reference, self._settings.parts_max)
        except PduError as wrong:
            return Outcome("permanent", code="sender", detail=str(wrong))
        except TextTooLongError as wrong:
            return Outcome("permanent", code="too_long", detail=str(wrong))
        esm_class = 0
        if len(cut.payloads) > 1:
            esm_class = ESM_UDHI
            self._reference = (self._reference + 1) & 0xFF
        # Destination, esm_class, protocol id, priority, no schedule, validity.
        before = b"%b%b\0%c\0\0\0%b\0" % (
            prefix,
            to[1:].encode("ascii"),
            esm_class,
            relative_time(message.valid_for_ms),
        )
        tlvs = b""
        if self._settings.reference_tlv is not None:
            tlvs = pack_tlvs({self._settings.reference_tlv: message.ref.encode()})
        registered, coding = self._registered, cut.data_coding
        return [
            b"%b%c\0%c\0%c%b%b" % (before, registered, coding, len(octets), octets, tlvs)
            for octets in cut.payloads
        ]

    def _prefix(self, sender: str) -> bytes:
        """Everything before the destination's digits. Raises PduError on an impossible sender."""
        settings = self._settings
        ton, npi, address = sender_address(sender)
        if settings.source_ton is not None:
            ton = settings.source_ton
        if settings.source_npi is not None:
            npi = settings.source_npi
        prefix = b"".join(
            (
                cstring("service_type", settings.service_type, 5),
                bytes((ton, npi)),
                cstring("sender", address, 20),
                bytes((settings.dest_ton, settings.dest_npi)),
            )
        )
        if len(self._prefixes) >= _SENDERS_MAX:
            del self._prefixes[next(iter(self._prefixes))]
        self._prefixes[sender] = prefix
        return prefix


def sender_address(sender: str) -> tuple[int, int, str]:
    """Type of number, numbering plan and address of a sender as people write it."""
    if sender[:1] == "+" and sender[1:].isdigit():
        return _TON_INTERNATIONAL, _NPI_ISDN, sender[1:]
    if not sender or sender.isdigit():
        return 0, 0, sender
    return _TON_ALPHANUMERIC, 0, sender


def relative_time(valid_for_ms: int) -> bytes:
    """SMPP's relative time, rounded down to seconds but at least one; empty for 0 (no limit)."""
    if valid_for_ms <= 0:
        return b""
    return _relative(max(1, min(valid_for_ms // 1000, _DAYS_MAX * 86400)))


@lru_cache(256)  # messages of one class have nearly the same
def _relative(seconds: int) -> bytes:
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return b"0000%02d%02d%02d%02d000R" % (days, hours, minutes, seconds)
