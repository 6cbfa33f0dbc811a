"""What a preview says of a text message agrees with how the wire cuts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.smpp import gsm7
from core.providers.smpp.udh import TextTooLongError, split
from core.templates.sms_parts import sms_of

gsm_text = st.text(st.sampled_from("ab€[é\n"), max_size=500)
any_text = st.text(st.sampled_from("ab€你😀ç"), max_size=300)


@given(gsm_text | any_text)
def test_parts_are_those_of_the_wire(text: str) -> None:
    told = sms_of(text)
    assert told.parts == len(split(text, 0).payloads)
    assert told.characters == len(text)
    assert (told.encoding == "gsm7") == (gsm7.encode(text) is not None)
    assert all(char in text and gsm7.encode(char) is None for char in told.forces_ucs2)
    assert bool(told.forces_ucs2) == (told.encoding == "ucs2")


@given(gsm_text | any_text)
def test_what_is_left_fits_and_no_more(text: str) -> None:
    told = sms_of(text)
    assert told.left >= 0
    assert sms_of(text + "a" * told.left).parts == told.parts
    more = sms_of(text + "a" * (told.left + 1))
    # Leaving the single part makes room for headers: there may be more than one part at once.
    assert more.parts > told.parts


@pytest.mark.parametrize(
    ("text", "encoding", "parts", "left", "forces"),
    [
        ("", "gsm7", 1, 160, []),
        ("a" * 160, "gsm7", 1, 0, []),
        ("a" * 161, "gsm7", 2, 145, []),
        ("€" * 80, "gsm7", 1, 0, []),
        ("你" * 70, "ucs2", 1, 0, ["你"]),
        ("你" * 71, "ucs2", 2, 63, ["你"]),
        ("a’b – ’", "ucs2", 1, 63, ["’", "–"]),
    ],
)
def test_known_texts(text: str, encoding: str, parts: int, left: int, forces: list[str]) -> None:
    told = sms_of(text)
    assert (told.encoding, told.parts, told.left, told.forces_ucs2) == (
        encoding,
        parts,
        left,
        forces,
    )


def test_a_text_of_too_many_parts_is_refused() -> None:
    with pytest.raises(TextTooLongError):
        sms_of("a" * 40_000)
