"""By-id rows of one message: of one force number the latest counts, of several all."""

from hypothesis import given
from hypothesis import strategies as st

from sync.by_id import latest
from sync.forced import epoch_of
from sync.lattice import ENDED, RANK
from sync.records import ById, Place, decode_by_id, encode
from sync.store.port import ByIdRow

PLACES = st.lists(
    st.integers(1, 5).map(lambda row: Place("effect.eu.urgent.a.0", row, 0)),
    unique=True,
    max_size=3,
).map(tuple)


def row(force: int, n: int, stamp: int, known: ById) -> ByIdRow:
    return ByIdRow("part", "m", epoch_of(force, n), encode(known), stamp)


@st.composite
def rows_of_message(draw: st.DrawFn) -> list[ByIdRow]:
    keys = draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(1, 3)),
            unique=True,
            min_size=1,
            max_size=5,
        )
    )
    rows = []
    for force, n, stamp in keys:
        state = draw(st.sampled_from(sorted(RANK)))
        accept = draw(st.none() | st.just(Place("accept.eu.normal_local.a.0", 1, 0)))
        known = ById(b"", state, state in ENDED, accept, draw(PLACES), draw(PLACES))
        rows.append(row(force, n, stamp, known))
    return rows


@given(rows_of_message(), st.randoms(use_true_random=False))
def test_any_order_and_repeats_say_the_same(rows: list[ByIdRow], chance: object) -> None:
    again = [*rows, rows[0]]
    chance.shuffle(again)  # type: ignore[attr-defined]
    first, other = latest(rows), latest(again)
    assert first is not None
    assert other is not None
    one, two = decode_by_id(first.body), decode_by_id(other.body)
    assert (one.state, one.ended, set(one.effects)) == (two.state, two.ended, set(two.effects))
    assert first.epoch == other.epoch == max(each.epoch for each in rows)


@given(rows_of_message())
def test_what_ended_under_one_number_stays_ended_and_findable(rows: list[ByIdRow]) -> None:
    found = latest(rows)
    assert found is not None
    whole = decode_by_id(found.body)
    for force in {each.epoch >> 40 for each in rows}:
        of_force = [each for each in rows if each.epoch >> 40 == force]
        known = decode_by_id(max(of_force, key=lambda each: (each.epoch, each.stamp)).body)
        assert whole.ended >= known.ended
        assert set(known.effects) <= set(whole.effects)
        assert set(known.receipts) <= set(whole.receipts)


def test_what_a_higher_number_has_not_read_says_how_far_it_came_too() -> None:
    at, other = Place("effect.eu.urgent.a.0", 1, 0), Place("effect.eu.urgent.b.0", 1, 0)
    below = row(0, 2, 1, ById(b"", "expired", True, None, (at,)))
    unread = latest([below, row(1, 1, 1, ById(b"", "unknown", True, None, (other,)))])
    read = latest([below, row(1, 1, 1, ById(b"", "unknown", True, None, (at, other)))])
    assert unread is not None
    assert decode_by_id(unread.body).state == "expired"
    assert read is not None
    assert decode_by_id(read.body).state == "unknown"


def test_within_one_number_the_highest_epoch_counts_alone() -> None:
    ended = row(0, 1, 9, ById(b"", "sent", True))
    later = row(0, 2, 1, ById(b"", "accepted", False))
    found = latest([ended, later])
    assert found is later


def test_nothing_is_nothing() -> None:
    assert latest([]) is None


def test_a_body_that_a_lower_number_fixed_is_a_conflict() -> None:
    one, other = (
        Place("accept.eu.normal_local.a.0", 1, 0),
        Place("accept.eu.normal_local.b.0", 1, 0),
    )
    below = row(0, 1, 1, ById(b"A", "sent", True, one, conflicts=(other,)))
    found = latest([below, row(1, 1, 1, ById(b"B", "accepted", False, other))])
    assert found is not None
    known = decode_by_id(found.body)
    assert (known.body_hash, known.accept, known.conflicts) == (b"B", other, (one,))
