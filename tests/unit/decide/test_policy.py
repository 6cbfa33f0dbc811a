"""Which policy serves a message."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from core.decide.policy import DEFAULT, MILLION, Policy, policy_for, scaled

some = st.frozensets(st.sampled_from(["x", "y"]), max_size=2)
policies = st.lists(
    st.builds(
        Policy, name=st.text("abc", min_size=1, max_size=3), tenants=some, classes=some,
        channels=some, countries=some,
    ),
    unique_by=lambda p: p.name,
    max_size=6,
)  # fmt: skip
asked = st.tuples(*[st.sampled_from(["x", "y", "z"])] * 4)


@given(policies, asked, st.randoms(use_true_random=False))
def test_the_most_particular_that_matches_serves_in_whatever_order_they_come(
    given_: list[Policy], message: tuple[str, str, str, str], random: Random
) -> None:
    found = policy_for(given_, *message)
    matching = [p for p in given_ if p.serves(*message)]
    wanted = min(matching, key=lambda p: (-p.dimensions, p.name), default=DEFAULT)
    assert found is wanted
    random.shuffle(given_)
    assert policy_for(given_, *message) is found


def test_a_policy_matches_on_each_dimension_that_it_names() -> None:
    policy = Policy(tenants=frozenset({"t"}), countries=frozenset({"GB", "IE"}))
    assert policy.serves("t", "otp", "sms", "IE")
    assert not policy.serves("t", "otp", "sms", "DE")
    assert not policy.serves("other", "otp", "sms", "GB")
    assert policy.dimensions == 2
    assert (DEFAULT.name, DEFAULT.version) == ("built-in", 0)


def test_weights_are_shares_of_a_million() -> None:
    assert scaled(1, 0, 3, 0, 0) == (MILLION / 4, 0, 3 * MILLION / 4, 0, 0)
