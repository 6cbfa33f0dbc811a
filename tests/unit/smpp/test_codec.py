"""The codec: what is built can be read again, however the stream is cut, and rubbish is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.smpp import codec
from core.providers.smpp.codec import Bind, FramingError, Pdu, PduReader, ShortMessage
from core.providers.smpp.fields import PduError, pack_tlvs, read_tlvs

octet = st.integers(0, 255)
sequences = st.integers(1, codec.SEQUENCE_MAX)


def words(chars_max: int) -> st.SearchStrategy[str]:
    return st.text(
        st.characters(min_codepoint=1, max_codepoint=255, exclude_categories=()),
        max_size=chars_max,
    )


tlvs = st.dictionaries(
    st.integers(0, 0xFFFF).filter(lambda tag: tag != codec.TLV_MESSAGE_PAYLOAD),
    st.binary(max_size=40),
    max_size=4,
)
messages = st.builds(
    ShortMessage,
    service_type=words(5),
    source_ton=octet,
    source_npi=octet,
    source=words(20),
    dest_ton=octet,
    dest_npi=octet,
    dest=words(20),
    esm_class=octet,
    protocol_id=octet,
    priority=octet,
    schedule=words(16),
    validity=words(16),
    registered_delivery=octet,
    replace_if_present=octet,
    data_coding=octet,
    default_message_id=octet,
    payload=st.binary(max_size=254),
    tlvs=tlvs,
)


def one(octets: bytes) -> Pdu:
    [pdu] = PduReader().feed(octets)
    return pdu


@given(sequences, messages)
def test_short_messages_come_back_as_they_went(sequence: int, message: ShortMessage) -> None:
    for build, command in (
        (codec.submit_sm, codec.SUBMIT_SM),
        (codec.deliver_sm, codec.DELIVER_SM),
    ):
        pdu = one(build(sequence, message))
        assert (pdu.command, pdu.status, pdu.sequence) == (command, 0, sequence)
        assert codec.read_short_message(pdu.body) == message


@given(st.binary(min_size=255, max_size=2000))
def test_a_long_payload_travels_as_message_payload(payload: bytes) -> None:
    message = ShortMessage(source="a", dest="b", payload=payload)
    read = codec.read_short_message(one(codec.submit_sm(1, message)).body)
    assert read.payload == b""
    assert read.content() == payload


@given(sequences, st.builds(Bind, words(15), words(8), words(12), octet, octet, octet, words(40)))
def test_binds_come_back_as_they_went(sequence: int, bind: Bind) -> None:
    pdu = one(codec.bind_transceiver(sequence, bind))
    assert pdu.command == codec.BIND_TRANSCEIVER
    assert codec.read_bind(pdu.body) == bind


def test_a_bind_never_shows_its_password() -> None:
    assert "geheim" not in repr(Bind("us", "geheim"))


@pytest.mark.parametrize("password", ["a secret that is too long", "密码"])
def test_a_password_that_does_not_fit_is_not_repeated(password: str) -> None:
    with pytest.raises(PduError) as refused:
        codec.bind_transceiver(1, Bind("us", password))
    assert password not in str(refused.value)
    assert refused.value.__cause__ is None


@given(sequences, words(65))
def test_responses_come_back_as_they_went(sequence: int, message_id: str) -> None:
    pdu = one(codec.submit_sm_resp(sequence, 0, message_id))
    assert pdu.command == codec.SUBMIT_SM_RESP
    assert codec.read_message_id(pdu.body) == message_id
    refused = one(codec.submit_sm_resp(sequence, 0x58, message_id))
    assert (refused.status, codec.read_message_id(refused.body)) == (0x58, "")
    assert one(codec.deliver_sm_resp(sequence, 0x64)).status == 0x64
    assert one(codec.bind_transceiver_resp(sequence, 0, "smsc")).body == b"smsc\0"
    nack = one(codec.bare(codec.GENERIC_NACK, sequence, 3))
    assert (nack.command, nack.status, nack.body) == (codec.GENERIC_NACK, 3, b"")


@given(st.lists(messages, min_size=1, max_size=4), st.lists(st.integers(1, 60), min_size=1))
def test_a_stream_may_be_cut_anywhere(sent: list[ShortMessage], cuts: list[int]) -> None:
    stream = b"".join(codec.deliver_sm(n, message) for n, message in enumerate(sent, start=1))
    reader = PduReader()
    pdus: list[Pdu] = []
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        pdus += reader.feed(stream[at : at + size])
        at += size
        turn += 1
    assert [pdu.sequence for pdu in pdus] == list(range(1, len(sent) + 1))
    assert [codec.read_short_message(pdu.body) for pdu in pdus] == sent


@pytest.mark.parametrize("length", [0, 15, 64 * 1024 + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_stream_after_what_was_whole(length: int) -> None:
    good = codec.bare(codec.ENQUIRE_LINK, 7)
    with pytest.raises(FramingError, match=str(length)) as broken:
        PduReader().feed(good + length.to_bytes(4, "big") + b"\0" * 12)
    assert [pdu.sequence for pdu in broken.value.before] == [7]


def test_the_longest_pdu_allowed_is_read() -> None:
    body = b"x" * (64 * 1024 - 16)
    octets = (64 * 1024).to_bytes(4, "big") + b"\0\0\0\x05" + b"\0" * 8 + body
    assert one(octets).body == body


@given(messages, st.data())
def test_a_body_cut_short_is_refused_or_still_a_message(
    message: ShortMessage, data: st.DataObject
) -> None:
    body = codec.short_message_body(message)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    try:
        codec.read_short_message(cut)
    except PduError:
        return
    # Only optional parameters may be missing without being missed.
    assert len(cut) >= len(body) - len(pack_tlvs(message.tlvs))


@given(st.binary(max_size=300))
def test_rubbish_bodies_raise_nothing_but_pdu_errors(body: bytes) -> None:
    for read in (codec.read_short_message, codec.read_bind):
        try:
            read(body)
        except PduError as refused:
            assert str(refused)


@given(tlvs)
def test_optional_parameters_come_back_as_they_went(sent: dict[int, bytes]) -> None:
    assert read_tlvs(b"xyz" + pack_tlvs(sent), 3) == sent


def test_fields_that_do_not_fit_are_refused() -> None:
    for message in (
        ShortMessage(source="x" * 21, dest="", payload=b""),
        ShortMessage(source="a\0b", dest="", payload=b""),
        ShortMessage(source="你", dest="", payload=b""),
    ):
        with pytest.raises(PduError, match="source"):
            codec.submit_sm(1, message)
