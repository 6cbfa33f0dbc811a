"""Stamps never repeat, never go back, and follow what was seen."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.hlc import Hlc, TooFarAheadError


@given(st.lists(st.integers(0, 1_000_000), min_size=1))
def test_stamps_rise_whatever_the_wall_clock_does(walls: list[int]) -> None:
    clock = Hlc(500_000)
    stamps = [clock.stamp(wall) for wall in walls]
    assert all(a < b for a, b in pairwise(stamps))
    assert all(stamp >= wall for stamp, wall in zip(stamps, walls, strict=True))


def test_a_stamp_that_was_seen_is_passed() -> None:
    clock = Hlc(500_000)
    clock.seen(1_400_000, 1_000_000)
    assert clock.stamp(1_000_000) == 1_400_001


def test_a_stamp_from_too_far_ahead_is_refused_and_ignored() -> None:
    clock = Hlc(500_000)
    with pytest.raises(TooFarAheadError) as refused:
        clock.seen(1_500_001, 1_000_000)
    assert refused.value.ahead_us == 500_001
    assert clock.stamp(1_000_000) == 1_000_000
    clock.seen(1_500_000, 1_000_000)
    assert clock.stamp(0) == 1_500_001
