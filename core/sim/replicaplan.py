"""How many replicas each region has at first, and to what operators change that in a run.

Drawn from a stream of its own: plans without it are what they would be. Each change goes one to a
few replicas away; other operators go on with it at moments of their own, whether the one who began
it is alive or not.
"""

from random import Random

from core.sim.steps import Step

FIRST = (1, 1, 2, 3)
MOST = 3
AWAY_MAX = 3
OTHERS_MAX = 3
AGAIN = 0.3
SHORT = (0.0, 0.3, 0.6)


def with_replication(
    seed: int, steps: list[Step], regions: tuple[str, ...], cores: int, faults_s: float
) -> tuple[dict[str, int], float, list[Step]]:
    """The first counts, how often a repair falls short, and the steps with those of operators."""
    chance = Random(f"{seed}:replication")
    counts = {region: chance.choice(FIRST) for region in regions}
    wanted = _changed(chance, counts)
    at_s = chance.uniform(0.5, faults_s * 0.4)
    found = [*steps, _asked(chance, regions, cores, at_s, "replication_change", wanted)]
    if chance.random() < AGAIN:
        when_s = chance.uniform(at_s, faults_s)
        another = _changed(chance, wanted)
        found.append(_asked(chance, regions, cores, when_s, "replication_change", another))
    for _ in range(chance.randint(0, OTHERS_MAX)):
        when_s = chance.uniform(at_s, faults_s)
        found.append(_asked(chance, regions, cores, when_s, "replication_go_on", {}))
    return counts, chance.choice(SHORT), found


def counts_of(text: str) -> dict[str, int]:
    """What a step asks for."""
    return {region: int(count) for region, _, count in (x.partition(":") for x in text.split())}


def _changed(chance: Random, counts: dict[str, int]) -> dict[str, int]:
    """Other counts."""
    found = dict(counts)
    while found == counts:
        for _ in range(chance.randint(1, AWAY_MAX)):
            region = chance.choice(sorted(found))
            found[region] = min(max(found[region] + chance.choice((1, 1, -1)), 1), MOST)
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
