"""The rules of doubt, as a table."""

import pytest

from sync.doubt import Doubt, judge, relevant
from sync.records import Intent, Place

ACCEPT = Place("accept.h.urgent_local.c1.0", 1, 0)


def intent(
    epoch: int = 1,
    resend: int = 0,
    dedupe_ms: int = 0,
    first_ms: int = 0,
    at_ms: int = 0,
    careful: bool = False,
    names: tuple[str, ...] = (),
    account: str = "acc",
) -> Intent:
    return Intent(
        "m", 0, epoch, ACCEPT, b"", account, "key", dedupe_ms, first_ms, careful, 9_000,
        resend, at_ms, names,
    )  # fmt: skip


def facts(*unsettled: Intent, **changed: object) -> Doubt:
    values: dict[str, object] = {
        "unsettled": tuple((f"a{i}", each) for i, each in enumerate(unsettled)),
        "now_ms": 1_000,
        "margin_ms": 100,
        "expires_ms": 9_000,
        "canceled": False,
        "content": True,
    }
    return Doubt(**{**values, **changed})  # type: ignore[arg-type]


ONCE = intent(careful=True)
DEDUPED = intent(dedupe_ms=5_000)


@pytest.mark.parametrize(
    ("doubt", "verdict"),
    [
        (facts(intent()), "resend"),
        (facts(ONCE), "unknown"),
        (facts(intent(resend=1)), "unknown"),
        (facts(intent(), intent(resend=1, at_ms=5)), "unknown"),
        (facts(intent(), canceled=True), "unknown"),
        (facts(intent(), now_ms=9_000), "unknown"),
        (facts(intent(), content=False), "wait"),
        (facts(DEDUPED), "repeat"),
        (facts(intent(dedupe_ms=5_000, careful=True)), "repeat"),
        (facts(DEDUPED, content=False), "wait"),
        (facts(DEDUPED, now_ms=4_899), "repeat"),
        (facts(DEDUPED, now_ms=4_900), "resend"),
        (facts(intent(dedupe_ms=5_000, careful=True), now_ms=4_900), "unknown"),
        (facts(intent(dedupe_ms=5_000, resend=1), now_ms=4_900), "unknown"),
        (facts(intent(dedupe_ms=100)), "resend"),
    ],
)
def test_the_verdict(doubt: Doubt, verdict: str) -> None:
    assert judge(doubt)[0] == verdict


def test_the_window_runs_from_the_first_intent_with_the_key() -> None:
    again = intent(dedupe_ms=5_000, first_ms=0, at_ms=4_000)
    assert judge(facts(DEDUPED, again, now_ms=4_950))[0] == "resend"


def test_the_key_repeated_is_the_latest() -> None:
    newer = intent(epoch=2, dedupe_ms=5_000, at_ms=10, names=("a0",), account="other")
    verdict, repeat = judge(facts(DEDUPED, newer))
    assert (verdict, repeat) == ("repeat", newer)


def test_intents_of_lower_epochs_that_nobody_names_were_never_called() -> None:
    lost, named, later = intent(1, resend=1), intent(1), intent(2, names=("a1",))
    kept = relevant(facts(lost, named, later).unsettled)
    assert [name for name, _ in kept] == ["a1", "a2"]
    assert judge(facts(lost, named, later))[0] == "resend"
    assert judge(facts(intent(1, resend=1), intent(2, names=("a0",))))[0] == "unknown"
