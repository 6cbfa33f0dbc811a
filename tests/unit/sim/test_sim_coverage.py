"""What coverage says of the simulator is told by code, not by line, and each gap has a reason."""

from textwrap import dedent
from typing import Any

import pytest

from core.sim.profiles import PROFILES
from tests.support.coverage_gaps import LEAVES, Code, Module, module_of, problems, table
from tests.support.sim_coverage import MEASURED

SOURCE = dedent("""\
    '''A module.'''


    class Lease:
        '''A lease.'''

        def renew(self, old, new):
            '''Renew it.'''
            if (
                old
                and new
            ):
                return old
            for one in new:
                self.had = one
            return None  # neither

        def end(self):
            self.over = True
            self.why = "end"


    def top():
        return 1
    """)
PATH = "sync/lease.py"
IF, RETURN_OLD, FOR, HAD, RETURN_NONE, OVER, WHY, TOP = 9, 13, 14, 15, 16, 19, 20, 24
STATEMENTS = {IF, RETURN_OLD, FOR, HAD, RETURN_NONE, OVER, WHY, TOP}
RETURN_GAP = "Lease.renew: return old"


def report(
    missing: set[int], jumps: list[list[int]], branches: int = 4, covered: int = 3
) -> dict[str, Any]:
    """A module's part, as `coverage json` writes it."""
    return {
        "executed_lines": sorted(STATEMENTS - missing),
        "missing_lines": sorted(missing),
        "missing_branches": jumps,
        "summary": {"num_branches": branches, "covered_branches": covered},
    }


def gaps(missing: set[int], jumps: list[list[int]]) -> tuple[str, ...]:
    return module_of(PATH, report(missing, jumps), SOURCE).gaps


def test_line_is_named_by_its_function_and_its_text() -> None:
    assert gaps({RETURN_OLD}, [[IF, RETURN_OLD]]) == (RETURN_GAP,)
    assert gaps({TOP}, []) == ("top: return 1",)


def test_run_of_lines_is_one_gap_and_ends_with_its_function() -> None:
    assert gaps({OVER, WHY, TOP}, []) == ("Lease.end: self.over = True", "top: return 1")
    assert gaps({WHY}, []) == ('Lease.end: self.why = "end"',)


def test_jump_between_reached_lines_is_a_gap_of_its_own() -> None:
    assert gaps(set(), [[IF, FOR]]) == ("Lease.renew: if ( old and new ): -> for one in new:",)
    assert gaps(set(), [[FOR, -7]]) == (f"Lease.renew: for one in new: -> {LEAVES}",)


def test_jumps_from_lines_that_were_not_reached_say_nothing_more() -> None:
    missing = {FOR, HAD, RETURN_NONE}
    assert gaps(missing, [[IF, FOR], [FOR, HAD], [FOR, RETURN_NONE]]) == (
        "Lease.renew: for one in new:",
    )


def test_comments_are_no_part_of_a_name() -> None:
    assert gaps({RETURN_NONE}, []) == ("Lease.renew: return None",)


def test_names_do_not_depend_on_where_the_code_stands() -> None:
    moved = Code("\n\n\n" + SOURCE)
    assert moved.name(RETURN_OLD + 3) == Code(SOURCE).name(RETURN_OLD) == RETURN_GAP


def modules(*, covered: int, gaps: tuple[str, ...] = (RETURN_GAP,)) -> list[Module]:
    """One module of 100 branches, and another that has a thousand, all covered."""
    return [
        Module(PATH, 100, covered, gaps, frozenset(gaps)),
        Module("sync/large.py", 1_000, 1_000, (), frozenset()),
    ]


def test_gap_below_the_wanted_share_needs_a_reason() -> None:
    assert problems(modules(covered=94), {}) == [f"{PATH}: no reason for {RETURN_GAP}"]
    assert problems(modules(covered=94), {PATH: {RETURN_GAP: ""}}) != []
    assert problems(modules(covered=94), {PATH: {RETURN_GAP: "clocks are not so far off"}}) == []


def test_gap_in_a_module_with_enough_needs_none_and_may_have_one() -> None:
    assert problems(modules(covered=95), {}) == []
    assert problems(modules(covered=95), {PATH: {RETURN_GAP: "clocks are not so far off"}}) == []


@pytest.mark.parametrize("covered", [94, 95])
def test_reason_for_what_is_reached_is_wrong(covered: int) -> None:
    reasons = {PATH: {RETURN_GAP: "never"}}
    found = problems(modules(covered=covered, gaps=()), reasons)
    assert found == [f"{PATH}: a reason for what was reached, or is not there: {RETURN_GAP}"]


def test_reason_for_a_line_within_a_longer_run_still_holds() -> None:
    """With fewer seeds more is missing: what was the first line of a run is then in another."""
    module = module_of(PATH, report({OVER, WHY}, [], branches=100, covered=95), SOURCE)
    assert module.gaps == ("Lease.end: self.over = True",)
    assert problems([module], {PATH: {'Lease.end: self.why = "end"': "never"}}) == []


def test_reason_for_a_module_that_is_not_measured_is_wrong() -> None:
    (found,) = problems(modules(covered=95), {"sync/gone.py": {RETURN_GAP: "never"}})
    assert found.startswith("sync/gone.py: a reason for what")


def test_too_little_in_total_is_wrong_whatever_the_reasons() -> None:
    small = [Module(PATH, 100, 94, (RETURN_GAP,), frozenset({RETURN_GAP}))]
    (found,) = problems(small, {PATH: {RETURN_GAP: "never"}})
    assert found == "94.0 % of the branches are covered, 95 % are wanted"
    assert problems([Module(PATH, 100, 95, (RETURN_GAP,), frozenset())], {}) == []


def test_table_tells_the_gaps_of_those_with_too_little_only() -> None:
    told = table(modules(covered=94), {PATH: {RETURN_GAP: "clocks are not so far off"}})
    assert RETURN_GAP in told
    assert "clocks are not so far off" in told
    assert "NO REASON" in table(modules(covered=94), {})
    assert RETURN_GAP not in table(modules(covered=95), {})
    assert told.splitlines()[-1].split() == ["total", "1100", "1094", "99.5"]


def test_module_without_branches_is_covered() -> None:
    assert Module(PATH, 0, 0, (), frozenset()).percent == 100.0


def test_every_profile_that_keeps_its_promises_is_measured() -> None:
    assert {*PROFILES} - {*MEASURED} == {"clocks_outside"}
