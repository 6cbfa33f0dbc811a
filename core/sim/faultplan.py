"""Which faults are scheduled in a run, and when.

Some accidents need several faults in one order, and are never met by chance. `apart_then_lost`: a
region is cut off, so that what it writes stands there alone, and is lost after it came back.
`hole_then_lost`: one region misses what is written meanwhile, and then the region is lost that has
it. `lost_then_forced`: of three regions two are lost, an operator lets the third own alone, and all
join when they are back; `cut_off_then_forced`: the operator is wrong, the others live and go on.
They are made of the usual faults, so a shorter run may do with some of them.
"""

from random import Random

from core.sim.profile import Profile
from core.sim.steps import Step

FROZEN_S = (0.7, 2.0, 4.5, 6.0, 9.0)
CUT_S = (1.0, 3.0, 6.0, 9.0)
CORES_AWAY_S = (1.0, 3.0, 6.0)
AWAY_S = (0.5, 2.0, 5.0)
DRAIN_S = (0.3, 2.0, 5.0)
APART_S = (1.2, 3.0)
BACK_S = (0.2, 4.0)
LOST_S = (9.0, 14.0)
CUTS = frozenset({"cut", "cut_one_way", "isolate", "halves", "ring", "region_lost"})
FORCED_AFTER_S = (0.5, 4.0)
JOINED_AFTER_S = (0.2, 4.0)
FORCED = frozenset({"lost_then_forced", "cut_off_then_forced"})
CHAINS = FORCED | {"apart_then_lost", "hole_then_lost"}
SEVERAL_REGIONS = CUTS | CHAINS | {"region_drain", "region_return", "declare_lost"}


def faults(
    chance: Random,
    rules: Profile,
    regions: tuple[str, ...],
    cores: int,
    faults_s: float,
    boosted: bool,
) -> list[Step]:
    """The scheduled faults of one run; each kind is left out of half of the boosted runs."""
    steps: list[Step] = []
    for kind, most in rules.kinds.items():
        wanted = chance.random() < 0.5 or kind in rules.sure
        if kind in SEVERAL_REGIONS and len(regions) < 2:
            continue
        number = chance.randint(1, most) if boosted and wanted else int(chance.random() < 0.15)
        for _ in range(number):
            at_s = chance.uniform(0.5, faults_s)
            if kind in CHAINS:
                chain = _forced if kind in FORCED else _chain
                found = chain(chance, kind, regions, cores, at_s)
                steps += [step for step in found if step.at_s < faults_s]
            else:
                steps.append(_fault(chance, kind, regions, cores, at_s))
    return steps


def _chain(
    chance: Random, kind: str, regions: tuple[str, ...], cores: int, at_s: float
) -> list[Step]:
    first, other = chance.sample(regions, 2)
    lost = first if kind == "apart_then_lost" else other
    apart_s, back_s = chance.uniform(*APART_S), chance.uniform(*BACK_S)
    steps = [
        Step(at_s, "isolate", first, other, 0, apart_s, 0.0),
        Step(at_s + apart_s + back_s, "region_lost", lost, first, 0, chance.uniform(*LOST_S), 0.0),
    ]
    if chance.random() < 0.5:  # its next incarnation begins while it is cut off
        steps.append(Step(at_s, "crash", first, other, chance.randrange(cores), 0.0, 0.0))
    return steps


def _forced(
    chance: Random, kind: str, regions: tuple[str, ...], cores: int, at_s: float
) -> list[Step]:
    left, *others = chance.sample(regions, len(regions))
    length_s, number = chance.uniform(*LOST_S), chance.randrange(cores)
    forced_s = at_s + chance.uniform(*FORCED_AFTER_S)
    joined_s = max(at_s + length_s, forced_s) + chance.uniform(*JOINED_AFTER_S)
    # The first that asks to join is answered with a pause, under which cores start anew.
    asked_s = (joined_s, joined_s + 1.5, joined_s + 3.0)
    joins = [Step(each_s, "force_join", left, others[0], number) for each_s in asked_s]
    steps = [Step(forced_s, "force_own", left, others[0], number), *joins]
    if kind == "cut_off_then_forced":
        return [Step(at_s, "isolate", left, others[0], 0, length_s, 0.0), *steps]
    lost = [Step(at_s, "region_lost", each, left, 0, length_s, 0.0) for each in others]
    return [*lost, *steps]


def _fault(chance: Random, kind: str, regions: tuple[str, ...], cores: int, at_s: float) -> Step:
    region = chance.choice(regions)
    other = chance.choice([name for name in regions if name != region] or [region])
    number = chance.randrange(cores)
    length_s, amount = 0.0, 0.0
    if kind == "drain":
        length_s = chance.choice(DRAIN_S)
    elif kind in ("freeze", "edge_freeze"):
        length_s = chance.choice(FROZEN_S)
    elif kind in CUTS:
        length_s = chance.choice(CUT_S)
    elif kind == "cores_away":
        length_s = chance.choice(CORES_AWAY_S)
    elif kind in {"store_away", "replica_lost"}:
        length_s = chance.choice(AWAY_S)
    elif kind == "clock_jump":
        amount = chance.choice((-5.0, -0.4, 0.4, 5.0))
    elif kind == "region_drain":
        amount = chance.choice((0.0, 1.0))  # whether the other region is to be drained at once
    return Step(at_s, kind, region, other, number, length_s, amount)
