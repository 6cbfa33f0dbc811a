"""Edits of configuration: what a run with them is checked for."""

from typing import Any

import msgspec
import pytest

from core.accounts.model import ProviderAccount
from core.accounts.service import KIND
from core.contract.providers import Price
from core.sim.editors import Edit
from core.sim.history import ViolationError
from core.sim.plan import plan_of
from core.sim.world import World


@pytest.fixture
def world() -> World:
    return World(plan_of(1, "edits"))


def write(world: World, number: int, enabled: bool = True) -> int:
    account = ProviderAccount("plain", "smpp", "sms", enabled, price=Price(float(number)))
    region = world.plan.regions[0]
    body = msgspec.json.encode(account)
    return world.store.entities.swap(region, KIND, "plain", body, None)


def edit(world: World, number: int, **told: Any) -> None:
    world.editors.edits.append(Edit(KIND, "plain", "limits", number, "euc1", **told))


def test_edits_that_were_told_truly_are_not_its_business(world: World) -> None:
    edit(world, 1, if_match=1, answer="done", version=write(world, 1))
    edit(world, 2, if_match=1, answer="refused")
    edit(world, 3, answer="done", version=write(world, 3))
    edit(world, 4, if_match=3)
    write(world, 4)
    world.checks.edits.final()


def test_two_edits_of_one_version_are_found(world: World) -> None:
    for number in (1, 2):
        edit(world, number, if_match=1, answer="done", version=write(world, number))
    with pytest.raises(ViolationError, match="condition_not_heeded"):
        world.checks.edits.final()


def test_an_edit_that_was_refused_and_written_is_found(world: World) -> None:
    write(world, 1)
    edit(world, 1, if_match=1, answer="refused")
    with pytest.raises(ViolationError, match="refused_written"):
        world.checks.edits.final()


def test_an_edit_that_was_told_and_is_not_there_is_found(world: World) -> None:
    edit(world, 1, if_match=1, answer="done", version=2)
    with pytest.raises(ViolationError, match="edit_lost"):
        world.checks.edits.final()


def test_a_region_that_never_hears_of_an_edit_is_found(world: World) -> None:
    world.network.isolate(world.plan.regions[0])
    write(world, 1)
    with pytest.raises(ViolationError, match="entities_differ"):
        world.checks.edits.settled()


def test_plans_of_the_profile_have_all_kinds_of_edits() -> None:
    kinds = {step.kind for seed in range(10) for step in plan_of(seed, "edits").steps}
    assert {"account_edit", "policy_edit", "suppression"} <= kinds
