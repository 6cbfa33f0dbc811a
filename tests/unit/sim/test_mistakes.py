"""What operators ask for by mistake in a run is wrong indeed, each for the reason in its name."""

import pytest

from core.sim.mapplan import COUNTRIES, TENANT, TENANTS_RULE, changed, first_map
from core.sim.mistakes import MADE_UP, MAPS, mistaken
from core.sim.plan import plan_of
from sync.naming import id_facts
from sync.placement import PlacementMap, change_problems, home_of

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


@pytest.mark.parametrize("rest", MADE_UP)
def test_what_clients_make_up_is_no_id(rest: str) -> None:
    assert id_facts(f"eu-{rest}") is None


def test_a_rule_of_the_tenant_is_no_mistake_and_goes_before_the_rule_for_all() -> None:
    old = first_map(("eu", "us"), 2)
    new = changed(old, f"{TENANTS_RULE}{COUNTRIES[0]}", "us")
    assert change_problems(old, new) == []
    assert [home_of(new, who, COUNTRIES[0]) for who in (TENANT, "another")] == ["us", "eu"]
    assert home_of(new, TENANT, COUNTRIES[1]) == home_of(old, TENANT, COUNTRIES[1])
