"""When a row that is not found is asked of its writer's region."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.owner.asking import GROWTH, Asking, AskingPace

LOG = "accept.eu.normal_local.us1.0"
PACE = AskingPace(told_s=1.0, untold_s=4.0, longest_s=10.0)


def asked(
    asking: Asking,
    now_s: float,
    row: int = 3,
    told_row: int = 0,
    end: int | None = None,
    log: str = LOG,
    region: str = "us",
) -> bool:
    return asking.missed(log, row, region, told_row, end, now_s)


def times_asked(told_row: int, until_s: float, row: int = 3) -> list[float]:
    """When a row is asked for that is missed at each quarter of a second."""
    asking, times = Asking("eu", PACE), [n / 4 for n in range(int(until_s * 4))]
    return [now_s for now_s in times if asked(asking, now_s, row, told_row)]


def test_a_row_that_was_told_of_has_a_moment_to_come_by_itself_and_then_pauses_grow() -> None:
    assert times_asked(told_row=3, until_s=40) == [1.0, 3.0, 7.0, 15.0, 25.0, 35.0]


def test_of_a_row_that_nobody_told_of_it_takes_longer() -> None:
    assert times_asked(told_row=2, until_s=40) == [4.0, 12.0, 22.0, 32.0]


def test_a_log_that_ends_at_or_behind_the_row_tells_of_it() -> None:
    asking = Asking("eu", PACE)
    assert not asked(asking, 0.0, end=3)
    assert asked(asking, 1.0, end=3)


def test_what_is_told_later_makes_the_wait_short() -> None:
    asking = Asking("eu", PACE)
    assert not asked(asking, 0.0)
    assert not asked(asking, 2.0)
    assert asked(asking, 2.25, told_row=5)
    assert asked(asking, 4.25)  # it stays told, whoever tells nothing of it


def test_the_next_row_has_its_own_time() -> None:
    asking = Asking("eu", PACE)
    asked(asking, 0.0, row=3, told_row=9)
    assert asked(asking, 1.0, row=3, told_row=9)
    assert not asked(asking, 1.5, row=4, told_row=9)
    assert asked(asking, 2.5, row=4, told_row=9)


@pytest.mark.parametrize(
    ("log", "region", "end"),
    [
        (LOG, "eu", None),
        (LOG, "", None),
        (LOG, "us", 2),
        ("accept.eu.normal_global.us1.0", "us", None),
        ("effect.eu.urgent.us1.0", "us", None),
    ],
    ids=["own region", "region not known", "behind the end", "global lane", "effects"],
)
def test_nobody_is_asked_who_has_no_such_row(log: str, region: str, end: int | None) -> None:
    asking = Asking("eu", PACE)
    answers = [asked(asking, n, told_row=9, log=log, region=region, end=end) for n in range(99)]
    assert not any(answers)


def test_of_too_many_rows_the_one_missed_first_begins_anew() -> None:
    asking = Asking("eu", PACE, rows_max=2)
    logs = [f"accept.eu.normal_local.us{n}.0" for n in range(3)]
    for log in logs:
        asked(asking, 0.0, told_row=3, log=log)
    assert [asked(asking, 1.0, told_row=3, log=log) for log in logs[1:]] == [True, True]
    assert not asked(asking, 1.0, told_row=3, log=logs[0])


steps = st.tuples(st.floats(0.01, 3.0), st.sampled_from([0, 0, 0, 1]), st.sampled_from([0, 3, 99]))


@given(st.lists(steps, max_size=60))
def test_a_row_is_asked_for_again_and_again_but_never_sooner_than_the_short_wait(
    missed: list[tuple[float, int, int]],
) -> None:
    asking, now_s, since_s, row = Asking("eu", PACE), 0.0, 0.0, 0
    for after_s, rows_came, told_row in [(0.0, 1, 0), *missed]:
        now_s += after_s
        if rows_came:
            row, since_s = row + 1, now_s
        if asked(asking, now_s, row, told_row):
            assert now_s - since_s >= PACE.told_s
            since_s = now_s
        else:
            assert now_s - since_s < PACE.longest_s


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_pauses_grow_to_their_bound_and_stay_there(row: int, told_row: int) -> None:
    first_s = PACE.told_s if row <= told_row else PACE.untold_s
    expected, pause_s = [first_s], first_s
    while expected[-1] < 60:
        pause_s = min(pause_s * GROWTH, PACE.longest_s)
        expected.append(expected[-1] + pause_s)
    assert times_asked(told_row, 60, row) == [each for each in expected if each < 60]
