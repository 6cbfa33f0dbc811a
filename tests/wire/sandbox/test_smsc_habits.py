"""Each bad habit of the SMSC, alone and together, and the way back."""

import contextlib
import time
from functools import partial

import pytest

from core.providers.smpp import codec
from core.sandbox.app import Sandbox
from tests.support.sandbox_clients import Http, SmppClient
from tests.support.wait import until

SMSC = "sandbox-smsc"
LONG = "0123456789" * 40


async def test_down_resets_refuses_and_comes_back_on_the_same_port(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, down=True)
    await client.is_gone()
    assert isinstance(client.lost_by, ConnectionResetError)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await SmppClient.connect(box.smpp_port)
    await http.ask("DELETE", f"/sandbox/behaviour/{SMSC}")
    again = await SmppClient.connect(box.smpp_port)
    assert (await again.submit()).status == 0
    assert len(await http.history()) == 1


@pytest.mark.parametrize(
    ("refuse_as", "status"),
    [
        ("throttled", 0x58),
        ("temporary", 0x64),
        ("permanent", 0x65),
        ("invalid_target", 0x0B),
        ("account", 0x0A),
    ],
)
async def test_refused_messages_have_no_effect_but_an_entry(
    box: Sandbox, http: Http, refuse_as: str, status: int
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, refuse={"ratio": 1.0, "as": refuse_as})
    answer = await client.submit("no", ref="m1.2.3")
    assert answer.status == status
    await http.ask("DELETE", f"/sandbox/behaviour/{SMSC}")
    await client.submit("yes")
    await client.receipts_are(1)
    entries = await http.history()
    assert [
        (entry["text"], entry["outcome"], entry["effective"], entry["ref"]) for entry in entries
    ] == [("no", "refused", False, "m1.2.3"), ("yes", "accepted", True, "m1.1.1")]
    assert len(client.deliveries()) == 1


async def test_a_ratio_is_a_ratio(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, refuse={"ratio": 0.3, "as": "throttled"}, receipt={"none": 1})
    pdus = [client.message() for _ in range(1000)]
    client.send(*(pdu for _, pdu in pdus))
    await client.answer(pdus[-1][0])
    outcomes = [entry["outcome"] for entry in await http.history()]
    assert 230 < outcomes.count("refused") < 370
    assert len(outcomes) == 1000


async def test_a_refused_part_can_be_sent_again(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    (_, first), (sequence, second), (_, third) = client.parts(LONG, 3, "m1.1.1")
    client.send(first)
    await client.alive()
    await http.behave(SMSC, refuse={"ratio": 1, "as": "throttled"})
    assert (await client.ask(second, sequence)).status == 0x58
    await http.behave(SMSC, refuse={"ratio": 0})
    client.send(third)
    await client.alive()
    [refused] = await http.history()
    assert (refused["text"], refused["outcome"], refused["effective"]) == (LONG, "refused", False)
    client.pdus.clear()
    assert (await client.ask(second, sequence)).status == 0
    [accepted] = await http.history(after=1)
    assert (accepted["text"], accepted["outcome"], accepted["effective"]) == (
        LONG,
        "accepted",
        True,
    )


async def test_a_reset_comes_after_the_effect_and_takes_the_connection(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    other = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, reset_after_body=1)
    _, pdu = client.message("taken", ref="m9.1.1")
    _, behind = client.message("never read")
    client.send(pdu, behind)
    await client.is_gone()
    assert isinstance(client.lost_by, ConnectionResetError)
    assert not [pdu for pdu in client.pdus if pdu.command == codec.SUBMIT_SM_RESP]
    [entry] = await http.history()
    assert (entry["text"], entry["outcome"], entry["effective"], entry["ref"]) == (
        "taken",
        "reset",
        True,
        "m9.1.1",
    )
    # The receipt finds its way over the connection that is left.
    await other.receipts_are(1)


async def test_a_long_message_is_reset_after_its_last_part_only(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, reset_after_body=1)
    *before, (_, last) = client.parts(LONG, 3, "m1.1.1")
    for sequence, pdu in before:
        assert (await client.ask(pdu, sequence)).status == 0
    client.send(last)
    await client.is_gone()
    assert [entry["outcome"] for entry in await http.history()] == ["reset"]


async def test_a_hang_comes_after_the_effect_and_silences_the_connection(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, hang=1)
    _, pdu = client.message("taken")
    client.send(pdu)
    [entry] = await until(http.history)
    assert (entry["text"], entry["outcome"], entry["effective"]) == ("taken", "hang", True)
    await http.ask("DELETE", f"/sandbox/behaviour/{SMSC}")
    with pytest.raises(AssertionError, match="not true within"):
        sequence = client.next_sequence()
        await client.ask(codec.bare(codec.ENQUIRE_LINK, sequence), sequence, timeout_s=0.3)
    sequence, pdu = client.message("into the void")
    client.send(pdu)
    assert not client.closed
    other = await SmppClient.connect(box.smpp_port)
    await other.receipts_are(1)
    client.close()
    assert len(await http.history()) == 1


async def test_latency_is_log_normal_and_answers_overtake_each_other(
    box: Sandbox, http: Http
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, latency_ms=[100, 300], receipt={"none": 1})
    started = time.monotonic()
    pdus = [client.message() for _ in range(400)]
    client.send(*(pdu for _, pdu in pdus))

    def answered() -> list[int]:
        return [pdu.sequence for pdu in client.pdus if pdu.command == codec.SUBMIT_SM_RESP]

    await until(lambda: len(answered()) >= 200)
    median_s = time.monotonic() - started
    assert 0.08 < median_s < 0.6
    await until(lambda: len(answered()) == 400)
    assert time.monotonic() - started > 0.2
    assert answered() != sorted(answered())


async def test_the_effect_does_not_wait_for_a_late_answer(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, latency_ms=[60_000, 60_000])
    client.send(client.message()[1])
    assert len(await until(http.history)) == 1
    assert len([pdu for pdu in client.pdus if pdu.command == codec.SUBMIT_SM_RESP]) == 0


async def test_receipts_that_never_come(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, receipt={"none": 1})
    await client.submit("without")
    await http.behave(SMSC, receipt={"none": 0})
    wanted = await client.submit("with")
    [receipt] = await client.receipts_are(1)
    assert receipt.message_id == codec.read_message_id(wanted.body)


async def test_receipts_that_come_before_the_answer(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, receipt={"early": 1, "delay_ms": 5000})
    answer = await client.submit()
    [receipt] = client.receipts()
    assert receipt.message_id == codec.read_message_id(answer.body)
    commands = [pdu.command for pdu in client.pdus[1:]]
    assert commands == [codec.DELIVER_SM, codec.SUBMIT_SM_RESP]


async def test_receipts_that_come_twice(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, receipt={"twice": 1, "delay_ms": 0})
    answer = await client.submit()
    receipts = await client.receipts_are(2)
    message_id = codec.read_message_id(answer.body)
    assert [receipt.message_id for receipt in receipts] == [message_id, message_id]


async def test_receipts_that_tell_of_failure(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, receipt={"fail": 1})
    await client.submit(registered_delivery=2)
    [receipt] = await client.receipts_are(1)
    assert receipt.status == "failed"
    payload = codec.read_short_message(client.deliveries()[0].body).payload
    assert b" dlvrd:000 " in payload
    assert b" stat:UNDELIV err:001 " in payload


async def test_receipts_come_after_their_delay(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, receipt={"delay_ms": 300})
    started = time.monotonic()
    await client.submit()
    await client.receipts_are(1)
    assert time.monotonic() - started > 0.29
    assert [pdu.command for pdu in client.pdus[-2:]] == [codec.SUBMIT_SM_RESP, codec.DELIVER_SM]


@pytest.mark.parametrize(
    ("notation", "in_answer", "in_receipt"),
    [
        ("same", 10, 10),
        ("hex", 16, 16),
        ("dec_in_receipt", 16, 10),
        ("hex_in_receipt", 10, 16),
        ("case", 16, 16),
        ("zeros", 10, 10),
    ],
)
async def test_ids_in_another_notation(
    box: Sandbox, http: Http, notation: str, in_answer: int, in_receipt: int
) -> None:
    client = await SmppClient.connect(box.smpp_port)
    await http.behave(SMSC, id_notation=notation)
    answered = codec.read_message_id((await client.submit()).body)
    [receipt] = await client.receipts_are(1)
    assert int(answered, in_answer) == int(receipt.message_id, in_receipt)
    assert (answered == receipt.message_id) == (notation in ("same", "hex"))


def ended(client: SmppClient, sent: int) -> bool:
    """Every message is answered, or none will be any more."""
    answers = [pdu for pdu in client.pdus if pdu.command == codec.SUBMIT_SM_RESP]
    return client.closed or len(answers) == sent


async def test_all_habits_at_once_lose_nothing(box: Sandbox, http: Http) -> None:
    """What the client knows, and what the history says, agree."""
    await http.behave(
        SMSC,
        latency_ms=[1, 20],
        refuse={"ratio": 0.1, "as": "temporary"},
        reset_after_body=0.02,
        hang=0.01,
        receipt={"none": 0.1, "early": 0.1, "twice": 0.1, "delay_ms": 5, "fail": 0.1},
    )
    told: dict[str, int] = {}
    for burst in range(30):
        client = await SmppClient.connect(box.smpp_port)
        refs: dict[int, str] = {}
        for number in range(10):
            ref = f"m{burst}-{number}.1.1"
            sequence, pdu = client.message(ref=ref)
            refs[sequence] = ref
            client.send(pdu)
        with contextlib.suppress(AssertionError):
            await until(partial(ended, client, 10), 0.5)
        for answer in client.pdus:
            if answer.command == codec.SUBMIT_SM_RESP:
                told[refs[answer.sequence]] = answer.status
        client.close()
    entries = await http.history()
    by_ref = {entry["ref"]: entry for entry in entries}
    assert len(by_ref) == len(entries)
    # A connection that ends takes with it answers that were still held back.
    assert {ref for ref, status in told.items() if status} <= {
        ref for ref, entry in by_ref.items() if entry["outcome"] == "refused"
    }
    accepted = {ref for ref, status in told.items() if not status}
    assert accepted <= {ref for ref, entry in by_ref.items() if entry["outcome"] == "accepted"}
    untold = {ref for ref, entry in by_ref.items() if entry["outcome"] in ("reset", "hang")}
    assert untold
    assert not untold & told.keys()
    assert all(by_ref[ref]["effective"] for ref in untold)
