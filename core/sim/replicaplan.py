"""How many replicas each region has at first, and to what operators change that in a run.

Drawn from a stream of its own: plans without it are what they would be. Each change goes one to a
few replicas away; other operators go on with it at moments of their own, whether the one who began
it is alive or not. Some ask for what was asked for already, or for what cannot be.
"""

from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.sim.steps import Step, in_order

if TYPE_CHECKING:
    from core.sim.plan import Plan

FIRST = (1, 1, 2, 3)
MOST = 3
AWAY_MAX = 3
OTHERS_MAX = 3
AGAIN = 0.3
SHORT = (0.0, 0.3, 0.6)
STANDS_STILL = (0.0, 0.2, 0.5)


def with_replication(plan: "Plan", leaves: float) -> "Plan":
    """The first counts, and what operators do, and what befalls them, in addition. `leaves` is how
    often a region goes away, where one can."""
    chance, regions, cores = Random(f"{plan.seed}:replication"), plan.regions, plan.cores
    counts = {region: chance.choice(FIRST) for region in regions}
    wanted = _changed(chance, counts, leaves)
    at_s = chance.uniform(1.5, plan.faults_s * 0.2)
    found = [_asked(chance, regions, cores, at_s, "replication_change", wanted)]
    if chance.random() < AGAIN or not all(wanted.values()):
        when_s = chance.uniform(at_s, plan.faults_s)
        another = _changed(chance, wanted, leaves)
        found.append(_asked(chance, regions, cores, when_s, "replication_change", another))
    for _ in range(chance.randint(0, OTHERS_MAX)):
        when_s = chance.uniform(at_s, plan.faults_s)
        found.append(_asked(chance, regions, cores, when_s, "replication_go_on", {}))
    found += _mistakes(Random(f"{plan.seed}:replication mistakes"), plan, at_s, wanted)
    short, still = chance.choice(SHORT), chance.choice(STANDS_STILL)
    store = replace(plan.store, repair_short=short, freeze_at_alter=still)
    return replace(plan, counts=counts, store=store, steps=in_order([*plan.steps, *found]))


def counts_of(text: str) -> dict[str, int]:
    """What a step asks for."""
    return {region: int(count) for region, _, count in (x.partition(":") for x in text.split())}


def _changed(chance: Random, counts: dict[str, int], leaves: float) -> dict[str, int]:
    """Other counts. Now and then a region of one replica goes away; whole ones come back."""
    found = dict(counts)
    alone = sorted(region for region, count in counts.items() if count == 1)
    if alone and len(counts) > 1 and all(counts.values()) and chance.random() < leaves:
        found[chance.choice(alone)] = 0
        return found
    while found == counts:
        for _ in range(chance.randint(1, AWAY_MAX)):
            region = chance.choice(sorted(found))
            found[region] = min(max(found[region] + chance.choice((1, 1, -1)), 1), MOST)
    return found


def _mistakes(chance: Random, plan: "Plan", first_s: float, wanted: dict[str, int]) -> list[Step]:
    """The first change is asked for again, and, before it and after it, what must be refused."""
    regions, cores = plan.regions, plan.cores
    none = dict.fromkeys(regions, 0)
    found = []
    for kind, counts in (
        ("replication_change", wanted),
        ("replication_misreport", {}),
        ("replication_misreport", {}),
        ("replication_mistake", none),
        ("replication_mistake", none | {chance.choice(regions): -1}),
    ):
        when_s = first_s + chance.choice((-1.0, 1.0, 4.0, 12.0)) * chance.random()
        found.append(_asked(chance, regions, cores, max(when_s, first_s * 0.5), kind, counts))
    return found


def _asked(
    chance: Random,
    regions: tuple[str, ...],
    cores: int,
    at_s: float,
    kind: str,
    counts: dict[str, int],
) -> Step:
    """Some core is asked."""
    text = " ".join(f"{region}:{count}" for region, count in sorted(counts.items()))
    return Step(at_s, kind, chance.choice(regions), "", chance.randrange(cores), id=text)
