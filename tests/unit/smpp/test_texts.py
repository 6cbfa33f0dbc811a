"""The GSM alphabet, and cutting and joining long texts."""

from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from core.providers.smpp import gsm7, udh
from core.providers.smpp.codec import DATA_GSM7, DATA_UCS2
from core.providers.smpp.fields import PduError

# GSM 03.38, written out here once more so that a slip in the code's own table shows.
BASIC = [
    *"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ",
    *"ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡",
    *(chr(code) for code in range(ord("A"), ord("Z") + 1)),
    *"ÄÖÑÜ§¿",
    *(chr(code) for code in range(ord("a"), ord("z") + 1)),
    *"äöñüà",
]
EXTENDED = "^{}\\[~]|€\f"

gsm_text = st.text(st.sampled_from([*BASIC, *EXTENDED]), max_size=500)
escape_heavy = st.text(st.sampled_from("€[a"), min_size=140, max_size=700)
any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=400)
emoji_heavy = st.text(st.sampled_from("😀你a"), min_size=60, max_size=400)


def test_the_alphabet_has_its_places() -> None:
    assert gsm7.encode("".join(BASIC)) == bytes(code for code in range(128) if code != 27)
    assert gsm7.encode("€") == b"\x1be"
    assert gsm7.encode("@") == b"\0"
    assert gsm7.encode("{}") == b"\x1b(\x1b)"


@given(gsm_text)
def test_the_alphabet_comes_back_as_it_went(text: str) -> None:
    encoded = gsm7.encode(text)
    assert encoded is not None
    assert gsm7.decode(encoded) == text
    assert gsm7.septets(text) == len(text) + sum(char in EXTENDED for char in text)


@mark.parametrize("text", ["你好", "`", "ç", "\x1b", "á", "😀"])
def test_other_characters_have_no_place(text: str) -> None:
    assert gsm7.encode(text) is None
    assert gsm7.septets(text) is None


@given(st.binary(max_size=200))
def test_decoding_never_fails(data: bytes) -> None:
    assert len(gsm7.decode(data)) <= len(data)


def test_decoding_what_should_not_be_there() -> None:
    assert gsm7.decode(b"\x1ba") == "a"
    assert gsm7.decode(b"a\x1b") == "a "
    assert gsm7.decode(b"\xe9") == "�"
    assert gsm7.decode(b"\x1b\xe9") == "�"


def rejoined(text: str, reference: int) -> str:
    """Split, check what each part promises, and read it as a phone does."""
    split = udh.split(text, reference)
    unit_octets = 1 if split.data_coding == DATA_GSM7 else 2
    if len(split.payloads) == 1:
        assert len(split.payloads[0]) <= (160 if unit_octets == 1 else 140)
        return udh.decode_text(split.data_coding, split.payloads[0])
    joiner = udh.Joiner()
    whole: bytes | None = None
    texts = []
    # In reverse order: phones and the sandbox cannot rely on the order of arrival.
    for payload in reversed(split.payloads):
        assert whole is None
        concat, octets = udh.read_header(payload)
        assert concat is not None
        assert concat.reference == reference
        assert concat.total == len(split.payloads)
        assert len(octets) <= (153 if unit_octets == 1 else 134)
        # Each part is readable alone: no escape pair and no surrogate pair is cut.
        texts.insert(0, udh.decode_text(split.data_coding, octets))
        whole = joiner.add("them", concat, octets)
    assert whole is not None
    joined = udh.decode_text(split.data_coding, whole)
    assert "".join(texts) == joined
    return joined


@given(st.one_of(gsm_text, escape_heavy, any_text, emoji_heavy), st.integers(0, 255))
def test_parts_fit_and_join_to_the_text(text: str, reference: int) -> None:
    assert rejoined(text, reference) == text


def test_the_borders_between_one_part_and_more() -> None:
    counts = {
        "a" * 160: 1,
        "a" * 161: 2,
        "a" * 306: 2,
        "a" * 307: 3,
        "€" * 80: 1,
        "€" * 81: 2,
        # 76 pairs are 152 septets; the 77th would be cut at 153, so a part holds 76.
        "€" * 152: 2,
        "€" * 153: 3,
        "你" * 70: 1,
        "你" * 71: 2,
        "你" * 134: 2,
        "你" * 135: 3,
        "😀" * 35: 1,
        "😀" * 36: 2,
        # 33 pairs are 66 units; the 34th would be cut at 67.
        "😀" * 66: 2,
        "😀" * 67: 3,
    }
    assert {text: len(udh.split(text, 0).payloads) for text in counts} == counts


def test_the_coding_is_the_cheapest_that_holds_the_text() -> None:
    assert udh.split("é", 0).data_coding == DATA_GSM7
    assert udh.split("ê", 0).data_coding == DATA_UCS2


def test_a_lone_surrogate_is_replaced() -> None:
    split = udh.split("你\ud800", 0)
    assert udh.decode_text(split.data_coding, split.payloads[0]) == "你?"


def test_too_many_parts_are_refused() -> None:
    with raises(udh.TextTooLongError, match=r"needs 3 parts; 2 are"):
        udh.split("a" * 307, 0, parts_max=2)
    with raises(udh.TextTooLongError, match=r"needs 256 parts; 255 are"):
        udh.split("a" * (255 * 153 + 1), 0, parts_max=400)


def test_headers_of_others() -> None:
    assert udh.read_header(b"\x06\x08\x04\x12\x34\x02\x01hi") == (udh.Concat(0x1234, 2, 1), b"hi")
    # Another element before ours, and one that we do not know alone.
    assert udh.read_header(b"\x08\x24\x01\x01\x00\x03\x07\x02\x02hi") == (
        udh.Concat(7, 2, 2),
        b"hi",
    )
    assert udh.read_header(b"\x03\x24\x01\x01hi") == (None, b"hi")
    # Part 3 of 2, part 0, and none at all name no message.
    for numbers in (b"\x02\x03", b"\x02\x00", b"\x00\x00"):
        assert udh.read_header(b"\x05\x00\x03\x07" + numbers + b"hi") == (None, b"hi")
    for broken in (b"", b"\x05\x00\x03"):
        with raises(PduError):
            udh.read_header(broken)


@given(st.binary(max_size=30))
def test_reading_a_header_raises_nothing_but_pdu_errors(payload: bytes) -> None:
    try:
        concat, rest = udh.read_header(payload)
    except PduError:
        return
    assert payload.endswith(rest)
    assert concat is None or 1 <= concat.part <= concat.total


def test_the_joiner_forgets_the_oldest() -> None:
    joiner = udh.Joiner(open_max=2)
    for sender in ("a", "b", "c"):
        assert joiner.add(sender, udh.Concat(1, 2, 1), b"1") is None
    assert joiner.add("a", udh.Concat(1, 2, 2), b"2") is None
    assert joiner.add("c", udh.Concat(1, 2, 2), b"2") == b"12"
