"""Status codes, ids, receipts' texts, composing, signs of life: the pure rules of the SMPP wire."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from core.providers.port import DEFINITE_NO, Outcome, OutMessage
from core.providers.smpp import Settings
from core.providers.smpp.classify import status_table
from core.providers.smpp.codec import ShortMessage, read_short_message
from core.providers.smpp.compose import Composer, relative_time, sender_address
from core.providers.smpp.ids import normalise
from core.providers.smpp.pulse import Pulse
from core.providers.smpp.receipt_text import is_receipt, read_receipt
from core.providers.smpp.settings import IdNotation

STATUSES = status_table({}, throttle_wait_ms=700)


@mark.parametrize(
    ("status", "kind"),
    [
        (0x58, "throttled"),
        (0x14, "throttled"),
        (0x08, "retryable"),
        (0x64, "retryable"),
        (0x0B, "invalid_target"),
        (0x0A, "account_fault"),
        (0x0E, "account_fault"),
        (0x01, "permanent"),
        (0x45, "permanent"),
        (0x65, "permanent"),
        (0x0499, "permanent"),
    ],
)
def test_status_codes(status: int, kind: str) -> None:
    refusal = STATUSES.refusal(status)
    assert refusal.kind == kind
    assert refusal.code == f"0x{status:08x}"
    assert refusal.wait_ms == (700 if kind == "throttled" else 0)


@given(st.integers(1, 0xFFFFFFFF))
def test_every_error_status_is_a_definite_no(status: int) -> None:
    assert STATUSES.refusal(status).kind in DEFINITE_NO


def test_an_accounts_own_meaning_of_a_status_comes_first() -> None:
    own = status_table({"0x00000499": "throttled", "0x8": "permanent"}, throttle_wait_ms=700)
    assert own.refusal(0x499).kind == "throttled"
    assert own.refusal(0x499).wait_ms == 700
    assert own.refusal(0x08).kind == "permanent"


def test_the_gravest_refusal_speaks_for_all() -> None:
    assert STATUSES.gravest([0x58, 0x0B, 0x08]).kind == "invalid_target"
    assert STATUSES.gravest([0x08, 0x58]).kind == "throttled"


@mark.parametrize(
    ("notation", "response", "receipt", "same"),
    [
        ("auto", "00AbC1", "abc1", True),
        ("auto", "12", "12", True),
        ("auto", "12", "13", False),
        ("auto", "0", "000", True),
        ("text", "00AbC1", "00AbC1", True),
        ("text", "00AbC1", "AbC1", False),
        ("dec", "000123", "123", True),
        ("dec", "weird", "WEIRD", True),
        ("hex_in_receipt", "1234", "4D2", True),
        ("hex_in_receipt", "1234", "1234", False),
        ("dec_in_receipt", "4d2", "0001234", True),
        ("dec_in_receipt", "not-hex", "NOT-HEX", True),
        ("auto", "a,b", "a.b", True),
    ],
)
def test_ids_in_two_notations(
    notation: IdNotation, response: str, receipt: str, same: bool
) -> None:
    ours = normalise(response, notation, in_receipt=False)
    assert (ours == normalise(receipt, notation, in_receipt=True)) is same
    assert "," not in ours


@given(st.text(max_size=20), st.sampled_from(IdNotation.__args__), st.booleans())
def test_no_id_breaks_normalising(written: str, notation: IdNotation, in_receipt: bool) -> None:
    assert "," not in normalise(written, notation, in_receipt)


def receipt(text: str, tlvs: dict[int, bytes] | None = None, coding: int = 0) -> ShortMessage:
    octets = text.encode("utf-16-be" if coding == 8 else "latin-1")
    return ShortMessage(
        source="1", dest="2", esm_class=4, payload=octets, data_coding=coding, tlvs=tlvs or {}
    )


CUSTOM = (
    "id:0Ab1 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 "
    "stat:{stat} err:{err} text:hello id:999 stat:REJECTD"
)


@mark.parametrize(
    ("stat", "err", "status", "code"),
    [
        ("DELIVRD", "000", "delivered", "DELIVRD"),
        ("UNDELIV", "045", "failed", "UNDELIV:045"),
        ("EXPIRED", "0", "expired", "EXPIRED"),
        ("DELETED", "", "failed", "DELETED"),
        ("REJECTD", "000", "failed", "REJECTD"),
        ("ACCEPTD", "000", "accepted", "ACCEPTD"),
        ("ENROUTE", "000", "accepted", "ENROUTE"),
        ("UNKNOWN", "000", "unknown", "UNKNOWN"),
        ("KAPUTT", "000", "unknown", "KAPUTT"),
        ("delivrd", "000", "delivered", "DELIVRD"),
    ],
)
def test_the_customary_text(stat: str, err: str, status: str, code: str) -> None:
    read = read_receipt(receipt(CUSTOM.format(stat=stat, err=err)))
    assert (read.message_id, read.status, read.code) == ("0Ab1", status, code)


@mark.parametrize(
    "text",
    [
        "stat:DELIVRD id:7",
        "ID:7 STAT:DELIVRD",
        "Stat:Delivrd submit date:2601 ID:7 Text:",
        "mid:3 id: 7 stat: DELIVRD",
        "id:7\tstat:DELIVRD".replace("\t", " "),
        "sub:001 id:7 stat:DELIVRD\r\n",
    ],
)
def test_texts_in_other_orders_and_letters(text: str) -> None:
    read = read_receipt(receipt(text))
    assert (read.message_id, read.status) == ("7", "delivered")


def test_a_receipt_in_ucs2() -> None:
    read = read_receipt(receipt("id:7 stat:DELIVRD", coding=8))
    assert (read.message_id, read.status) == ("7", "delivered")


def test_optional_parameters_are_believed_rather_than_the_text() -> None:
    read = read_receipt(receipt("id:7 stat:DELIVRD", {0x1E: b"abc\0", 0x427: b"\x05"}))
    assert (read.message_id, read.status, read.code) == ("abc", "failed", "UNDELIV")
    read = read_receipt(receipt("", {0x1E: b"abc", 0x427: b"\x02"}))
    assert (read.message_id, read.status) == ("abc", "delivered")
    read = read_receipt(receipt("id:7 stat:DELIVRD", {0x1E: b"", 0x427: b""}))
    assert (read.message_id, read.status) == ("7", "delivered")
    assert read_receipt(receipt("", {0x427: b"\x63"})).code == "STATE99"


@given(st.text(max_size=120), st.dictionaries(st.sampled_from([0x1E, 0x427, 5]), st.binary()))
def test_no_receipt_breaks_reading(text: str, tlvs: dict[int, bytes]) -> None:
    read = read_receipt(receipt(text.encode("latin-1", "replace").decode("latin-1"), tlvs))
    assert " " not in read.message_id or 0x1E in tlvs


def test_what_is_a_receipt() -> None:
    assert is_receipt(receipt(""))
    assert is_receipt(ShortMessage(source="1", dest="2", esm_class=0x20, payload=b""))
    assert is_receipt(ShortMessage(source="1", dest="2", payload=b"", tlvs={0x1E: b"7"}))
    assert not is_receipt(ShortMessage(source="1", dest="2", payload=b"id:7 stat:DELIVRD"))
    assert not is_receipt(ShortMessage(source="1", dest="2", esm_class=0x40, payload=b""))


def composed(message: OutMessage, **settings: object) -> list[ShortMessage] | Outcome:
    composer = Composer(Settings(host="h", system_id="us", **settings), first_reference=255)
    bodies = composer.compose(message)
    if isinstance(bodies, Outcome):
        return bodies
    return [read_short_message(body) for body in bodies]


def test_a_composed_message() -> None:
    message = OutMessage("m.a.1", "+447700900123", "GouTong", "hi", valid_for_ms=90_061_500)
    assert composed(message, reference_tlv=0x1400) == [
        ShortMessage(
            source="GouTong",
            source_ton=5,
            dest="447700900123",
            dest_ton=1,
            dest_npi=1,
            validity="000001010101000R",
            registered_delivery=1,
            payload=b"hi",
            tlvs={0x1400: b"m.a.1"},
        )
    ]


def test_settings_of_the_account_show_in_the_message() -> None:
    message = OutMessage("r", "+447700900123", text="hi")
    [read] = composed(
        message,
        source_addr="+4477",
        source_npi=9,
        dest_ton=2,
        dest_npi=3,
        service_type="VMA",
        receipts=False,
    )
    assert (read.source, read.source_ton, read.source_npi) == ("4477", 1, 9)
    assert (read.dest_ton, read.dest_npi, read.service_type) == (2, 3, "VMA")
    assert (read.registered_delivery, read.validity, read.tlvs) == (0, "", {})


def test_a_long_message_shares_one_reference_and_the_next_has_another() -> None:
    composer = Composer(Settings(host="h", system_id="us"), first_reference=255)
    references = []
    for _ in range(2):
        bodies = composer.compose(OutMessage("r", "+447700900123", text="a" * 400))
        assert not isinstance(bodies, Outcome)
        parts = [read_short_message(body) for body in bodies]
        assert [part.esm_class for part in parts] == [0x40] * 3
        assert len({part.payload[3] for part in parts}) == 1
        references.append(parts[0].payload[3])
    assert references == [255, 0]


@mark.parametrize("to", ["447700900123", "+44 77", "", "+", "+44770090012345678", "+٤٤٧٧"])
def test_a_recipient_that_is_no_number(to: str) -> None:
    outcome = composed(OutMessage("r", to, text="hi"))
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "invalid_target"
    assert outcome.detail == "not an E.164 number"


def test_what_cannot_be_composed_is_refused() -> None:
    sender = composed(OutMessage("r", "+447700900123", sender="x" * 21, text="hi"))
    assert isinstance(sender, Outcome)
    assert (sender.kind, sender.code) == ("permanent", "sender")
    text = composed(OutMessage("r", "+447700900123", text="a" * 400), parts_max=2)
    assert isinstance(text, Outcome)
    assert (text.kind, text.code) == ("permanent", "too_long")


def test_the_longest_text_declared_fits_the_default() -> None:
    parts = composed(OutMessage("r", "+447700900123", text="😀" * 1600))
    assert isinstance(parts, list)


def test_more_senders_than_are_kept() -> None:
    composer = Composer(Settings(host="h", system_id="us"), first_reference=0)
    for turn in range(2):
        for number in range(1_100):
            bodies = composer.compose(OutMessage("r", "+4477", f"S{number}", f"{turn}"))
            assert not isinstance(bodies, Outcome)
            assert read_short_message(bodies[0]).source == f"S{number}"


def test_senders() -> None:
    assert sender_address("+447700") == (1, 1, "447700")
    assert sender_address("GouTong") == (5, 0, "GouTong")
    assert sender_address("10690") == (0, 0, "10690")
    assert sender_address("") == (0, 0, "")


def test_relative_times() -> None:
    assert relative_time(0) == b""
    assert relative_time(1) == b"000000000001000R"
    assert relative_time(300_000) == b"000000000500000R"
    assert relative_time(10**12) == b"000030000000000R"


def test_settings_name_the_field_that_is_wrong() -> None:
    for wrong, place in (
        (b'{"host":"h","system_id":"u","window":0}', "window"),
        (b'{"host":"h","system_id":"u","status_kinds":{"0x1":"accepted"}}', "status_kinds"),
        (b'{"host":"h","system_id":"u","status_kinds":{"58":"throttled"}}', "status_kinds"),
        (b'{"host":"h","system_id":"u","windows":1}', "windows"),
        (b'{"host":"h"}', "system_id"),
    ):
        with raises(msgspec.ValidationError, match=place):
            msgspec.json.decode(wrong, type=Settings)


def test_signs_of_life() -> None:
    pulse = Pulse(0.0, enquire_after_s=30, answer_within_s=10, write_within_s=1)
    assert not pulse.enquire(29.9, None)
    assert pulse.enquire(30, None)
    assert not pulse.enquire(31, None)
    assert not pulse.dead(40)
    assert pulse.dead(40.1)
    pulse.heard(41)
    assert not pulse.dead(60)
    assert pulse.enquire(71, None)
    pulse.blocked_since = 72
    assert not pulse.dead(73)
    assert "no bytes" in pulse.dead(73.1)


def test_a_link_that_owes_an_answer_is_enquired_soon_and_suspected() -> None:
    pulse = Pulse(0.0, enquire_after_s=30, answer_within_s=10, write_within_s=1)
    # The silence counts from the writing of what waits, not from the last sound before it.
    assert not pulse.enquire(22.4, waiting_since=20)
    assert pulse.enquire(22.5, waiting_since=20)
    assert not pulse.enquire(25, waiting_since=20)
    assert not pulse.suspect
    assert not pulse.enquire(25.1, waiting_since=20)
    assert pulse.suspect
    assert pulse.heard(26)
    assert not pulse.suspect
    # It spoke, so what waits is only slow.
    assert not pulse.enquire(28.4, waiting_since=20)
    assert pulse.enquire(28.5, waiting_since=20)
    assert not pulse.heard(28.6)
