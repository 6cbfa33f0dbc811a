"""Chains of faults: within what is promised, the same for the same seed, and none where none is."""

import pytest

from core.sim.chainplan import CHAINS
from core.sim.faults import Faults
from core.sim.plan import plan_of
from core.sim.profiles import PROFILES

REQUESTS = ("submit", "cancel", "suppress")


@pytest.mark.parametrize("name", [name for name, rules in PROFILES.items() if rules.chains])
def test_every_step_of_a_chain_can_be_carried_out(name: str) -> None:
    for seed in range(20):
        plan = plan_of(seed, name)
        assert plan == plan_of(seed, name)
        for step in plan.steps:
            assert step.at_s > 0.0
            assert step.region in ("", *plan.regions)
            assert step.kind in REQUESTS or hasattr(Faults, f"_{step.kind}")


def test_every_chain_is_in_some_profile() -> None:
    assert {chain for rules in PROFILES.values() for chain in rules.chains} == set(CHAINS)
