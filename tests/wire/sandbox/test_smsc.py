"""The SMSC on a good day: binding, links, texts, long messages, receipts, the history's entries."""

import asyncio
from datetime import UTC, datetime

import pytest

from core.providers.smpp import codec
from core.sandbox.app import Sandbox
from core.sandbox.limits import SandboxLimits
from tests.support.sandbox_clients import Http, SmppClient
from tests.support.wait import until
from tests.wire.sandbox.conftest import REPEAT_MS

LONG = "Ünï {code} 12345 € " * 20


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [("sandbox", "wrong", 0x0E), ("other", "sandbox", 0x0F), ("sandbox", "sandbox", 0)],
)
async def test_only_the_right_account_is_bound(
    box: Sandbox, system_id: str, password: str, status: int
) -> None:
    client = await SmppClient.connect(box.smpp_port, bind=None)
    answer = await client.bind(system_id=system_id, password=password)
    assert (answer.command, answer.status) == (codec.BIND_TRANSCEIVER_RESP, status)
    submitted = await client.submit()
    assert submitted.status == (0 if status == 0 else 0x04)


async def test_a_message_is_in_the_history_as_its_recipient_reads_it(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    answer = await client.submit("Code [42] für 5 €", ref="msg-1.1.7")
    assert answer.status == 0
    [entry] = await http.history()
    at = datetime.fromisoformat(entry.pop("at"))
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert entry == {
        "seq": 1,
        "provider": "sandbox-smsc",
        "wire": "smpp",
        "to": "+447700900123",
        "text": "Code [42] für 5 €",
        "outcome": "accepted",
        "effective": True,
        "ref": "msg-1.1.7",
    }


async def test_texts_outside_of_gsm_and_messages_without_reference(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await client.submit("验证码 1234 🎉", ref=None)
    [entry] = await http.history()
    assert (entry["text"], entry["ref"]) == ("验证码 1234 🎉", None)


async def test_a_text_in_message_payload_is_read(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await client.submit(coded=(0, b"x" * 400))
    [entry] = await http.history()
    assert entry["text"] == "x" * 400


async def test_a_long_message_is_one_entry_with_a_receipt_for_each_part(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    parts = client.parts(LONG, 7, "long.1.1")
    assert len(parts) > 2
    client.send(*(pdu for _, pdu in reversed(parts)))
    answers = [await client.answer(sequence) for sequence, _ in parts]
    ids = {codec.read_message_id(answer.body) for answer in answers}
    assert len(ids) == len(parts)
    receipts = await client.receipts_are(len(parts))
    assert {receipt.message_id for receipt in receipts} == ids
    entries = await http.history()
    assert [(entry["text"], entry["ref"], entry["effective"]) for entry in entries] == [
        (LONG, "long.1.1", True)
    ]


async def test_parts_named_by_parameters_are_joined_too(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    for part, text in ((2, "world"), (1, "hello ")):
        tlvs = {0x020C: b"\0\x09", 0x020E: b"\x02", 0x020F: bytes((part,))}
        await client.submit(text, tlvs=tlvs)
    assert [entry["text"] for entry in await http.history()] == ["hello world"]


async def test_two_long_messages_with_the_same_reference_do_not_mix(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    first = client.parts("a" * 200, 1, "a.1.1")
    second = client.parts("b" * 200, 1, "b.1.1")
    for (sequence_a, part_a), (sequence_b, part_b) in zip(first, second, strict=True):
        client.send(part_a, part_b)
        await client.answer(sequence_a)
        await client.answer(sequence_b)
    assert [entry["text"] for entry in await http.history()] == ["a" * 200, "b" * 200]


async def test_a_receipt_has_the_usual_text_and_parameters(box: Sandbox) -> None:
    client = await SmppClient.connect(box.smpp_port)
    message_id = codec.read_message_id((await client.submit("twenty characters at most")).body)
    [receipt] = await client.receipts_are(1)
    assert (receipt.message_id, receipt.status) == (message_id, "delivered")
    delivered = codec.read_short_message(client.deliveries()[0].body)
    assert (delivered.source, delivered.dest) == ("447700900123", "1000")
    assert delivered.esm_class == codec.ESM_RECEIPT
    assert delivered.tlvs == {
        codec.TLV_RECEIPTED_MESSAGE_ID: message_id.encode() + b"\0",
        codec.TLV_MESSAGE_STATE: b"\x02",
    }
    text = delivered.payload.decode()
    assert text.startswith(f"id:{message_id} sub:001 dlvrd:001 submit date:")
    assert text.endswith(" stat:DELIVRD err:000 text:twenty characters at")


async def test_no_receipt_for_who_wants_none(box: Sandbox) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await client.submit("silent", registered_delivery=0)
    only_failures = await client.submit("silent too", registered_delivery=2)
    wanted = await client.submit("with receipt")
    assert only_failures.status == 0
    [receipt] = await client.receipts_are(1)
    assert receipt.message_id == codec.read_message_id(wanted.body)


async def test_a_receipt_is_repeated_until_it_is_acknowledged(box: Sandbox) -> None:
    client = await SmppClient.connect(box.smpp_port, acknowledges=False)
    await client.submit()
    await client.receipts_are(2)
    client.send(codec.deliver_sm_resp(client.deliveries()[-1].sequence, 0x64))
    await client.receipts_are(3)
    client.send(codec.bare(codec.GENERIC_NACK, client.deliveries()[-1].sequence, 0x03))
    receipts = await client.receipts_are(4)
    assert len({receipt.message_id for receipt in receipts}) == 1
    client.send(codec.deliver_sm_resp(client.deliveries()[-1].sequence))
    await client.alive()
    count = len(client.deliveries())
    # The next repeat would have come between these receipts and the second message's.
    await asyncio.sleep(2 * REPEAT_MS / 1000)
    await client.submit("second")
    receipts = await client.receipts_are(count + 1)
    assert receipts[-1].message_id != receipts[0].message_id
    assert [receipt.message_id for receipt in receipts].count(receipts[0].message_id) == count


async def test_receipts_go_to_another_session_when_theirs_is_gone(box: Sandbox, http: Http) -> None:
    first = await SmppClient.connect(box.smpp_port)
    other = await SmppClient.connect(box.smpp_port)
    await http.behave("sandbox-smsc", receipt={"delay_ms": 100})
    answer = await first.submit()
    first.close()
    [receipt] = await other.receipts_are(1)
    assert receipt.message_id == codec.read_message_id(answer.body)


async def test_a_receipt_in_flight_goes_to_another_session_at_once(box: Sandbox) -> None:
    first = await SmppClient.connect(box.smpp_port, acknowledges=False)
    await first.submit()
    await first.receipts_are(1)
    other = await SmppClient.connect(box.smpp_port)
    first.close()
    await other.receipts_are(1)


async def test_receipts_wait_for_a_client_that_was_away(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port, bind=codec.BIND_TRANSMITTER)
    answer = await client.submit()
    client.close()
    await client.is_gone()
    again = await SmppClient.connect(box.smpp_port, bind=codec.BIND_RECEIVER)
    [receipt] = await again.receipts_are(1)
    assert receipt.message_id == codec.read_message_id(answer.body)
    assert (await again.submit()).status == 0x04
    assert len(await http.history()) == 1


async def test_what_breaks_the_format_is_refused_and_noted(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    sequence, pdu = client.message("cut")
    short = pdu[16:-5]
    client.send(codec.pack_header(16 + len(short), codec.SUBMIT_SM, 0, sequence) + short)
    assert (await client.answer(sequence)).status == 0x01
    assert (await client.submit(dest="nobody")).status == 0x0B
    assert [(entry["to"], entry["outcome"]) for entry in await http.history()] == [
        ("", "refused"),
        ("nobody", "refused"),
    ]


async def test_unknown_commands_and_a_broken_stream(box: Sandbox) -> None:
    client = await SmppClient.connect(box.smpp_port)
    answer = await client.ask(codec.bare(0x00000003, 77), 77)
    assert (answer.command, answer.status) == (codec.GENERIC_NACK, 0x03)
    again = await client.bind()
    assert again.status == 0x05
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    nack = await client.answer(0)
    assert (nack.command, nack.status) == (codec.GENERIC_NACK, 0x02)
    await client.is_gone()


async def test_unbind_ends_the_session_in_order(box: Sandbox) -> None:
    client = await SmppClient.connect(box.smpp_port)
    sequence = client.next_sequence()
    answer = await client.ask(codec.bare(codec.UNBIND, sequence), sequence)
    assert (answer.command, answer.status) == (codec.UNBIND_RESP, 0)
    await client.is_gone()
    assert client.lost_by is None


async def test_pdus_in_crumbs_are_read(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    sequence, pdu = client.message("in crumbs")
    for crumb in (pdu[:3], pdu[3:17], pdu[17:]):
        client.send(crumb)
        await asyncio.sleep(0.01)
    await client.answer(sequence)
    assert [entry["text"] for entry in await http.history()] == ["in crumbs"]


async def test_many_messages_at_once_all_have_entry_answer_and_receipt(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    count = 3000
    client.send(*(client.message(f"text {n}", ref=f"m{n}.1.1")[1] for n in range(count)))
    receipts = await client.receipts_are(count)
    answers = [pdu for pdu in client.pdus if pdu.command == codec.SUBMIT_SM_RESP]
    ids = {codec.read_message_id(answer.body) for answer in answers}
    assert len(ids) == count
    assert {receipt.message_id for receipt in receipts} == ids
    assert [entry["text"] for entry in await http.history()] == [f"text {n}" for n in range(count)]


class TestLimits:
    """With small limits."""

    @pytest.fixture
    def limits(self) -> SandboxLimits:
        return SandboxLimits(
            connections_max=2,
            bind_timeout_ms=1000,
            receipt_repeat_ms=400,
            receipt_tries_max=2,
            receipts_max=3,
            receipt_window=2,
            parts_messages_max=2,
            answers_waiting_max=4,
        )

    async def test_no_more_connections_than_allowed(self, box: Sandbox) -> None:
        clients = [await SmppClient.connect(box.smpp_port) for _ in range(2)]
        third = await SmppClient.connect(box.smpp_port, bind=None)
        await third.is_gone()
        assert [await client.alive() for client in clients] == [True, True]

    async def test_who_does_not_bind_is_shown_the_door(self, box: Sandbox) -> None:
        client = await SmppClient.connect(box.smpp_port, bind=None)
        assert await client.alive()
        await client.is_gone()

    async def test_a_receipt_is_given_up_at_last(self, box: Sandbox) -> None:
        client = await SmppClient.connect(box.smpp_port, acknowledges=False)
        await client.submit()
        await client.receipts_are(2)
        # Given up means: not there for the next one who would take it.
        await asyncio.sleep(0.8)
        other = await SmppClient.connect(box.smpp_port)
        client.close()
        last = await other.submit("the next")
        receipts = await other.receipts_are(1)
        assert [each.message_id for each in receipts] == [codec.read_message_id(last.body)]
        assert len(client.deliveries()) == 2

    async def test_with_too_many_receipts_owed_the_queue_is_full(
        self, box: Sandbox, http: Http
    ) -> None:
        client = await SmppClient.connect(box.smpp_port, bind=codec.BIND_TRANSMITTER)
        statuses = [(await client.submit()).status for _ in range(4)]
        assert statuses == [0, 0, 0, 0x14]
        assert (await client.submit(registered_delivery=0)).status == 0
        outcomes = [entry["outcome"] for entry in await http.history()]
        assert outcomes == ["accepted"] * 3 + ["refused", "accepted"]

    async def test_no_more_receipts_under_way_than_the_window(self, box: Sandbox) -> None:
        sender = await SmppClient.connect(box.smpp_port, bind=codec.BIND_TRANSMITTER)
        for _ in range(3):
            await sender.submit()
        taker = await SmppClient.connect(box.smpp_port, acknowledges=False)
        await taker.receipts_are(2)
        assert len(taker.deliveries()) == 2
        taker.send(codec.deliver_sm_resp(taker.deliveries()[0].sequence))
        await taker.receipts_are(3)

    async def test_unfinished_long_messages_are_given_up(self, box: Sandbox, http: Http) -> None:
        client = await SmppClient.connect(box.smpp_port)
        for number in range(3):
            sequence, pdu = client.parts(f"{number}" * 200, number, f"m{number}.1.1")[0]
            await client.ask(pdu, sequence)
        [entry] = await http.history()
        assert (entry["ref"], entry["outcome"], entry["effective"]) == (
            "m0.1.1",
            "incomplete",
            False,
        )

    async def test_answers_held_back_hold_back_reading(self, box: Sandbox, http: Http) -> None:
        client = await SmppClient.connect(box.smpp_port)
        await http.behave("sandbox-smsc", latency_ms=[60, 60])
        pdus = [client.message(registered_delivery=0) for _ in range(8)]
        client.send(*(pdu for _, pdu in pdus[:4]))
        await until(lambda: box.history.last_seq == 4)
        client.send(*(pdu for _, pdu in pdus[4:]))
        answers = [await client.answer(sequence) for sequence, _ in pdus]
        assert [answer.status for answer in answers] == [0] * 8
