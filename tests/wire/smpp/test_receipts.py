"""Receipts: in time, early, twice, in other notations, and answered only when we say so."""

from core.providers.smpp import codec
from core.providers.smpp.codec import Pdu, ShortMessage
from tests.support.smsc import Link
from tests.support.wait import until
from tests.wire.smpp.conftest import Rig

TEXT = "id:{} sub:001 dlvrd:001 stat:DELIVRD err:000 text:hi"


async def test_a_receipt_is_acknowledged_only_after_ack(rig: Rig) -> None:
    await rig.connect()
    rig.events.acknowledges = False
    rig.send("r")
    outcome = await rig.outcome("r")
    sequence = rig.smsc.link.receipt(TEXT.format(outcome.provider_id.upper()))
    await until(lambda: rig.events.receipts)
    [receipt] = rig.events.receipts
    assert (receipt.provider_id, receipt.status) == (outcome.provider_id, "delivered")
    # Whatever is written until now is seen before the answer to this.
    rig.smsc.link.send(codec.bare(codec.ENQUIRE_LINK, 9))
    await until(lambda: rig.smsc.others)
    assert rig.smsc.delivery_answers == []
    receipt.ack()
    receipt.ack()
    receipt.nack()
    await until(lambda: rig.smsc.delivery_answers)
    rig.smsc.link.send(codec.bare(codec.ENQUIRE_LINK, 10))
    await until(lambda: len(rig.smsc.others) == 2)
    assert rig.smsc.delivery_answers == [(sequence, 0)]


async def test_nack_asks_for_a_repeat(rig: Rig) -> None:
    await rig.connect()
    rig.events.acknowledges = False
    sequence = rig.smsc.link.receipt(TEXT.format(1))
    await until(lambda: rig.events.receipts)
    rig.events.receipts[0].nack()
    await until(lambda: rig.smsc.delivery_answers == [(sequence, 0x64)])


async def test_an_engine_that_fails_on_a_receipt_gets_it_again(rig: Rig) -> None:
    await rig.connect()
    rig.events.receipt = lambda receipt: 1 // 0  # type: ignore[method-assign, assignment]
    sequence = rig.smsc.link.receipt(TEXT.format(1))
    await until(lambda: rig.smsc.delivery_answers == [(sequence, 0x64)])


async def test_a_receipt_before_its_response(rig: Rig) -> None:
    order: list[str] = []

    def early(link: Link, pdu: Pdu, message: ShortMessage) -> None:
        link.receipt(TEXT.format("77"))
        link.accept(pdu, "77")

    rig.smsc.on_submit = early
    await rig.connect()
    handed_on = rig.events.receipt
    rig.events.receipt = lambda one: (order.append("receipt"), handed_on(one))[1]  # type: ignore[method-assign]
    rig.send("r")
    assert (await rig.outcome("r")).provider_id == "77"
    assert order == ["receipt"]
    assert rig.events.receipts[0].provider_id == "77"
    await until(lambda: len(rig.smsc.delivery_answers) == 1)


async def test_a_receipt_twice_is_handed_on_and_answered_twice(rig: Rig) -> None:
    await rig.connect()
    first, second = (rig.smsc.link.receipt(TEXT.format("5")) for _ in range(2))
    await until(lambda: len(rig.smsc.delivery_answers) == 2)
    assert rig.smsc.delivery_answers == [(first, 0), (second, 0)]
    assert [receipt.provider_id for receipt in rig.events.receipts] == ["5", "5"]


async def test_ids_in_another_notation(rig: Rig) -> None:
    rig.smsc.on_submit = lambda link, pdu, _: link.accept(pdu, "00004D2")
    await rig.connect(id_notation="dec_in_receipt")
    rig.send("r")
    assert (await rig.outcome("r")).provider_id == "1234"
    rig.smsc.link.receipt(TEXT.format("0001234"))
    await until(lambda: rig.events.receipts)
    assert rig.events.receipts[0].provider_id == "1234"


async def test_the_reference_comes_back(rig: Rig) -> None:
    await rig.connect(reference_tlv=0x1400)
    rig.smsc.link.receipt("stat:UNDELIV err:045", {0x1400: b"m.a.1\0"})
    await until(lambda: rig.events.receipts)
    [receipt] = rig.events.receipts
    assert (receipt.ref, receipt.status, receipt.code) == ("m.a.1", "failed", "UNDELIV:045")


async def test_past_the_bound_receipts_are_put_off(rig: Rig) -> None:
    adapter = await rig.connect(receipts_open_max=2)
    rig.events.acknowledges = False
    sequences = [rig.smsc.link.receipt(TEXT.format(number)) for number in range(3)]
    await until(lambda: rig.smsc.delivery_answers == [(sequences[2], 0x64)])
    assert adapter.tally.receipts_put_off == 1
    for receipt in rig.events.receipts:
        receipt.ack()
    await until(lambda: len(rig.smsc.delivery_answers) == 3)
    rig.smsc.link.receipt(TEXT.format(2))
    await until(lambda: len(rig.events.receipts) == 3)


async def test_messages_from_phones_and_nonsense_do_not_hold_up_receipts(rig: Rig) -> None:
    adapter = await rig.connect()
    link = rig.smsc.link
    from_phone = link.receipt("STOP", esm_class=0)
    nameless = link.receipt("stat:DELIVRD")
    link.send(codec.bare(codec.DELIVER_SM, 500))
    link.send(codec.bare(0x00000103, 501))
    named = link.receipt(TEXT.format(8))
    await until(lambda: len(rig.smsc.delivery_answers) == 4)
    assert sorted(rig.smsc.delivery_answers) == [
        (from_phone, 0),
        (nameless, 0),
        (named, 0),
        (500, 0x65),
    ]
    assert [(pdu.command, pdu.status, pdu.sequence) for pdu in rig.smsc.others] == [
        (codec.GENERIC_NACK, 3, 501)
    ]
    assert len(rig.events.receipts) == 1
    tally = adapter.tally
    assert (tally.from_phones, tally.receipts_nameless, tally.unreadable) == (1, 1, 1)


async def test_an_ack_after_the_link_was_lost_goes_nowhere(rig: Rig) -> None:
    adapter = await rig.connect()
    rig.events.acknowledges = False
    rig.smsc.link.receipt(TEXT.format(8))
    await until(lambda: rig.events.receipts)
    rig.smsc.link.reset()
    await until(lambda: len(rig.smsc.binds) == 2 and adapter.state() == "up")
    rig.events.receipts[0].ack()
    # The SMSC repeats it on the new link; only this one is answered.
    again = rig.smsc.link.receipt(TEXT.format(8))
    await until(lambda: len(rig.events.receipts) == 2)
    rig.events.receipts[1].ack()
    await until(lambda: rig.smsc.delivery_answers == [(again, 0)])
