"""Which replicas there are, and which of them a level needs.

Replica n is bit n. A level is a number of replicas out of a set: a majority of all for QUORUM, a
majority of the own region's for LOCAL_QUORUM.
"""


class Replicas:
    """`down` are those that answer nothing: away, or replaced and not rebuilt yet."""

    def __init__(self, regions: list[str], each: int) -> None:
        self.each = each
        self.count = each * len(regions)
        self.bits = {region: ((1 << each) - 1) << (each * n) for n, region in enumerate(regions)}
        self.all = (1 << self.count) - 1
        self.quorum = self.count // 2 + 1
        self.local_quorum = each // 2 + 1
        self.down = 0

    def up(self, region: str) -> int:
        """Those of a region that answer."""
        return self.bits[region] & ~self.down

    def region_of(self, replica: int) -> str:
        """Where a replica (its number) is."""
        return next(region for region, bits in self.bits.items() if bits >> replica & 1)

    def name(self, replica: int) -> str:
        """The region, and which of its replicas, from 1 on."""
        return f"{self.region_of(replica)}{replica % self.each + 1}"

    def needs(self, local: bool) -> int:
        """How many replicas a level asks for."""
        return self.local_quorum if local else self.quorum


def some_of(bits: int, count: int, start: int) -> int:
    """`count` of these bits, beginning with one that `start` chooses."""
    total = bits.bit_count()
    if total <= count:
        return bits
    singles = []
    while bits:
        singles.append(bits & -bits)
        bits &= bits - 1
    return sum(singles[(start + n) % total] for n in range(count))
