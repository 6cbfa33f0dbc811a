"""Whose turn it is: lanes in their order, tenants by their weights, nobody forgotten."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.decide.fair import ALERT, BULK, OTP, TRANSACTIONAL, Order, Tags, Turns, lane_of

weights = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 8), min_size=2)


def never(_: object) -> bool:
    return False


def filled(weight: dict[str, int], each: int, tags: Tags | None = None) -> Turns[tuple[str, int]]:
    turns: Turns[tuple[str, int]] = Turns(tags or Tags(lambda t: weight[t]), never)
    for tenant in weight:
        for number in range(each):
            turns.add(tenant, (tenant, number))
    return turns


@given(weights, st.integers(1, 200))
def test_while_all_wait_each_has_the_share_of_its_weight(weight: dict[str, int], n: int) -> None:
    turns = filled(weight, n)
    taken = Counter(item[0] for _ in range(n) if (item := turns.take()))
    assert turns.count == (len(weight) - 1) * n
    for tenant, its in weight.items():
        assert abs(taken[tenant] - n * its / sum(weight.values())) <= its + 1


@given(weights, st.integers(0, 30))
def test_everything_comes_once_and_in_the_order_of_its_tenant(
    weight: dict[str, int], n: int
) -> None:
    turns = filled(weight, n)
    seen: dict[str, list[int]] = {}
    while (item := turns.take()) is not None:
        seen.setdefault(item[0], []).append(item[1])
    assert turns.count == 0
    assert turns.head_tag() is None
    assert all(numbers == list(range(n)) for numbers in seen.values())


@given(st.integers(0, 500), st.integers(1, 5))
def test_who_was_away_neither_catches_up_nor_pays(alone: int, later: int) -> None:
    turns = filled({"a": 1, "b": 1}, 0)
    for number in range(alone + 2 * later):
        turns.add("a", ("a", number))
    for _ in range(alone):
        turns.take()
    for number in range(2 * later):
        turns.add("b", ("b", number))
    taken = Counter(item[0] for _ in range(2 * later) if (item := turns.take()))
    assert abs(taken["a"] - taken["b"]) <= 2


def test_a_tenant_in_many_queues_has_no_more_than_one_in_one() -> None:
    tags = Tags(lambda _: 1)
    queues = [filled({"a": 1}, 100, tags) for _ in range(5)] + [filled({"b": 1}, 100, tags)]
    taken: Counter[str] = Counter()
    for _ in range(100):
        queue = min((q for q in queues if q.head_tag() is not None), key=lambda q: q.head_tag())
        item = queue.take()
        assert item is not None
        taken[item[0]] += 1
    assert abs(taken["a"] - taken["b"]) <= 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_what_is_stale_is_passed_over_and_does_not_count(items: list[tuple[str, bool]]) -> None:
    gone: set[int] = set()
    turns: Turns[int] = Turns(Tags(lambda _: 1), gone.__contains__)
    for number, (tenant, leaves) in enumerate(items):
        turns.add(tenant, number)
        if leaves:
            gone.add(number)
    taken = []
    while (item := turns.take()) is not None:
        taken.append(item)
    assert sorted(taken) == [n for n, (_, leaves) in enumerate(items) if not leaves]
    assert turns.count == 0


def test_what_leaves_from_a_queue_that_stands_still_does_not_pile_up() -> None:
    gone: set[int] = set()
    turns: Turns[int] = Turns(Tags(lambda _: 1), gone.__contains__)
    for number in range(10_000):
        turns.add("a", number)
        gone.add(number)
    assert turns.count == 1


def test_many_tenants_that_come_once_are_forgotten() -> None:
    tags = Tags(lambda _: 1)
    turns: Turns[int] = Turns(tags, never)
    for number in range(10_000):
        turns.add(f"t{number}", number)
        turns.take()
    assert len(tags._tags) < 1_000


# Lanes


def test_urgent_classes_come_first() -> None:
    order = Order(8)
    assert order.next([True, True, True, True]) == OTP
    assert order.next([False, True, True, True]) == ALERT
    assert order.next([False, False, False, False]) == -1
    assert [lane_of(c) for c in ("otp", "alert", "bulk", "")] == [OTP, ALERT, BULK, TRANSACTIONAL]


@given(st.integers(1, 20), st.integers(1, 40))
def test_bulk_has_its_turn_beside_transactional(ratio: int, rounds: int) -> None:
    order, both = Order(ratio), [False, False, True, True]
    went: Counter[int] = Counter()
    while sum(went.values()) < rounds * (ratio + 1):
        lane = order.next(both)
        count = order.at_most(lane, both)
        order.went(lane, count, both)
        went[lane] += count
    assert abs(went[TRANSACTIONAL] - ratio * went[BULK]) <= ratio


def test_bulk_goes_freely_while_nothing_else_waits_and_gains_nothing_by_it() -> None:
    order, alone, both = Order(8), [False, False, False, True], [False, False, True, True]
    assert order.next(alone) == BULK
    assert order.at_most(BULK, alone) == 0
    order.went(BULK, 1_000, alone)
    assert order.next(both) == TRANSACTIONAL
    order.went(TRANSACTIONAL, 1_000, [False, False, True, False])
    assert order.next(both) == TRANSACTIONAL
