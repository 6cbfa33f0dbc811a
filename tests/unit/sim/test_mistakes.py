"""What operators ask for by mistake in a run is wrong indeed, each for the reason in its name."""

import pytest

from core.sim.mapplan import changed, first_map
from core.sim.mistakes import MAPS, mistaken
from core.sim.plan import plan_of
from sync.placement import PlacementMap, change_problems

FIRST = [first_map(regions, 2) for regions in (("eu", "us"), ("eu", "us", "ap"))]


@pytest.mark.parametrize("what", MAPS)
@pytest.mark.parametrize("newest", FIRST)
def test_a_map_by_mistake_is_refused(newest: PlacementMap, what: str) -> None:
    assert change_problems(newest, changed(newest, "DE", "us")) == []
    assert change_problems(newest, mistaken(newest, what))


def test_profiles_ask_for_their_mistakes_and_for_more_than_fits() -> None:
    asked = {step.id for step in plan_of(0, "operators").steps if step.kind == "map_mistake"}
    assert asked == {*MAPS}
    waits = [plan_of(seed, "waits") for seed in range(20)]
    full = [p for p in waits if len({s.id for s in p.steps}) > p.limits.open_messages_max]
    assert len(full) > 5
