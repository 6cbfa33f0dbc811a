"""What the bench of a day reckons with: its curve, and what it holds against a message."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from core.bench.mixed.curve import Outage, busy, due
from core.bench.mixed.reckon import early, fault, sends, untruth
from core.bench.mixed.tables import Table, as_lines, percent, shares
from core.bench.mixed.traffic import Traffic

NOW_MS = 1_800_000_000_000


def shown(status: str, **fields: Any) -> dict[str, Any]:
    usual = {
        "id": "m",
        "status": status,
        "reason": "" if status in ("sent", "delivered") else "why",
        "final": status != "sent",
        "possible_duplicate": False,
        "delivery": "at_least_once",
        "channel": "sms",
        "attempts": [],
    }
    return {**usual, **fields}


def test_the_curve_has_the_mean_one_and_is_never_below_zero() -> None:
    steps = 1000
    assert sum(due(n / steps, (n + 1) / steps, 1.0) for n in range(steps)) == pytest.approx(1.0)
    assert min(busy(n / steps) for n in range(steps)) > 0


@pytest.mark.parametrize(
    ("message", "times", "wrong"),
    [
        (shown("delivered"), 1, ""),
        (shown("sent"), 1, ""),
        (shown("failed"), 0, ""),
        (shown("queued", final=False), 0, ""),
        (shown("delivered", possible_duplicate=True), 2, ""),
        (shown("delivered"), 2, "sent twice and not marked"),
        (shown("delivered", possible_duplicate=True), 3, "sent 3 times"),
        (shown("canceled"), 1, "sent although it is canceled"),
        (shown("delivered"), 0, "never sent although it is delivered"),
        (shown("failed", reason=""), 0, "failed without a reason"),
        (shown("sent", attempts=[{"code": "partial:0x0000000b"}]), 0, ""),
        (
            shown("delivered", attempts=[{"code": "partial:0x0000000b"}]),
            0,
            "never sent although it is delivered",
        ),
    ],
)
def test_a_message_is_held_against_what_reached_its_recipient(
    message: dict[str, Any], times: int, wrong: str
) -> None:
    assert fault(message, times) == wrong


def test_at_most_once_is_never_twice() -> None:
    message = shown("delivered", possible_duplicate=True, delivery="at_most_once")
    assert "at most once" in fault(message, 2)


def test_a_webhook_called_again_by_its_id_is_one() -> None:
    hook = {"effective": True, "ref": "m", "wire": "webhook"}
    sms = {"effective": True, "ref": "n.1.1", "wire": "smpp"}
    refused = {"effective": False, "ref": "n.2.1", "wire": "smpp"}
    assert sends([hook, hook, sms, sms, refused]) == Counter({"m": 1, "n": 2})


def test_times_and_cancels_are_held_to_their_word() -> None:
    tried = shown("sent", attempts=[{"at": "2027-01-15T08:00:00.500Z"}])
    assert not early(tried, NOW_MS)
    assert early(tried, NOW_MS + 501)
    assert untruth(shown("sent"), "canceled")
    assert untruth(shown("canceled"), "sent")
    assert not untruth(shown("canceled"), "queued")
    assert not untruth(shown("delivered"), "sent")


def test_shares_are_told_by_phase() -> None:
    def taken(second: int, account: str) -> dict[str, Any]:
        at = f"2027-01-15T08:00:{second:02}.000Z"
        return shown("sent", attempts=[{"at": at, "account": account, "outcome": "accepted"}])

    outage = Outage(NOW_MS + 10_000, NOW_MS + 20_000)
    table = shares([taken(1, "a"), taken(11, "b"), taken(21, "a"), taken(22, "b")], outage)
    assert table.columns == ["phase", "taken", "a", "b"]
    assert table.rows == [
        ["before", 1, "100.0%", "0.0%"],
        ["during", 1, "0.0%", "100.0%"],
        ["after", 2, "50.0%", "50.0%"],
    ]
    assert percent(0, 0) == "0.0%"
    assert as_lines(Table("t", ["name", "n"], [["x", 10], ["yy", 5]])) == [
        "t",
        "  name   n",
        "  x     10",
        "  yy     5",
    ]


def test_the_same_chance_draws_the_same_day() -> None:
    days = [[Traffic(Random(1), 80).draw(NOW_MS) for _ in range(1)] for _ in range(2)]
    assert days[0] == days[1]
    traffic = Traffic(Random(2), 80)
    asks = [traffic.draw(NOW_MS) for _ in range(3000)]
    assert len({ask.kind for ask in asks}) == 13
    assert all(ask.not_before_ms == 0 or ask.not_before_ms > NOW_MS for ask in asks)
