"""The runner for mutations says of each whether a checker found it, and fails if none did."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.mutations import Mutation, patched
from tests.support.mutations_run import Found, first_found, main, run_all, table

HERE = __name__


class Rule:
    holds = True


@contextmanager
def taken_away() -> Iterator[None]:
    Rule.holds = False
    yield
    Rule.holds = True


MUTATIONS = [
    Mutation("taken away", "3", "swarm", taken_away),
    Mutation("untouched", "4", "swarm", patched),
    Mutation("patched", "5", "swarm", lambda: patched((Rule, "holds", False))),
]


def check(seed: int, _: str) -> str:
    """Finds at seed 3, and only where the rule is not in force."""
    return "lost" if seed == 3 and not Rule.holds else ""


def test_first_seed_and_its_checker() -> None:
    found = first_found(MUTATIONS[0], range(10), check)
    assert (found.mutation, found.rule, found.seed, found.checker) == ("taken away", "3", 3, "lost")
    assert Rule.holds


def test_not_found_within_the_seeds() -> None:
    assert first_found(MUTATIONS[0], range(3), check)[2:4] == (-1, "not found in 3 seeds")
    assert first_found(MUTATIONS[1], range(10), check).seed == -1


def test_broken_simulator_is_not_a_find() -> None:
    def broken(seed: int, _: str) -> str:
        raise TypeError("patched wrongly")

    found = first_found(MUTATIONS[0], range(10), broken)
    assert found.seed == -1
    assert "seed 0 breaks the simulator, TypeError('patched wrongly')" in found.checker
    assert Rule.holds


def test_a_mutation_that_breaks_a_part_of_the_engine_is_not_found() -> None:
    found = first_found(MUTATIONS[0], range(10), lambda *_: "machine_failed")
    assert found[2:4] == (-1, "not found: seed 0 breaks a part of the engine")


def test_run_that_does_not_end_is_broken_off() -> None:
    def endless(seed: int, _: str) -> str:
        while True:
            time.process_time()

    found = first_found(MUTATIONS[0], range(10), endless, run_max_s=0.05)
    assert found[2:4] == (-1, "not found: seed 0 does not end")


def test_in_worker_processes() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    found = {row.mutation: row.seed for row in run_all(HERE, names, range(10), 2, check)}
    assert found == {"taken away": 3, "untouched": -1, "patched": 3}


def test_table_begins_with_what_was_not_found() -> None:
    rows = [Found("a", "3", 12, "lost", 1.25), Found("b", "4", -1, "not found in 9 seeds", 9.0)]
    assert [line.split()[:3] for line in table(rows).splitlines()] == [
        ["mutation", "rule", "seed"],
        ["b", "4", "-"],
        ["a", "3", "12"],
    ]


def test_exit_code_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The real simulator, one seed: a mutation that changes nothing is not found."""
    assert main(["--module", HERE, "--seeds", "1", "--jobs", "1", "untouched"]) == 1
    assert "0 of 1 found" in capsys.readouterr().out


def test_unknown_mutation_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--module", HERE, "none"])
    assert caught.value.code == 2
    assert "no such mutation: none" in capsys.readouterr().err
