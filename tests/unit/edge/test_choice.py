"""A key always goes to the same core, and moves as little as possible."""

from hypothesis import given
from hypothesis import strategies as st

from edge.choice import rendezvous

cores = st.lists(st.integers(1, 65535).map(lambda n: f"127.0.0.1:{n}"), min_size=1, unique=True)


@given(cores, st.text(max_size=20), st.text(max_size=20), st.randoms())
def test_the_order_depends_on_key_and_cores_only(
    names: list[str], tenant: str, key: str, random: object
) -> None:
    order = rendezvous(names, tenant, key)
    assert sorted(order) == sorted(names)
    assert order == rendezvous(list(reversed(names)), tenant, key)


@given(cores, st.text(max_size=20), st.text(max_size=20))
def test_a_core_that_goes_moves_nobody_else(names: list[str], tenant: str, key: str) -> None:
    order = rendezvous(names, tenant, key)
    for gone in names:
        left = [name for name in names if name != gone]
        if left:
            assert rendezvous(left, tenant, key) == [name for name in order if name != gone]


def test_keys_spread_evenly() -> None:
    names = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
    first = [rendezvous(names, "acme", str(n))[0] for n in range(3000)]
    assert all(800 < first.count(name) < 1200 for name in names)
