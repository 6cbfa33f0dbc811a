"""The life of a connection: binding, silence, jams, leaving, and how it is closed."""

import asyncio

from pytest import mark

from core.providers.smpp import codec
from core.providers.smpp.codec import Pdu
from tests.support.smsc import Link, accept_bind, say_nothing
from tests.support.wait import until
from tests.wire.smpp.conftest import Rig


def refuse_bind(status: int):  # type: ignore[no-untyped-def]
    def on_bind(link: Link, pdu: Pdu) -> None:
        link.send(codec.bind_transceiver_resp(pdu.sequence, status))

    return on_bind


@mark.parametrize("status", [0x0D, 0x0E, 0x0F])
async def test_a_bad_password_is_a_fault_and_not_tried_again(rig: Rig, status: int) -> None:
    rig.smsc.on_bind = refuse_bind(status)
    adapter = await rig.connect(password="secret", wait_up=False)
    await until(lambda: rig.events.faults)
    assert adapter.state().startswith("fault: ")
    assert adapter.capacity() == 0
    rig.send("r")
    assert (await rig.outcome("r")).kind == "not_sent"
    await asyncio.gather(*adapter._keepers)
    assert len(rig.smsc.binds) == 1
    assert len(rig.events.faults) == 1
    assert "secret" not in rig.events.faults[0]


async def test_a_password_that_smpp_cannot_carry_is_a_fault(rig: Rig) -> None:
    adapter = await rig.connect(password="much too long for SMPP", wait_up=False)
    await until(lambda: rig.events.faults)
    assert "much too long" not in adapter.state()
    assert rig.smsc.binds == []


async def test_one_bind_too_many_is_not_a_fault(rig: Rig) -> None:
    def only_one(link: Link, pdu: Pdu) -> None:
        if len(rig.smsc.binds) == 1:
            accept_bind(link, pdu)
        else:
            refuse_bind(0x0D)(link, pdu)

    rig.smsc.on_bind = only_one
    adapter = await rig.connect(connections=2)
    await until(lambda: len(rig.smsc.binds) > 2)
    assert adapter.state() == "up"
    assert rig.events.faults == []
    rig.send("r")
    assert (await rig.outcome("r")).kind == "accepted"


async def test_other_refusals_of_the_bind_are_tried_again(rig: Rig) -> None:
    rig.smsc.on_bind = refuse_bind(0x08)
    adapter = await rig.connect(wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 3)
    assert "0x00000008" in adapter.state()
    rig.smsc.on_bind = accept_bind
    await until(lambda: adapter.state() == "up")


async def test_a_bind_without_an_answer_is_tried_again(rig: Rig) -> None:
    rig.smsc.on_bind = lambda link, pdu: None
    adapter = await rig.connect(response_timeout_ms=50, wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 2)
    await until(lambda: rig.smsc.links[0].closed)
    rig.smsc.on_bind = accept_bind
    await until(lambda: adapter.state() == "up")


async def test_silence_is_enquired_and_an_answer_keeps_the_link(rig: Rig) -> None:
    await rig.connect(enquire_link_ms=30, response_timeout_ms=60)
    await until(lambda: rig.smsc.enquiries >= 5)
    assert len(rig.smsc.links) == 1
    rig.send("r")
    assert (await rig.outcome("r")).kind == "accepted"


async def test_an_enquiry_without_an_answer_ends_the_link(rig: Rig) -> None:
    rig.smsc.answers_enquiries = False
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect(enquire_link_ms=30, response_timeout_ms=60)
    first = rig.smsc.link
    await until(lambda: first.closed)
    rig.smsc.answers_enquiries = True
    await until(lambda: len(rig.smsc.binds) == 2 and adapter.state() == "up")


async def test_a_hanging_smsc_leaves_one_window_in_doubt(rig: Rig) -> None:
    rig.smsc.on_submit = say_nothing
    rig.smsc.answers_enquiries = False
    adapter = await rig.connect(window=5, response_timeout_ms=400)
    for number in range(5):
        rig.send(f"r{number}")
    await until(lambda: adapter.capacity() == 0)
    assert adapter.state() == "down: the SMSC is silent"
    rig.send("more")
    await until(lambda: all(rig.outcomes.values()))
    kinds = [told[0].kind for told in rig.outcomes.values()]
    assert kinds == ["unknown"] * 5 + ["not_sent"]
    # No place was given while the time-outs emptied the window; then another link takes over.
    rig.smsc.answers_enquiries = True
    await until(lambda: len(rig.smsc.binds) == 2 and adapter.capacity() == 5)
    assert len(rig.smsc.submits) == 5


async def test_a_slow_smsc_that_answers_enquiries_keeps_its_places(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    adapter = await rig.connect(response_timeout_ms=1_000)
    rig.send("slow")
    await until(lambda: rig.smsc.enquiries >= 2)
    assert adapter.capacity() == 50
    held[0][0].accept(held[0][1])
    assert (await rig.outcome("slow")).kind == "accepted"
    assert len(rig.smsc.links) == 1


async def test_a_silent_link_that_speaks_again_is_used_again(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    rig.smsc.answers_enquiries = False
    adapter = await rig.connect(response_timeout_ms=2_000)
    rig.send("slow")
    await until(lambda: adapter.capacity() == 0)
    changes = rig.events.changes
    held[0][0].accept(held[0][1])
    assert (await rig.outcome("slow")).kind == "accepted"
    assert adapter.capacity() == 50
    assert rig.events.changes > changes


async def test_our_answers_to_enquiries(rig: Rig) -> None:
    await rig.connect()
    rig.smsc.link.send(codec.bare(codec.ENQUIRE_LINK, 77))
    await until(lambda: rig.smsc.others)
    assert rig.smsc.others[0].command == codec.ENQUIRE_LINK_RESP
    assert rig.smsc.others[0].sequence == 77


async def test_the_smsc_unbinds(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    adapter = await rig.connect()
    rig.send("r")
    await until(lambda: held)
    first = rig.smsc.link
    first.send(codec.bare(codec.UNBIND, 5))
    await until(lambda: rig.smsc.others)
    assert rig.smsc.others[0].command == codec.UNBIND_RESP
    # Nothing new on this link, but what it owes may still come.
    assert adapter.capacity() == 0
    held[0][0].accept(held[0][1])
    assert (await rig.outcome("r")).kind == "accepted"
    await until(lambda: first.closed and adapter.state() == "up")


async def test_an_unbind_in_one_breath_with_the_bind(rig: Rig) -> None:
    def on_bind(link: Link, pdu: Pdu) -> None:
        answer = codec.bind_transceiver_resp(pdu.sequence, 0, "smsc")
        if len(rig.smsc.binds) == 1:
            link.send(answer, codec.bare(codec.UNBIND, 5))
        else:
            link.send(answer)

    rig.smsc.on_bind = on_bind
    adapter = await rig.connect(wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 2 and adapter.state() == "up")
    assert rig.smsc.links[0].closed


async def test_stopping_waits_for_answers_and_takes_its_leave(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    adapter = await rig.connect()
    rig.send("r")
    await until(lambda: held)
    stopping = asyncio.create_task(adapter.stop(grace_ms=5_000))
    await until(lambda: adapter.capacity() == 0)
    rig.send("too late")
    assert (await rig.outcome("too late")).kind == "not_sent"
    assert not stopping.done()
    held[0][0].accept(held[0][1])
    await stopping
    assert (await rig.outcome("r")).kind == "accepted"
    await until(lambda: rig.smsc.link.closed)
    assert rig.smsc.link.unbound
    assert len(rig.smsc.binds) == 1


async def test_stopping_gives_up_after_the_grace(rig: Rig) -> None:
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect()
    rig.send("r")
    await until(lambda: rig.smsc.submits)
    await adapter.stop(grace_ms=50)
    assert (await rig.outcome("r")).kind == "unknown"


async def test_a_call_not_yet_written_when_stopping_is_not_sent(rig: Rig) -> None:
    adapter = await rig.connect()
    rig.send("r")
    await adapter.stop(grace_ms=50)
    assert (await rig.outcome("r")).kind == "not_sent"
    assert rig.smsc.submits == []


async def test_closing_is_a_reset(rig: Rig) -> None:
    adapter = await rig.connect()
    link = rig.smsc.link
    await adapter.stop(grace_ms=50)
    await until(lambda: link.closed)
    assert isinstance(link.lost_by, ConnectionResetError)


async def test_a_reset_at_any_moment_of_connecting_is_survived(rig: Rig) -> None:
    moments = iter(["at once", "after bind", "half an answer"])

    def on_bind(link: Link, pdu: Pdu) -> None:
        moment = next(moments, "fine")
        if moment == "at once":
            link.reset()
        elif moment == "after bind":
            accept_bind(link, pdu)
            assert link.transport is not None
            link.transport.close()
        elif moment == "half an answer":
            link.send(codec.bind_transceiver_resp(pdu.sequence, 0, "smsc")[:10])
            link.reset()
        else:
            accept_bind(link, pdu)

    rig.smsc.on_bind = on_bind
    adapter = await rig.connect(wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 4 and adapter.state() == "up")
    rig.send("r")
    assert (await rig.outcome("r")).kind == "accepted"
