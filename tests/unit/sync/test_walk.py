"""The random walk over one home: what must never happen, in a few hundred seeds.

`python -m tests.support.world.walk --seeds A-B` walks thousands.
"""

import pytest

from tests.support.world.history import ViolationError
from tests.support.world.mutations import FOUND_BY, FOUND_FAST, FOUND_SLOWLY
from tests.support.world.mutations_behind import BEHIND, BEHIND_BY
from tests.support.world.walk import first_found, walk

# Seeds that once found a defect; what each found is said in the history of the machines.
FOUND_ONCE = (
    59,
    75,
    175,
    208,
    244,
    1178,
    1203,
    5970,
    11681,
    20693,
    30024,
    52326,
    52605,
    61188,
    1578,
    2133,
    4693,
)
STEP = 20


@pytest.mark.parametrize("first", range(0, 120, STEP))
def test_nothing_is_found(first: int) -> None:
    for seed in range(first, first + STEP):
        walk(seed)


@pytest.mark.parametrize("seed", FOUND_ONCE)
def test_what_was_found_once_is_not_found_again(seed: int) -> None:
    walk(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(120, 600, STEP))
def test_nothing_is_found_in_more_seeds(first: int) -> None:
    for seed in range(first, first + STEP):
        walk(seed)


def test_a_seed_is_a_run() -> None:
    one, other = walk(7), walk(7)
    assert one.history.bytes == other.history.bytes
    assert one.history.told == other.history.told
    assert one.loop.events == other.loop.events > 500


@pytest.mark.parametrize("rule", FOUND_FAST)
def test_a_rule_taken_away_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FOUND_FAST[rule](monkeypatch)
    seed, checker = first_found(range(150))
    assert seed >= 0, "no checker noticed that the rule is gone"
    assert checker in FOUND_BY[rule]


@pytest.mark.parametrize("rule", BEHIND)
def test_a_rule_of_what_follows_taken_away_is_found(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    BEHIND[rule](monkeypatch)
    seed, checker = first_found(range(150))
    assert seed >= 0, "no checker noticed that the rule is gone"
    assert checker in BEHIND_BY[rule]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rule", FOUND_SLOWLY)
def test_a_rule_taken_away_is_found_in_the_end(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FOUND_SLOWLY[rule](monkeypatch)
    seed, checker = first_found(range(1_500))
    assert seed >= 0, "no checker noticed that the rule is gone"
    assert checker in FOUND_BY[rule]


def test_a_violation_names_its_checker() -> None:
    assert ViolationError("lost", "a message").checker == "lost"
