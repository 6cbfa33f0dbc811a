"""The choice of an account, and what it says of the others."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.decide.route import Candidate, choose

PLAIN = Candidate("a", "sms", True, 100, 0.95, "up", 10, False, False)

candidates = st.lists(
    st.builds(
        Candidate,
        id=st.sampled_from("abcdefgh"),
        channel=st.sampled_from(["sms", "email"]),
        enabled=st.booleans(),
        priority=st.integers(0, 3),
        success=st.floats(0.01, 0.99),
        state=st.sampled_from(["up", "down: refused", "fault: bad password"]),
        room=st.integers(-1, 3),
        paused=st.booleans(),
        refused=st.booleans(),
    ),
    unique_by=lambda c: c.id,
    max_size=8,
)


@given(candidates)
def test_every_account_is_either_a_candidate_or_removed_for_a_reason(
    given_: list[Candidate],
) -> None:
    decision = choose("sms", given_)
    scored = {s.account for s in decision.candidates}
    removed = {r.account: r.why for r in decision.removed}
    assert scored | set(removed) == {c.id for c in given_}
    assert not scored & set(removed)
    assert all(removed.values())


@given(candidates)
def test_the_choice_can_be_used_and_none_before_it_could(given_: list[Candidate]) -> None:
    decision = choose("sms", given_)
    by_id = {c.id: c for c in given_}
    usable = [
        c
        for c in given_
        if c.channel == "sms" and c.enabled and c.state == "up" and not c.paused and c.room > 0
    ]
    assert bool(decision.account) == bool(usable)
    if decision.account:
        assert by_id[decision.account] in usable
        order = [s.account for s in decision.candidates]
        before = order[: order.index(decision.account)]
        assert all(by_id[a].room <= 0 for a in before)


@given(candidates, st.randoms(use_true_random=False))
def test_the_order_in_which_accounts_come_does_not_matter(given_: list[Candidate], random) -> None:
    mixed = list(given_)
    random.shuffle(mixed)
    assert choose("sms", given_).account == choose("sms", mixed).account


def test_priority_comes_before_success() -> None:
    good = replace(PLAIN, id="good", success=0.99, priority=200)
    first = replace(PLAIN, id="first", success=0.5, priority=100)
    assert choose("sms", [good, first]).account == "first"
    assert choose("sms", [good, replace(first, state="down: refused")]).account == "good"


def test_within_a_priority_the_better_one_is_chosen() -> None:
    better = replace(PLAIN, id="z", success=0.9)
    assert choose("sms", [replace(PLAIN, success=0.8), better]).account == "z"


def test_an_account_that_refused_the_message_comes_last() -> None:
    other = replace(PLAIN, id="other", priority=900, success=0.1)
    assert choose("sms", [replace(PLAIN, refused=True), other]).account == "other"
    assert choose("sms", [replace(PLAIN, refused=True)]).account == "a"


def test_reasons_name_what_removed_an_account() -> None:
    decision = choose(
        "sms",
        [
            replace(PLAIN, id="off", enabled=False),
            replace(PLAIN, id="mail", channel="email"),
            replace(PLAIN, id="down", state="down: connection refused"),
            replace(PLAIN, id="slow", paused=True),
        ],
    )
    assert {r.account: r.why for r in decision.removed} == {
        "off": "disabled",
        "mail": "serves email",
        "down": "down: connection refused",
        "slow": "throttled by the provider",
    }
