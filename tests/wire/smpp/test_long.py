"""Long text messages: one write, one outcome, whatever happens to the parts."""

from core.providers.smpp import codec, udh
from core.providers.smpp.codec import Pdu, ShortMessage
from tests.support.smsc import Link, say_nothing
from tests.support.wait import until
from tests.wire.smpp.conftest import Rig

TEXT = "0123456789" * 40  # three parts


def part_of(message: ShortMessage) -> int:
    concat, _ = udh.read_header(message.payload)
    assert concat is not None
    return concat.part


def refusing(part: int, status: int, times: int = 1000):  # type: ignore[no-untyped-def]
    """An SMSC that refuses one part so many times."""
    left = [times]

    def on_submit(link: Link, pdu: Pdu, message: ShortMessage) -> None:
        if part_of(message) == part and left[0]:
            left[0] -= 1
            link.refuse(pdu, status)
        else:
            link.accept(pdu, f"P{part_of(message)}")

    return on_submit


async def test_all_parts_in_one_write_and_one_outcome(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(0, 0)
    await rig.connect()
    before = len(rig.smsc.writes)
    rig.send("r", TEXT)
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.provider_id, outcome.code) == ("accepted", "p1,p2,p3", "")
    [written] = rig.smsc.writes[before:]
    assert len(codec.PduReader().feed(written)) == 3
    assert {message.esm_class for message in rig.smsc.submits} == {codec.ESM_UDHI}
    joiner = udh.Joiner()
    whole = None
    for message in rig.smsc.submits:
        concat, octets = udh.read_header(message.payload)
        assert concat is not None
        whole = joiner.add(message.dest, concat, octets)
    assert whole is not None
    assert udh.decode_text(0, whole) == TEXT


async def test_a_refused_part_alone_is_repeated_with_its_reference(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58, times=2)
    await rig.connect(throttle_wait_ms=20)
    rig.send("r", TEXT)
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.provider_id, outcome.code) == ("accepted", "p1,p2,p3", "")
    assert [part_of(message) for message in rig.smsc.submits] == [1, 2, 3, 2, 2]
    assert len({message.payload for message in rig.smsc.submits if part_of(message) == 2}) == 1


async def test_repeating_is_bounded_and_says_what_is_missing(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58)
    await rig.connect(throttle_wait_ms=10, part_tries_max=3)
    rig.send("r", TEXT)
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.provider_id) == ("accepted", "p1,,p3")
    assert outcome.code == "partial:0x00000058"
    assert outcome.detail == "part 2 of 3 not taken"
    assert len(rig.smsc.submits) == 5


async def test_a_part_refused_for_good_is_not_repeated(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(3, 0x45)
    await rig.connect(throttle_wait_ms=10)
    rig.send("r", TEXT)
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.code) == ("accepted", "partial:0x00000045")
    assert len(rig.smsc.submits) == 3


async def test_all_parts_refused_is_a_definite_no(rig: Rig) -> None:
    rig.smsc.on_submit = lambda link, pdu, message: link.refuse(
        pdu, 0x0B if part_of(message) == 2 else 0x58
    )
    await rig.connect()
    rig.send("r", TEXT)
    assert (await rig.outcome("r")).kind == "invalid_target"
    assert len(rig.smsc.submits) == 3


async def test_one_part_unanswered_is_a_doubt_and_the_late_answer_completes_it(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []

    def on_submit(link: Link, pdu: Pdu, message: ShortMessage) -> None:
        if part_of(message) == 2:
            held.append((link, pdu))
        else:
            link.accept(pdu, f"P{part_of(message)}")

    rig.smsc.on_submit = on_submit
    await rig.connect(response_timeout_ms=100)
    rig.send("r", TEXT)
    assert (await rig.outcome("r")).kind == "unknown"
    [(link, pdu)] = held
    link.accept(pdu, "P2")
    await until(lambda: rig.events.lates)
    [(ref, outcome)] = rig.events.lates
    assert (ref, outcome.kind, outcome.provider_id) == ("r", "accepted", "p1,p2,p3")


async def test_a_link_lost_between_the_parts_answers_is_a_doubt(rig: Rig) -> None:
    def on_submit(link: Link, pdu: Pdu, message: ShortMessage) -> None:
        if part_of(message) == 1:
            link.accept(pdu)
        elif part_of(message) == 3:
            link.reset()

    rig.smsc.on_submit = on_submit
    await rig.connect()
    rig.send("r", TEXT)
    assert (await rig.outcome("r")).kind == "unknown"


async def test_a_refused_part_goes_on_over_the_next_link(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58, times=1)
    await rig.connect(throttle_wait_ms=300)
    rig.send("r", TEXT)
    await until(lambda: len(rig.smsc.submits) == 3)
    rig.smsc.link.reset()
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.provider_id, outcome.code) == ("accepted", "p1,p2,p3", "")
    assert [part_of(message) for message in rig.smsc.submits] == [1, 2, 3, 2]
    assert len(rig.smsc.binds) == 2


async def test_without_another_link_the_message_ends_with_what_was_taken(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58)
    await rig.connect(throttle_wait_ms=60_000, part_repeat_ms=200)
    rig.send("r", TEXT)
    await until(lambda: len(rig.smsc.submits) == 3)
    await rig.smsc.stop()
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.provider_id) == ("accepted", "p1,,p3")
    assert outcome.code == "partial:0x00000058"
    await rig.smsc.start()


async def test_stopping_without_a_link_ends_the_message_with_what_was_taken(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58)
    adapter = await rig.connect(throttle_wait_ms=60_000)
    rig.send("r", TEXT)
    await until(lambda: len(rig.smsc.submits) == 3)
    await rig.smsc.stop()
    await until(lambda: adapter.state() != "up")
    assert rig.outcomes["r"] == []
    await adapter.stop(grace_ms=0)
    assert (await rig.outcome("r")).code == "partial:0x00000058"
    await rig.smsc.start()


async def test_stopping_lets_refused_parts_be_repeated_in_the_grace(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58, times=2)
    adapter = await rig.connect(throttle_wait_ms=50)
    rig.send("r", TEXT)
    await until(lambda: len(rig.smsc.submits) == 3)
    await adapter.stop(grace_ms=5_000)
    [outcome] = rig.outcomes["r"]
    assert (outcome.provider_id, outcome.code) == ("p1,p2,p3", "")


async def test_the_guard_is_asked_again_before_a_part_is_repeated(rig: Rig) -> None:
    rig.smsc.on_submit = refusing(2, 0x58)
    await rig.connect(throttle_wait_ms=10)
    answers = iter([True, False])
    rig.send("r", TEXT, guard=lambda: next(answers))
    outcome = await rig.outcome("r")
    assert (outcome.kind, outcome.code) == ("accepted", "partial:0x00000058")
    assert len(rig.smsc.submits) == 3


async def test_a_long_message_takes_the_places_of_its_parts(rig: Rig) -> None:
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect(window=4, response_timeout_ms=200)
    rig.send("long", TEXT)
    assert adapter.capacity() == 2
    rig.send("short")
    rig.send("no place")
    assert (await rig.outcome("no place")).kind == "not_sent"
    assert (await rig.outcome("long")).kind == "unknown"
    assert (await rig.outcome("short")).kind == "unknown"
    assert adapter.capacity() == 4
    # With one place free it is let in whole, so it can never starve.
    rig.send("alone", TEXT * 2)
    await until(lambda: len(rig.smsc.submits) == 10)
    assert (await rig.outcome("alone")).kind == "unknown"
