"""Stamps never repeat, never go back, and follow the wall clock."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sync.hlc import Hlc


@given(st.lists(st.integers(0, 1_000_000), min_size=1))
def test_stamps_rise_whatever_the_wall_clock_does(walls: list[int]) -> None:
    clock = Hlc()
    stamps = [clock.stamp(wall) for wall in walls]
    assert all(a < b for a, b in pairwise(stamps))
    assert all(stamp >= wall for stamp, wall in zip(stamps, walls, strict=True))
