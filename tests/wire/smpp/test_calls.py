"""Calls over a real connection: answers, refusals, doubts, and the moment of the first byte."""

import asyncio
import socket
import struct
import time

from pytest import mark

from core.providers.port import Call, Outcome, OutMessage, ReceiptIn
from core.providers.smpp import codec
from core.providers.smpp.codec import Pdu, ShortMessage
from tests.support.smsc import Link, say_nothing
from tests.support.wait import until
from tests.wire.smpp.conftest import TO, Rig, raw_peer


async def test_bind_and_submit(rig: Rig) -> None:
    await rig.connect(system_type="VMA", reference_tlv=0x1400)
    rig.send("m.a.1", "hello €")
    assert await rig.outcome("m.a.1") == Outcome("accepted", "id-2")
    [bind] = rig.smsc.binds
    assert (bind.system_id, bind.password, bind.system_type) == ("us", "secret", "VMA")
    [message] = rig.smsc.submits
    assert (message.source, message.dest) == ("GouTong", "447700900123")
    assert message.payload == b"hello \x1be"
    assert message.tlvs == {0x1400: b"m.a.1"}


async def test_without_a_link_nothing_is_sent(rig: Rig) -> None:
    await rig.smsc.stop()
    adapter = await rig.connect(wait_up=False)
    rig.send("r")
    assert rig.outcomes["r"] == [], "done must not be called inside submit"
    assert (await rig.outcome("r")).kind == "not_sent"
    assert adapter.capacity() == 0
    await until(lambda: adapter.state().startswith("down: cannot connect"))
    await rig.smsc.start()
    await until(lambda: adapter.capacity() == 50)


async def test_the_window_is_never_exceeded(rig: Rig) -> None:
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect(window=3, response_timeout_ms=300)
    assert adapter.capacity() == 3
    for number in range(5):
        rig.send(f"r{number}")
    for number in (3, 4):
        assert (await rig.outcome(f"r{number}")).kind == "not_sent"
    await until(lambda: len(rig.smsc.submits) == 3)
    # Places come back with the time-outs.
    for number in range(3):
        assert (await rig.outcome(f"r{number}")).kind == "unknown"
    rig.send("again")
    await until(lambda: len(rig.smsc.submits) == 4)


async def test_calls_of_one_turn_are_spread_over_connections(rig: Rig) -> None:
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect(connections=2, window=2)
    await until(lambda: adapter.capacity() == 4)
    for number in range(5):
        rig.send(f"r{number}")
    assert (await rig.outcome("r4")).kind == "not_sent"
    await until(lambda: len(rig.smsc.submits) == 4)
    # One link lost: its two calls are in doubt, the other two are not.
    rig.smsc.links[0].reset()
    await until(lambda: sum(bool(told) for told in rig.outcomes.values()) == 3)
    assert sorted(told[0].kind for told in rig.outcomes.values() if told) == [
        "not_sent",
        "unknown",
        "unknown",
    ]


@mark.parametrize(
    ("status", "kind", "wait_ms"),
    [(0x58, "throttled", 700), (0x08, "retryable", 0), (0x0B, "invalid_target", 0)],
)
async def test_refusals(rig: Rig, status: int, kind: str, wait_ms: int) -> None:
    rig.smsc.on_submit = lambda link, pdu, _: link.refuse(pdu, status)
    adapter = await rig.connect(throttle_wait_ms=700)
    rig.send("r")
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.wait_ms, outcome.code) == (kind, wait_ms, f"0x{status:08x}")
    assert adapter.capacity() == 50


async def test_a_generic_nack_is_a_refusal(rig: Rig) -> None:
    rig.smsc.on_submit = lambda link, pdu, _: link.send(
        codec.bare(codec.GENERIC_NACK, pdu.sequence, 0x03)
    )
    await rig.connect()
    rig.send("r")
    assert (await rig.outcome("r")).kind == "permanent"


async def test_what_cannot_be_composed_never_reaches_the_wire(rig: Rig) -> None:
    await rig.connect(parts_max=2)
    rig.send("r", "a" * 400)
    assert rig.outcomes["r"] == []
    assert (await rig.outcome("r")).code == "too_long"
    rig.send("next")
    assert (await rig.outcome("next")).kind == "accepted"
    assert len(rig.smsc.submits) == 1


async def test_the_guard_says_no(rig: Rig) -> None:
    await rig.connect()
    before = len(rig.smsc.writes)
    rig.send("r", guard=lambda: False)
    assert await rig.outcome("r") == Outcome("withdrawn")
    # An enquiry of the SMSC's own is answered after anything that could have been written.
    rig.smsc.link.send(codec.bare(codec.ENQUIRE_LINK, 9))
    await until(lambda: rig.smsc.others)
    assert rig.smsc.writes[before:] == [codec.bare(codec.ENQUIRE_LINK_RESP, 9)]


async def test_a_guard_that_fails_lets_nothing_out(rig: Rig) -> None:
    await rig.connect()
    rig.send("r", guard=lambda: 1 // 0)
    assert (await rig.outcome("r")).kind == "withdrawn"
    rig.send("next")
    assert (await rig.outcome("next")).kind == "accepted"
    assert len(rig.smsc.submits) == 1


async def test_the_first_byte_leaves_in_the_turn_of_the_guard(rig: Rig) -> None:
    """When a second call of the same turn is told `withdrawn`, the first is in the kernel."""
    async with raw_peer(rig) as peer:
        seen: list[bytes] = []
        told: list[Outcome] = []

        def withdrawn(outcome: Outcome) -> None:
            told.append(outcome)
            seen.append(peer.recv(1000))

        rig.send("first", "now")
        rig.adapters[-1].submit(Call(OutMessage("no", TO), lambda: False, withdrawn))
        await until(lambda: told)
        [pdu] = codec.PduReader().feed(seen[0])
        assert codec.read_short_message(pdu.body).payload == b"now"


async def test_a_process_that_stood_still_reads_before_it_calls_anything_overdue(
    rig: Rig,
) -> None:
    async with raw_peer(rig, response_timeout_ms=200) as peer:
        rig.send("r")
        [pdu] = codec.PduReader().feed(await asyncio.get_running_loop().sock_recv(peer, 1000))

        def stand_still(receipt: ReceiptIn) -> None:
            peer.send(codec.submit_sm_resp(pdu.sequence, 0, "7"))
            time.sleep(0.8)

        rig.events.receipt = stand_still  # type: ignore[method-assign]
        receipt = ShortMessage(source="1", dest="2", esm_class=4, payload=b"id:7 stat:DELIVRD")
        peer.send(codec.deliver_sm(1, receipt))
        assert (await rig.outcome("r")).kind == "accepted"


async def test_reset_after_the_write_leaves_a_doubt(rig: Rig) -> None:
    rig.smsc.on_submit = lambda link, pdu, _: link.reset()
    adapter = await rig.connect()
    rig.send("r")
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.code) == ("unknown", "link_lost")
    # It comes back by itself.
    await until(lambda: len(rig.smsc.binds) == 2 and adapter.state() == "up")


async def test_an_orderly_close_leaves_the_same_doubt(rig: Rig) -> None:
    def close(link: Link, pdu: Pdu, message: ShortMessage) -> None:
        assert link.transport is not None
        link.transport.close()

    rig.smsc.on_submit = close
    await rig.connect()
    rig.send("r")
    assert (await rig.outcome("r")).kind == "unknown"


async def test_answers_that_came_before_the_reset_count(rig: Rig) -> None:
    def half(link: Link, pdu: Pdu, message: ShortMessage) -> None:
        if len(rig.smsc.submits) == 1:
            link.accept(pdu)
        else:
            link.send(b"\0\0\0\x01 this is no SMPP")

    rig.smsc.on_submit = half
    await rig.connect()
    rig.send("r0")
    rig.send("r1")
    assert (await rig.outcome("r0")).kind == "accepted"
    assert (await rig.outcome("r1")).kind == "unknown"


async def test_answers_in_the_socket_count_when_a_write_finds_the_link_broken(rig: Rig) -> None:
    async with raw_peer(rig) as peer:
        rig.send("answered")
        [pdu] = codec.PduReader().feed(await asyncio.get_running_loop().sock_recv(peer, 1000))
        peer.send(codec.submit_sm_resp(pdu.sequence, 0, "7"))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        # Written in this turn, before the loop looks at the socket.
        rig.send("never")
        assert (await rig.outcome("never")).kind == "not_sent"
        assert (await rig.outcome("answered")).kind == "accepted"


async def test_a_hang_is_a_doubt_and_its_late_answer_is_told(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    await rig.connect(response_timeout_ms=100)
    rig.send("yes")
    rig.send("no")
    assert (await rig.outcome("yes")).code == "timeout"
    assert (await rig.outcome("no")).kind == "unknown"
    (link, first), (_, second) = held
    link.accept(first, "00ABC")
    link.refuse(second, 0x58)
    link.accept(first, "00ABC")
    await until(lambda: len(rig.events.lates) == 2)
    (ref, late), (other_ref, other) = rig.events.lates
    assert (ref, late.kind, late.provider_id) == ("yes", "accepted", "abc")
    assert (other_ref, other.kind) == ("no", "throttled")


async def test_an_answer_without_an_id_is_still_accepted(rig: Rig) -> None:
    rig.smsc.on_submit = lambda link, pdu, _: link.send(
        codec.bare(codec.SUBMIT_SM_RESP, pdu.sequence)
    )
    await rig.connect()
    rig.send("r")
    assert await rig.outcome("r") == Outcome("accepted", "")


async def test_a_fault_in_done_does_not_cost_the_others(rig: Rig) -> None:
    await rig.connect()
    rig.send("r0")
    rig.outcomes["bad"] = bad = []

    def fails(outcome: Outcome) -> None:
        bad.append(outcome)
        raise RuntimeError("the engine's own")

    rig.adapters[-1].submit(Call(OutMessage("bad", "+4477", text="x"), lambda: True, fails))
    rig.send("r1")
    assert (await rig.outcome("r1")).kind == "accepted"
    assert (await rig.outcome("bad")).kind == "accepted"


async def test_submitting_from_done(rig: Rig) -> None:
    """The engine may use a place in the moment it becomes free."""
    adapter = await rig.connect(window=1)
    told: list[Outcome] = []

    def again(outcome: Outcome) -> None:
        told.append(outcome)
        if len(told) < 20:
            adapter.submit(Call(OutMessage("r", "+4477", text="x"), lambda: True, again))

    adapter.submit(Call(OutMessage("r", "+4477", text="x"), lambda: True, again))
    await until(lambda: len(told) == 20)
    assert {outcome.kind for outcome in told} == {"accepted"}
