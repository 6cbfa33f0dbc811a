"""Where a chain of faults is played, and what clients ask there. Part of `core.sim.chainplan`."""

from random import Random

from core.sim.steps import Step

LATER = {
    "scheduled": (1.0,),
    "copies": (0.0,),
    "cancels": (0.0,),
    "chains": (0.0,),
    "spooled": (0.0,),
    "suppressed": (0.0,),
}
KEYED = LATER | {"keyed": (1.0,)}


class Stage:
    """Where a chain is played."""

    def __init__(
        self,
        chance: Random,
        regions: tuple[str, ...],
        cores: int,
        shards: int,
        start_ms: int,
        at_s: float,
    ) -> None:
        self.chance = chance
        self.shards = shards
        self.start_ms = start_ms
        self.regions = regions
        self.first = chance.choice(regions)
        # Who comes next in the order of owners of the first region's shards.
        self.next = min((region for region in regions if region != self.first), default="")
        self.number = chance.randrange(cores)
        self.others = [number for number in range(cores) if number != self.number]
        self.at_s = at_s

    def step(
        self, after_s: float, kind: str, number: int, length_s: float = 0.0, amount: float = 0.0
    ) -> Step:
        """A fault at a core of the first region."""
        return Step(self.at_s + after_s, kind, self.first, self.next, number, length_s, amount)
