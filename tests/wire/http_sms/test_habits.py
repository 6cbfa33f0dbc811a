"""Both HTTP wires against the sandbox's doubles, with each bad habit."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from core.sandbox.app import Sandbox
from tests.support.http_sms import Bench, at_work
from tests.support.sandbox_clients import Http
from tests.support.wait import until

KINDS = ["sms_http", "json", "text"]
PROVIDER = {"sms_http": "sandbox-sms-http", "json": "sandbox-gateway", "text": "sandbox-gateway"}
MEANT = {
    "throttled": "throttled",
    "temporary": "retryable",
    "permanent": "permanent",
    "invalid_target": "invalid_target",
    "account": "account_fault",
}
TEXT = "Grüße & 東京 {to} 🎉 +%1=2"

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def told(bench: Bench, count: int) -> Counter[str]:
    await until(lambda: len(bench.receipts) >= count, 10)
    return Counter(bench.words())


async def test_a_message_and_its_callbacks(box: Sandbox, http: Http, kind: str) -> None:
    async with at_work(box, kind) as bench:
        assert (bench.adapter.state(), bench.adapter.capacity()) == ("up", 32)
        outcome = await bench.sent(TEXT, valid_for_ms=60_000)
        assert outcome.kind == "accepted"
        assert await told(bench, 3) == {"accepted": 2, "delivered": 1}
        assert {each.provider_id for each in bench.receipts} == {outcome.provider_id}
        assert {each.ref for each in bench.receipts} == {"m1.1.4"}
        [entry] = await http.history()
        assert (entry["to"], entry["text"], entry["ref"]) == ("+447700900123", TEXT, "m1.1.4")
        assert entry["wire"] == ("sms-http" if kind == "sms_http" else "http-gateway")
        assert set(bench.callbacks) <= {200, 204}


@pytest.mark.parametrize("refuse_as", MEANT)
@pytest.mark.parametrize("in_200", [False, True])
async def test_refusals_are_understood_as_they_are_meant(
    box: Sandbox, http: Http, kind: str, refuse_as: str, in_200: bool
) -> None:
    ratios = {"error_in_200": 1} if in_200 else {}
    refuse = {"ratio": 0 if in_200 else 1, "as": refuse_as}
    await http.behave(PROVIDER[kind], refuse=refuse, **ratios)
    async with at_work(box, kind) as bench:
        outcome = await bench.sent()
        assert outcome.kind == MEANT[refuse_as]
        assert (outcome.wait_ms > 0) is (refuse_as == "throttled")
        assert "7700" not in outcome.detail
        [entry] = await http.history()
        assert (entry["outcome"], entry["effective"]) == ("refused", False)
        if refuse_as == "account":
            assert len(bench.faults) == 1
            assert bench.adapter.state().startswith("fault: ")
            assert bench.adapter.capacity() == 0
            assert (await bench.sent()).kind == "not_sent"


@pytest.mark.parametrize("habit", ["reset_after_body", "hang"])
async def test_what_had_its_effect_without_an_answer_is_a_doubt(
    box: Sandbox, http: Http, kind: str, habit: str
) -> None:
    await http.behave(PROVIDER[kind], **{habit: 1})
    async with at_work(box, kind, timeout_ms=200) as bench:
        assert (await bench.sent()).kind == "unknown"
        [entry] = await http.history()
        assert (entry["outcome"], entry["effective"]) == (habit.partition("_")[0], True)
        # Its callbacks come all the same, and name the attempt.
        assert (await told(bench, 3))["delivered"] == 1
        assert bench.receipts[0].ref == "m1.1.4"
        await http.behave(PROVIDER[kind], **{habit: 0})
        assert (await bench.sent()).kind == "accepted"


async def test_an_answer_that_comes_late_is_told(box: Sandbox, http: Http, kind: str) -> None:
    await http.behave(PROVIDER[kind], latency_ms=[300, 300])
    async with at_work(box, kind, timeout_ms=100) as bench:
        assert (await bench.sent()).kind == "unknown"
        await until(lambda: bench.lates)
    [(ref, late)] = bench.lates
    assert (ref, late.kind) == ("m1.1.4", "accepted")


async def test_a_provider_that_is_down_costs_no_message(
    box: Sandbox, http: Http, kind: str
) -> None:
    await http.behave(PROVIDER[kind], down=True)
    async with at_work(box, kind, reconnect_min_ms=500, reconnect_max_ms=500) as bench:
        assert (await bench.sent()).kind == "not_sent"
        assert bench.adapter.state().startswith("down: ")
        assert bench.adapter.capacity() == 0
        await until(lambda: bench.adapter.capacity() == 1)  # one tries, and not all
        await http.behave(PROVIDER[kind], down=False)
        assert (await bench.sent()).kind == "accepted"
        assert (bench.adapter.state(), bench.adapter.capacity()) == ("up", 32)
        assert len(await http.history()) == 1


async def test_a_guard_that_says_no_writes_nothing(box: Sandbox, http: Http, kind: str) -> None:
    async with at_work(box, kind) as bench:
        assert (await bench.sent(guard=lambda: False)).kind == "withdrawn"
        assert await http.history() == []


@pytest.mark.parametrize(
    ("habits", "words"),
    [
        ({"none": 1}, {}),
        ({"fail": 1}, {"accepted": 2, "failed": 1}),
        ({"twice": 1}, {"accepted": 4, "delivered": 2}),
        ({"read": 1}, {"accepted": 2, "delivered": 1, "seen": 1}),
        ({"unknown_status": 1}, {"accepted": 1, "unknown": 1, "delivered": 1}),
        ({"out_of_order": 1}, {"accepted": 2, "delivered": 1}),
        ({"wrong_signature": 1}, {}),
    ],
)
async def test_callbacks_as_bad_as_told(
    box: Sandbox, http: Http, kind: str, habits: dict[str, Any], words: dict[str, int]
) -> None:
    await http.behave(PROVIDER[kind], receipt=habits)
    async with at_work(box, kind) as bench:
        outcome = await bench.sent()
        assert outcome.kind == "accepted"
        assert await told(bench, sum(words.values())) == words
        if "wrong_signature" in habits:
            await until(lambda: bench.callbacks == [403] * 3)
        if "out_of_order" in habits:
            assert bench.words() == ["delivered", "accepted", "accepted"]
        if "unknown_status" in habits:
            [odd] = [each for each in bench.receipts if each.status == "unknown"]
            assert odd.code in ("teleported", "TELEPORTED", "77")
        if "fail" in habits and kind == "sms_http":
            assert bench.receipts[-1].code == "30003"


async def test_a_callback_may_overtake_the_answer(box: Sandbox, http: Http, kind: str) -> None:
    await http.behave(PROVIDER[kind], receipt={"early": 1})
    async with at_work(box, kind) as bench:
        before: list[int] = []
        sending = asyncio.ensure_future(bench.sent())
        sending.add_done_callback(lambda _: before.append(len(bench.receipts)))
        outcome = await sending
        await until(lambda: before)
        assert outcome.kind == "accepted"
        assert before == [3]
        assert {each.provider_id for each in bench.receipts} == {outcome.provider_id}


async def test_a_callback_that_cannot_be_journaled_is_repeated(
    box: Sandbox, http: Http, kind: str
) -> None:
    async with at_work(box, kind) as bench:
        bench.refuses = 2
        await bench.sent()
        assert await told(bench, 3) == {"accepted": 2, "delivered": 1}
        assert bench.callbacks[:3] == [503, 503, *bench.callbacks[2:3]]


async def test_a_callback_that_is_not_journaled_in_time_is_repeated(
    box: Sandbox, http: Http, kind: str
) -> None:
    async with at_work(box, kind) as bench:
        bench.acknowledges = False
        await bench.sent()
        await until(lambda: 503 in bench.callbacks)
        bench.acknowledges = True
        await until(lambda: bench.words().count("delivered") == 1)


async def test_a_hundred_at_once(box: Sandbox, http: Http, kind: str) -> None:
    await http.behave(
        PROVIDER[kind],
        latency_ms=[1, 20],
        refuse={"ratio": 0.2, "as": "temporary"},
        reset_after_body=0.2,
        receipt={"early": 0.2, "twice": 0.2},
    )
    async with at_work(box, kind, window=100, timeout_ms=20_000) as bench:
        refs = [f"m{number}.1.1" for number in range(100)]
        outcomes = await asyncio.gather(*(bench.sent(ref=ref) for ref in refs))
        kinds = Counter(each.kind for each in outcomes)
        assert set(kinds) == {"accepted", "retryable", "unknown"}
        effective = {each["ref"] for each in await http.history() if each["effective"]}
        assert len(effective) == kinds["accepted"] + kinds["unknown"]

        def delivered() -> set[str]:
            return {each.ref for each in bench.receipts if each.status == "delivered"}

        await until(lambda: delivered() == effective)
