"""The rules of behaving badly."""

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.problems import ProblemError
from core.sandbox.behaviour import (
    Behaviour,
    ReceiptHabits,
    Refuse,
    draw_after,
    draw_latency_ms,
    draw_receipts,
    draw_refusal,
    merge,
    write_id,
)

DRAWS = 20_000


@pytest.mark.parametrize(("median", "p99"), [(20.0, 200.0), (1.0, 1.5), (50.0, 50.0)])
def test_latency_has_the_median_and_the_99th_percentile(median: float, p99: float) -> None:
    random, behaviour = Random(1), Behaviour(latency_ms=(median, p99))
    drawn = sorted(draw_latency_ms(behaviour, random) for _ in range(DRAWS))
    assert statistics.median(drawn) == pytest.approx(median, rel=0.05)
    assert drawn[DRAWS * 99 // 100] == pytest.approx(p99, rel=0.1)
    assert drawn[-1] <= 10 * p99


def test_without_latency_there_is_none() -> None:
    assert draw_latency_ms(Behaviour(), Random(1)) == 0.0


def test_a_median_of_nothing_still_has_its_tail() -> None:
    random, behaviour = Random(1), Behaviour(latency_ms=(0.0, 100.0))
    drawn = sorted(draw_latency_ms(behaviour, random) for _ in range(DRAWS))
    assert drawn[DRAWS // 2] < 0.01
    assert drawn[DRAWS * 99 // 100] == pytest.approx(100, rel=0.5)


def test_refusals_come_at_their_ratio() -> None:
    random, behaviour = Random(1), Behaviour(refuse=Refuse(0.2, "account"))
    drawn = [draw_refusal(behaviour, random) for _ in range(DRAWS)]
    assert drawn.count("account") == pytest.approx(0.2 * DRAWS, rel=0.05)
    assert set(drawn) == {None, "account"}


def test_resets_and_hangs_do_not_take_from_each_other() -> None:
    random, behaviour = Random(1), Behaviour(reset_after_body=0.1, hang=0.2)
    drawn = [draw_after(behaviour, random) for _ in range(DRAWS)]
    assert drawn.count("reset") == pytest.approx(0.1 * DRAWS, rel=0.07)
    assert drawn.count("hang") == pytest.approx(0.2 * DRAWS, rel=0.07)
    assert draw_after(Behaviour(), random) == "accepted"


@pytest.mark.parametrize(
    ("habits", "plan"),
    [
        (ReceiptHabits(), (0, 1, False)),
        (ReceiptHabits(none=1, twice=1, early=1), (0, 0, False)),
        (ReceiptHabits(early=1), (1, 0, False)),
        (ReceiptHabits(twice=1), (0, 2, False)),
        (ReceiptHabits(early=1, twice=1, fail=1), (1, 1, True)),
    ],
)
def test_receipts(habits: ReceiptHabits, plan: tuple[int, int, bool]) -> None:
    drawn = draw_receipts(Behaviour(receipt=habits), Random(1))
    assert (drawn.early, drawn.later, drawn.failed) == plan


def test_merge_replaces_what_is_named_and_keeps_the_rest() -> None:
    behaviour = merge(Behaviour(), b'{"refuse": {"ratio": 0.5}, "hang": 0.25}')
    assert behaviour == Behaviour(refuse=Refuse(0.5, "temporary"), hang=0.25)
    behaviour = merge(behaviour, b'{"refuse": {"as": "account"}}')
    assert behaviour == Behaviour(refuse=Refuse(0.5, "account"), hang=0.25)
    assert merge(behaviour, b"{}") == behaviour


@given(st.binary(max_size=200))
def test_whatever_the_body_is_it_is_taken_or_explained(body: bytes) -> None:
    try:
        merge(Behaviour(), body)
    except ProblemError as refused:
        assert refused.status == 400
        assert all(error.hint for error in refused.errors)


def test_ids_say_the_same_number_in_both_places() -> None:
    number = 0xABCDEF123456
    assert write_id(number, "same") == (str(number), str(number))
    assert write_id(number, "dec_in_receipt") == ("abcdef123456", str(number))
    assert write_id(number, "hex_in_receipt") == (str(number), "abcdef123456")
    assert write_id(number, "case") == ("abcdef123456", "ABCDEF123456")
    answered, told = write_id(number, "zeros")
    assert told.lstrip("0") == answered != told
