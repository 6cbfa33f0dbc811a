"""The choice of an account: what holds for all facts."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from core.decide.policy import DEFAULT, Policy, scaled
from core.decide.route import Candidate, Wanted, choose
from tests.unit.decide.routes import candidates, chances, policies, wanted

SMS = Wanted("sms")
PLAIN = Candidate("a", "sms")
BY_COST = Policy(name="cheap", version=1, millionths=scaled(0, 0, 1, 0, 0))
BY_ORDER = {"millionths": scaled(0, 0, 0, 0, 1)}


@given(wanted, candidates, policies, chances, st.randoms(use_true_random=False))
def test_same_facts_in_any_order_are_the_same_decision(
    asked: Wanted, given_: list[Candidate], policy: Policy, chance: float, random: Random
) -> None:
    mixed = list(given_)
    random.shuffle(mixed)
    one, other = choose(asked, given_, policy, chance), choose(asked, mixed, policy, chance)
    assert (one.account, one.candidates) == (other.account, other.candidates)
    assert set(one.removed) == set(other.removed)


@given(wanted, candidates, policies, chances)
def test_every_account_is_either_a_candidate_or_removed_for_a_reason(
    asked: Wanted, given_: list[Candidate], policy: Policy, chance: float
) -> None:
    decision = choose(asked, given_, policy, chance)
    scored = {s.account for s in decision.candidates}
    removed = {r.account: r.why for r in decision.removed}
    assert scored | set(removed) == {c.id for c in given_} | set(policy.gone)
    assert not scored & set(removed)
    assert all(removed.values())


@given(wanted, candidates, policies, chances)
def test_the_choice_is_a_candidate_with_room_and_the_best_unless_it_explores(
    asked: Wanted, given_: list[Candidate], policy: Policy, chance: float
) -> None:
    decision = choose(asked, given_, policy, chance)
    room = {c.id: c.room for c in given_}
    free = [s.account for s in decision.candidates if room[s.account] > 0]
    assert bool(decision.account) == bool(free)
    if decision.explored:
        assert decision.account in free[1:]
        assert chance < policy.explore
    elif free:
        assert decision.account == free[0]


@given(wanted, candidates, policies, chances)
def test_parts_add_up_to_the_score_and_the_best_comes_first(
    asked: Wanted, given_: list[Candidate], policy: Policy, chance: float
) -> None:
    found = choose(asked, given_, policy, chance).candidates
    for scored in found:
        parts = [part for part in asdict(scored.parts).values() if part is not None]
        assert sum(parts) == pytest.approx(scored.score, abs=1e-9)
        assert all(0 <= part <= 1 for part in parts)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


@given(wanted, candidates)
def test_by_cost_alone_the_cheapest_with_room_wins(asked: Wanted, given_: list[Candidate]) -> None:
    decision = choose(asked, given_, BY_COST, 0.5)
    with_room = [s for s in decision.candidates if not s.full]
    if with_room:
        chosen = next(s for s in with_room if s.account == decision.account)
        assert chosen.price == min(s.price for s in with_room)


@given(wanted, candidates, st.permutations("abcdefgh"))
def test_by_order_alone_the_order_is_respected(
    asked: Wanted, given_: list[Candidate], order: list[str]
) -> None:
    policy = Policy(rank={name: place for place, name in enumerate(order)}, **BY_ORDER)
    found = [s.account for s in choose(asked, given_, policy, 0.5).candidates]
    assert found == sorted(found, key=order.index)


@given(wanted, candidates)
def test_the_built_in_policy_goes_by_priority_then_success(
    asked: Wanted, given_: list[Candidate]
) -> None:
    of = {c.id: c for c in given_}
    found = [of[s.account] for s in choose(asked, given_, DEFAULT, 0.0).candidates]
    for one, next_ in pairwise(found):
        assert one.priority <= next_.priority
        if one.priority == next_.priority:
            assert one.success >= next_.success - 2e-4


@pytest.mark.parametrize("explore", [0.0, 0.05, 0.3, 0.5])
def test_about_the_asked_share_explores_and_is_spread_over_the_others(explore: float) -> None:
    policy = Policy(rank={"a": 0, "b": 1, "c": 2}, explore=explore, **BY_ORDER)
    given_ = [replace(PLAIN, id=name) for name in "abc"]
    found = [choose(SMS, given_, policy, n / 10_000) for n in range(10_000)]
    shares = {name: sum(d.account == name for d in found) / 10_000 for name in "abc"}
    assert shares == {
        "a": pytest.approx(1 - explore, abs=0.001),
        "b": pytest.approx(explore / 2, abs=0.001),
        "c": pytest.approx(explore / 2, abs=0.001),
    }
    assert all(d.explored == (d.account != "a") for d in found)
