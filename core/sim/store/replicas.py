"""Which replicas there are, which of them hold the keyspace, and how many of them a level needs.

Replica n is bit n; each region has places for so many. Which of them hold the keyspace is said by
a configuration. There is one, or there are two: each region's coordinators follow the newest one
at a moment of their own (`core.sim.store.alters`). A level is a number of replicas out of a set: a
majority of all for QUORUM, a majority of the own region's for LOCAL_QUORUM.
"""

from collections.abc import Mapping

from msgspec import Struct


class Configuration(Struct, frozen=True):
    """The replicas that hold the keyspace, by region; a later one has a higher version."""

    version: int
    bits: dict[str, int]
    all: int
    quorum: int

    def needs(self, region: str, local: bool) -> int:
        """How many replicas a level asks for; `local`: of the region's."""
        return self.bits[region].bit_count() // 2 + 1 if local else self.quorum

    def of(self, region: str, local: bool) -> int:
        """The replicas that count for a level."""
        return self.bits[region] if local else self.all

    def counts(self) -> dict[str, int]:
        """How many there are in each region that has any."""
        counted = {region: bits.bit_count() for region, bits in sorted(self.bits.items())}
        return {region: count for region, count in counted.items() if count}


class Replicas:
    """`down` are those that answer nothing: away, or replaced and not rebuilt yet.

    `bits` are the places of each region, `in_use` the replicas of all configurations in use.
    """

    def __init__(
        self, regions: list[str], each: int, counts: Mapping[str, int] | None = None
    ) -> None:
        self.each = each
        self.places = each * len(regions)
        self.bits = {region: ((1 << each) - 1) << (each * n) for n, region in enumerate(regions)}
        self.down = 0
        first = self.configured(counts or dict.fromkeys(regions, each), 1)
        self.newest = first
        self._at = dict.fromkeys(regions, first)
        self.in_use = first.all

    def configured(self, counts: Mapping[str, int], version: int) -> Configuration:
        """So many replicas in each region, the first of its places."""
        bits = {}
        for region, places in self.bits.items():
            lowest = (places & -places).bit_length() - 1
            bits[region] = ((1 << counts.get(region, 0)) - 1) << lowest
        every = sum(bits.values())
        return Configuration(version, bits, every, every.bit_count() // 2 + 1)

    def at(self, region: str) -> Configuration:
        """What the region's coordinators follow."""
        return self._at[region]

    @property
    def agreed(self) -> bool:
        """Whether all coordinators follow the newest one."""
        return all(one is self.newest for one in self._at.values())

    def alter(self, made: Configuration) -> None:
        """A newer configuration; nobody follows it yet."""
        self.newest = made
        self.in_use |= made.all

    def follow(self, region: str, made: Configuration) -> None:
        """The region's coordinators follow it from now on, unless they follow a later one."""
        if self._at[region].version < made.version:
            self._at[region] = made
        self.in_use = self.newest.all
        for one in self._at.values():
            self.in_use |= one.all

    def up(self, region: str) -> int:
        """Those of a region that hold the keyspace and answer."""
        return self.newest.bits[region] & ~self.down

    def region_of(self, replica: int) -> str:
        """Where a replica (its number) is."""
        return next(region for region, bits in self.bits.items() if bits >> replica & 1)

    def name(self, replica: int) -> str:
        """The region, and which of its replicas, from 1 on."""
        return f"{self.region_of(replica)}{replica % self.each + 1}"


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
