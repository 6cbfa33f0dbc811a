"""GSM 03.38 default alphabet with its extension, as SMPP carries it: one octet for each septet.

Pure. `encode` answers None where a character has no place in the alphabet (the text then goes as
UCS-2); `decode` never fails, because what a phone or an SMSC sends is shown as well as possible.
"""

import codecs

ESCAPE = 0x1B

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_ENCODING: dict[int, bytes] = {
    ord(char): bytes((code,)) for code, char in enumerate(_BASIC) if code != ESCAPE
} | {ord(char): bytes((ESCAPE, code)) for code, char in _EXTENSION.items()}


def encode(text: str) -> bytes | None:
    """The text's septets, one in each octet, or None if a character is not in the alphabet."""
    try:
        return codecs.charmap_encode(text, "strict", _ENCODING)[0]
    except UnicodeEncodeError:
        return None


def septets(text: str) -> int | None:
    """How many septets the text takes (extension characters take two), None as `encode`."""
    encoded = encode(text)
    return None if encoded is None else len(encoded)


def decode(data: bytes) -> str:
    """The text of the septets.

    An octet above 127 becomes U+FFFD, an unknown extension is shown as its basic character, and
    an escape at the very end as a space, as 03.38 advises.
    """
    if ESCAPE not in data:
        return codecs.charmap_decode(data, "replace", _BASIC)[0]
    out: list[str] = []
    rest = iter(data)
    for code in rest:
        if code == ESCAPE:
            code = next(rest, 0x20)
            out.append(_EXTENSION.get(code) or _plain(code))
        else:
            out.append(_plain(code))
    return "".join(out)


def _plain(code: int) -> str:
    if code == ESCAPE:
        return " "
    return _BASIC[code] if code < 128 else "�"
