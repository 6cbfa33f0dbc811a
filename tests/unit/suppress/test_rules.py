"""What stops which classes; joining causes knows no order and no repetition."""

from hypothesis import given
from hypothesis import strategies as st

from core.suppress.rules import CLASSES, REASONS, Entry, entry_of, joined, stopped

entries = st.lists(
    st.builds(
        Entry,
        st.sampled_from(REASONS),
        st.lists(st.sampled_from(CLASSES), min_size=1, unique=True).map(
            lambda some: tuple(each for each in CLASSES if each in some)
        ),
        st.integers(0, 50),
        st.sampled_from(["", "x"]),
        st.sampled_from(["", "m1", "m2", "m3"]),
    ),
    max_size=12,
)


@given(entries, entries)
def test_joining_is_commutative(one: list[Entry], other: list[Entry]) -> None:
    assert joined((*one, *other)) == joined((*other, *one))


@given(entries, entries, entries)
def test_joining_is_associative(a: list[Entry], b: list[Entry], c: list[Entry]) -> None:
    assert joined((*joined((*a, *b)), *c)) == joined((*a, *joined((*b, *c))))


@given(entries)
def test_joining_is_idempotent_and_loses_nothing(some: list[Entry]) -> None:
    once = joined(some)
    assert joined((*once, *once)) == once
    assert set(stopped(once)) == {each for entry in some for each in entry.classes}


def test_however_many_causes_there_are_one_of_each_reason_is_kept() -> None:
    some = [entry_of("unsubscribe", at, message=f"m{at}", also=["alert"]) for at in range(200)]
    [once] = joined(some)
    assert (once.at_ms, once.message, once.classes) == (0, "m0", ("alert", "bulk"))


def test_what_each_cause_stops() -> None:
    def stops(entry: Entry) -> set[str]:
        return set(stopped([entry]))

    assert stops(entry_of("bounce", 1)) == set(CLASSES)
    assert stops(entry_of("invalid", 1)) == set(CLASSES)
    assert stops(entry_of("complaint", 1)) == {"transactional", "bulk"}
    assert stops(entry_of("unsubscribe", 1)) == {"bulk"}
    assert stops(entry_of("unsubscribe", 1, also=["transactional"])) == {"transactional", "bulk"}
    assert stops(entry_of("manual", 1)) == set(CLASSES)
    assert stops(entry_of("manual", 1, only=["otp"])) == {"otp"}
