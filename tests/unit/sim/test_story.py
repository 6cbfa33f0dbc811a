"""A story has what explains the violation, in columns, and leaves the rest out."""

import pytest

from core.sim.result import Violation
from core.sim.story import story
from core.sim.trace import Trace
from tests.unit.sim.runs import failed, result


def line_with(text: str, word: str) -> str:
    (found,) = [line for line in text.splitlines() if word in line]
    return found


def test_violation_and_the_names_stand_at_the_top() -> None:
    top = story(failed()).splitlines()[:4]
    assert top[0] == "seed 7, profile swarm"
    assert top[1] == "!! 12.500 s  lost: m1 is in no log"
    assert top[2] == "m1 = eu-u1"


def test_regions_are_columns() -> None:
    told = story(failed())
    head = line_with(told, "seconds")
    place = {name: head.index(name) for name in ("eu", "us", "outside")}
    assert place["eu"] < place["us"] < place["outside"]
    assert line_with(told, "euc1 accept m1").index("euc1") == place["eu"]
    assert line_with(told, "usc2 takeover").index("usc2") == place["us"]
    assert line_with(told, "mail call m1").index("mail") == place["outside"]
    assert line_with(told, "euc1 accept m1").startswith("    9.000 |")


def test_only_what_belongs_to_it() -> None:
    told = story(failed())
    assert "** fault: crash **" in told
    assert "euc1 end: killed" in told
    for left_out in ("us-u2", "beat", "long after", "a new incarnation"):
        assert left_out not in told


def test_what_travels_says_where_to_and_when_it_is_there() -> None:
    assert "-> us, there at 9.750" in story(failed(), 180)


@pytest.mark.parametrize("width", [100, 120, 140])
def test_lines_keep_the_width(width: int) -> None:
    trace = Trace()
    for number, region in enumerate(("eu", "us", "ap", "")):
        trace.add(number, region, "p", "told", "word " * 50 + "x" * 200, "eu-u1")
    found = result(Violation("lost", "eu-u1 " + "is gone " * 40, 1.0), trace=trace)
    lines = story(found, width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.count("x") for line in lines) == 800 + lines[0].count("x")


def test_violation_that_names_no_message_tells_the_last_seconds() -> None:
    found = failed()
    found.violations = [Violation("machine_failed", "KeyError()", 12.5)]
    told = story(found)
    assert "beat" in told
    assert "accept.us 1" not in told


def test_id_that_begins_another_is_not_taken_for_it() -> None:
    trace = Trace()
    trace.add(1.0, "eu", "p", "told", "sent", "eu-u1")
    trace.add(2.0, "eu", "p", "told", "sent", "eu-u12")
    told = story(result(Violation("lost", "eu-u12 is gone.", 3.0), trace=trace))
    assert "m1 = eu-u12" in told
    assert "eu-u1\n" not in told
