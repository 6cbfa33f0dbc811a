"""The serving set: what may change, and that no interleaving of operators leaves nobody."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.agreed import Refusal, settled
from sync.serving import (
    RETURN_SHARES_PCT,
    Dwell,
    ServingSet,
    begin_return,
    drain,
    drained,
    first_set,
    lost,
    next_share,
    shares,
)

REGIONS = ["ap", "eu", "us"]


def good(result: ServingSet | Refusal) -> ServingSet:
    assert isinstance(result, ServingSet), result
    return result


def refused(result: ServingSet | Refusal) -> str:
    assert isinstance(result, Refusal), result
    assert result.what
    assert result.hint
    return result.rule


def out(row: ServingSet, *regions: str) -> ServingSet:
    for region in regions:
        row = good(drained(good(drain(row, region, "work", "n")), region, "n"))
    return row


def test_a_drain_takes_the_traffic_off_at_once_and_ends_when_the_shards_are_gone() -> None:
    row = good(drain(first_set(REGIONS, "n0"), "eu", "new disks", "n1"))
    assert (row.version, row.nonce) == (2, "n1")
    assert shares(row) == {"ap": 100, "us": 100}
    assert (row.regions["eu"].state, row.regions["eu"].reason) == ("draining", "new disks")
    row = good(drained(row, "eu", "n2"))
    assert (row.regions["eu"].state, row.regions["eu"].reason) == ("drained", "new disks")


def test_the_last_region_that_serves_fully_stays() -> None:
    row = out(first_set(REGIONS, "n"), "ap", "eu")
    assert refused(drain(row, "us", "", "n")) == "last_serving_region"
    assert refused(lost(row, "us", "", "n")) == "last_serving_region"
    row = good(begin_return(row, "eu", "n"))
    waiting = drain(row, "us", "", "n")
    assert refused(waiting) == "last_serving_region"
    assert isinstance(waiting, Refusal)
    assert "eu" in waiting.hint


NARROW = ("narrow", ("ap", "eu"))
WORLD = ("world", ("ap", "eu", "us"))


def test_the_last_one_of_a_group_that_serves_fully_stays() -> None:
    row = good(drain(first_set(REGIONS, "n"), "ap", "", "n", [NARROW, WORLD]))
    waiting = drain(row, "eu", "", "n", [NARROW, WORLD])
    assert refused(waiting) == "last_serving_of_group"
    assert isinstance(waiting, Refusal)
    assert "narrow" in waiting.what
    assert "ap" in waiting.hint
    assert shares(good(drain(row, "us", "", "n", [NARROW, WORLD]))) == {"eu": 100}
    row = good(begin_return(row, "ap", "n"))
    assert refused(drain(row, "eu", "", "n", [NARROW])) == "last_serving_of_group"


def test_the_only_region_of_a_group_is_not_drained() -> None:
    row = first_set(REGIONS, "n")
    assert refused(drain(row, "ap", "", "n", [("own", ("ap",))])) == "last_serving_of_group"
    assert refused(drain(row, "ap", "", "n", [("own", ("ap", "mars"))])) == "last_serving_of_group"
    assert shares(good(drain(row, "us", "", "n", [("own", ("ap",))]))) == {"ap": 100, "eu": 100}


def test_a_region_that_is_lost_is_out_also_where_it_was_the_last_of_its_group() -> None:
    row = good(drain(first_set(REGIONS, "n"), "ap", "", "n", [NARROW]))
    assert shares(good(lost(row, "eu", "burnt", "n", [NARROW]))) == {"us": 100}


def test_where_the_last_of_a_group_is_lost_its_others_that_return_serve_fully_at_once() -> None:
    row = good(begin_return(out(first_set(REGIONS, "n"), "ap"), "ap", "n"))
    row = good(lost(row, "eu", "burnt", "n", [NARROW]))
    assert shares(row) == {"ap": 100, "us": 100}
    row = good(begin_return(out(first_set(REGIONS, "n"), "us"), "us", "n"))
    assert shares(good(lost(row, "eu", "burnt", "n", [NARROW])))["us"] == RETURN_SHARES_PCT[0]


def test_where_the_last_one_is_lost_those_that_return_serve_fully_at_once() -> None:
    row = good(begin_return(out(first_set(REGIONS, "n"), "ap", "eu"), "eu", "n"))
    row = good(lost(row, "us", "cut off", "n"))
    assert shares(row) == {"eu": 100}
    assert row.regions["eu"].state == "serving"
    assert (row.regions["us"].state, row.regions["us"].reason) == ("drained", "cut off")


def test_a_region_comes_back_in_steps_each_of_which_lasts_a_while() -> None:
    row = good(begin_return(out(first_set(REGIONS, "n"), "eu"), "eu", "n"))
    seen = [shares(row)["eu"]]
    dwell = Dwell()
    now_s = 0.0
    while row.regions["eu"].state == "returning":
        dwell.saw(row, now_s)
        early = next_share(row, "eu", dwell.dwelt_s("eu", now_s + 59.0), 60.0, "n")
        assert refused(early) == "return_dwell"
        now_s += 60.0
        dwell.saw(row, now_s)
        row = good(next_share(row, "eu", dwell.dwelt_s("eu", now_s), 60.0, "n"))
        seen.append(shares(row)["eu"])
    assert tuple(seen) == RETURN_SHARES_PCT
    assert row.regions["eu"].state == "serving"


def test_a_dwell_starts_anew_when_the_region_left_and_came_back_in_between() -> None:
    first = good(begin_return(out(first_set(REGIONS, "n"), "eu"), "eu", "n"))
    dwell = Dwell()
    assert dwell.dwelt_s("eu", 5.0) == 0.0
    dwell.saw(first, 0.0)
    again = good(begin_return(out(first, "eu"), "eu", "n"))
    dwell.saw(again, 50.0)
    assert dwell.dwelt_s("eu", 60.0) == 10.0
    dwell.saw(first, 70.0)  # an old row, read late
    assert dwell.dwelt_s("eu", 80.0) == 30.0


def test_a_drain_can_be_given_up() -> None:
    row = good(drain(first_set(REGIONS, "n"), "eu", "", "n"))
    row = good(begin_return(row, "eu", "n"))
    assert shares(row)["eu"] == RETURN_SHARES_PCT[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda row: drain(row, "mars", "", "n"),
        lambda row: lost(row, "mars", "", "n"),
        lambda row: begin_return(row, "mars", "n"),
    ],
)
def test_an_unknown_region_is_refused(change: Callable[[ServingSet], ServingSet | Refusal]) -> None:
    assert refused(change(first_set(REGIONS, "n"))) == "region_known"


def test_what_does_not_fit_the_state_is_refused() -> None:
    row = first_set(REGIONS, "n")
    assert refused(drained(row, "eu", "n")) == "drain_first"
    assert refused(next_share(out(row, "eu"), "eu", 99.0, 0.0, "n")) == "return_first"


def test_a_repeat_has_nothing_to_do() -> None:
    serving = first_set(REGIONS, "n")
    draining = good(drain(serving, "eu", "", "n"))
    gone = good(drained(draining, "eu", "n"))
    coming = good(begin_return(gone, "eu", "n"))
    assert drain(draining, "eu", "again", "m") is draining
    assert drain(gone, "eu", "again", "m") is gone
    assert drained(gone, "eu", "m") is gone
    assert lost(gone, "eu", "", "m") is gone
    assert begin_return(coming, "eu", "m") is coming
    assert begin_return(serving, "eu", "m") is serving
    assert next_share(serving, "eu", 9.0, 0.0, "m") is serving


class Register:
    """The row in a store whose answers may get lost, and whose lost requests may come late."""

    def __init__(self, row: ServingSet) -> None:
        self.row = row
        self.late: list[ServingSet] = []

    def write(self, new: ServingSet) -> bool:
        if new.version != self.row.version + 1:
            return False
        self.row = new
        return True


class Operator:
    """Reads at SERIAL, makes its change, and reads again when it does not know."""

    def __init__(self, name: int, region: str, what: str) -> None:
        self.name = name
        self.region = region
        self.what = what
        self.asked: ServingSet | None = None
        self.read: ServingSet | None = None
        self.tries = 0

    def change(self, row: ServingSet) -> ServingSet | Refusal:
        nonce = f"{self.name}.{self.tries}"
        if self.what == "drain":
            return drain(row, self.region, "", nonce, [NARROW])
        if self.what == "lost":
            return lost(row, self.region, "", nonce)
        if self.what == "next_share":
            return next_share(row, self.region, 1.0, 1.0, nonce)
        return begin_return(row, self.region, nonce)

    def step(self, register: Register, answer: str) -> None:
        if self.read is None:
            self.read = register.row
            return
        row, self.read = self.read, None
        self.tries += 1
        new = self.change(row)
        if isinstance(new, Refusal) or new is row:
            return
        self.asked = new
        if answer == "late":
            register.late.append(new)
            return
        applied = register.write(new)
        if answer == "lost":
            fate = settled((new.version, new.nonce), (register.row.version, register.row.nonce))
            assert (fate == "applied") == applied


whats = st.sampled_from(["drain", "drain", "lost", "return", "next_share"])
operators = st.lists(st.tuples(st.sampled_from(REGIONS), whats), min_size=2, max_size=5)
turns = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["told", "lost", "late"])), max_size=40
)


@settings(max_examples=300)
@given(operators, turns)
def test_no_interleaving_of_changes_leaves_no_region(
    who: list[tuple[str, str]], schedule: list[tuple[int, str]]
) -> None:
    register = Register(first_set(REGIONS, "n"))
    crowd = [Operator(name, region, what) for name, (region, what) in enumerate(who)]
    for turn, answer in schedule:
        if turn < len(crowd):
            crowd[turn].step(register, answer)
        elif register.late:
            register.write(register.late.pop(0))
        assert "serving" in {row.state for row in register.row.regions.values()}
        assert 100 in shares(register.row).values()
        if all(what != "lost" for _, what in who):
            assert {register.row.regions[region].state for region in NARROW[1]} & {"serving"}


def test_without_the_condition_two_drains_at_once_would_leave_none() -> None:
    row = out(first_set(REGIONS, "n"), "ap")
    one = good(drain(row, "eu", "", "n1"))
    other = good(drain(row, "us", "", "n2"))
    assert one.version == other.version  # so the condition lets only one of them be applied
    register = Register(row)
    assert register.write(one)
    assert not register.write(other)
    assert refused(drain(register.row, "us", "", "n3")) == "last_serving_region"
    both = one.regions | {"us": other.regions["us"]}
    assert shares(ServingSet(9, "n", both)) == {}
