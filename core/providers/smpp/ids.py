"""Making the ids of responses and of receipts comparable. Pure.

SMSCs write the same id differently in the two places. `id_notation` of the account says how:

* `auto`: the same notation, but letter case and leading zeros may differ
* `text`: exactly the same
* `dec`: decimal in both, perhaps with leading zeros
* `hex_in_receipt`: decimal in the response, hexadecimal in the receipt
* `dec_in_receipt`: hexadecimal in the response, decimal in the receipt

An id that does not read as the number it should be is treated as `auto` treats it, so that it can
still match. Commas become dots, because the ids of a long message are kept joined by commas.
"""

from core.providers.smpp.settings import IdNotation


def normalise(written: str, notation: IdNotation, in_receipt: bool) -> str:
    """The form in which ids of one account are compared."""
    written = written.strip().replace(",", ".")
    if notation == "text" or not written:
        return written
    base = _BASES[notation][in_receipt]
    if base and written.isalnum():
        try:
            return str(int(written, base))
        except ValueError:
            pass
    return written.lower().lstrip("0") or "0"


_BASES: dict[IdNotation, tuple[int, int]] = {
    "auto": (0, 0),
    "text": (0, 0),
    "dec": (10, 10),
    "hex_in_receipt": (10, 16),
    "dec_in_receipt": (16, 10),
}
