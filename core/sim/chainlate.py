"""Chains of faults of what comes late, or is heard too late. Part of `core.sim.chainplan`.

- `answers_overdue`, `intents_overdue`: what a core writes does not get through until it has ended
  and others have its shards: outcomes of its calls, or intents that no call can follow.
- `taking`: a core ends, and those who take its shards cannot write their first floors for a while.
- `bereft`: a region is lost just when its core has taken messages in and sent them.
- `unaware`: the cores of a region hear nothing of a new map that moves what is at home with them,
  and new keys come in there and at their next home at nearly the same moment.
"""

from msgspec.structs import replace

from core.sim.chainstage import KEYED, LATER, Stage
from core.sim.mapplan import COUNTRIES
from core.sim.steps import Step
from core.sim.workload import Requests

EXPIRES_S = 20.0
HELD_S = 9.0
TWINS_MAX = 12
TWINS_APART_S = (-0.05, 0.25)
CAREFUL = LATER | {"scheduled": (0.0,), "keyed": (0.0,), "careful": (1.0,), "globally": (1.0,)}
NEAR = LATER | {"scheduled": (0.0,), "globally": (0.0,)}
TWINS = KEYED | {"scheduled": (0.0,), "careful": (0.0,), "other_body": (0.0,)}


def answers_overdue(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw = stage.chance.uniform
    gone_s = draw(0.4, 1.5)
    steps = []
    for number in (stage.number, *stage.others):
        steps.append(stage.step(0.0, "writes_held", number, gone_s + 1.0, gone_s + draw(4.5, 7.0)))
        steps.append(stage.step(gone_s, "crash", number))
    asked = Requests(stage.chance, (stage.first,), stage.shards, stage.start_ms, CAREFUL)
    for _ in range(stage.chance.randint(6, 14)):
        asked.message(stage.at_s + draw(-0.8, 0.1))
    return [*steps, *asked.steps]


def intents_overdue(stage: Stage) -> list[Step]:
    """See the module's docstring. What is to be sent stands, since it comes in elsewhere."""
    draw = stage.chance.uniform
    gone_s = draw(1.2, 2.0)
    steps = []
    for number in (stage.number, *stage.others):
        steps.append(stage.step(0.0, "writes_held", number, gone_s + 1.0, gone_s + draw(4.0, 6.0)))
        steps.append(stage.step(gone_s, "crash", number))
    asked = Requests(stage.chance, (stage.first,), stage.shards, stage.start_ms, CAREFUL)
    for _ in range(stage.chance.randint(6, 14)):
        asked.message(stage.at_s + draw(-0.6, 0.8))
    for step in asked.steps:
        assert step.wish is not None
        wish = replace(step.wish, expires_s=EXPIRES_S)
        steps.append(replace(step, region=stage.next, wish=wish))
    return steps


def taking(stage: Stage) -> list[Step]:
    """See the module's docstring. Who is started instead is among them; meanwhile replication is to
    change, unless it does already."""
    chance, draw, number = stage.chance, stage.chance.uniform, stage.number
    held_s = draw(4.0, 7.0)
    held = [
        stage.step(draw(3.0, 4.0), "writes_held", each, held_s, HELD_S)
        for each in (number, *stage.others)
    ]
    counts = " ".join(f"{region}:{chance.randint(1, 3)}" for region in sorted(stage.regions))
    asked_s = stage.at_s + draw(3.6, 5.6)
    change = Step(asked_s, "replication_change", stage.next, "", number, id=counts)
    return [stage.step(0.0, "crash", number), *held, change]


def bereft(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    chance = stage.chance
    asked = Requests(chance, (stage.first,), stage.shards, stage.start_ms, NEAR)
    for _ in range(chance.randint(6, 14)):
        asked.message(stage.at_s - chance.uniform(0.1, 0.9))
    return [*asked.steps, stage.step(0.0, "region_lost", stage.number, chance.uniform(9.0, 12.0))]


def unaware(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    chance, draw = stage.chance, stage.chance.uniform
    steps = [stage.step(0.0, "hushed", each, 3.0) for each in (stage.number, *stage.others)]
    country = COUNTRIES[stage.regions.index(stage.first)]
    changed_s = stage.at_s + draw(0.0, 0.4)
    map_change = Step(changed_s, "map_change", stage.next, stage.next, stage.number, id=country)
    asked = Requests(chance, (stage.first,), stage.shards, stage.start_ms, TWINS)
    for _ in range(chance.randint(4, TWINS_MAX)):
        asked.message(changed_s + draw(0.1, 1.6))
    twins = []
    for step in asked.steps:
        assert step.wish is not None
        there = replace(step, region=stage.next, wish=replace(step.wish, country=country))
        here_s = max(changed_s, step.at_s + draw(*TWINS_APART_S))
        twins += [there, replace(there, region=stage.first, at_s=here_s)]
    return [*steps, map_change, *twins]
