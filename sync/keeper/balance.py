"""Who should have which shard of a home (PROTOCOL.md 4, 7, 10).

Each shard has an order of the cores: regions of the home's placement group by their distance from
the home's region, that one first, and within a region by rendezvous. The order depends on the core,
the home and the shard alone, so all cores agree on it whatever they have seen; a shard that only
ever moves up in it cannot go to and fro between two that see different cores.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

from msgspec import Struct


class Core(Struct, frozen=True):
    """A living core. `silent` is one whose beats ceased: nothing is given to it meanwhile."""

    incarnation: str
    region: str
    draining: bool = False
    silent: bool = False


class Place(Struct, frozen=True):
    """A home: its region, its placement group, and how far each region is from its own.

    Distances are in any unit, the same on every core (kilometres, not what a core measured);
    regions without one come last, in the order of their names.
    """

    home: str
    region: str
    group: tuple[str, ...]
    distances: Mapping[str, float] = {}

    def regions(self) -> list[str]:
        """The regions of the group in the order in which they look after the home."""
        far = {region: self.distances.get(region, float("inf")) for region in self.group}
        return sorted(self.group, key=lambda r: (r != self.region, far[r], r))


def candidates(place: Place, cores: Sequence[Core], drained: Collection[str]) -> list[Core]:
    """Those who may be given shards: in the group, neither draining nor silent.

    Where all of them are silent (no signals at all) the silent ones count; where all drain, nobody
    is left, and who has a shard keeps it: a drain must not leave it with nobody.
    """
    able = [
        core
        for core in cores
        if core.region in place.group and core.region not in drained and not core.draining
    ]
    return [core for core in able if not core.silent] or able


def order(place: Place, cores: Sequence[Core], shard: int) -> list[Core]:
    """Cores of the group in the shard's order."""
    rank = {region: at for at, region in enumerate(place.regions())}
    inside = [core for core in cores if core.region in rank]
    return sorted(
        inside, key=lambda c: (-rank[c.region], _weight(c, place.home, shard)), reverse=True
    )


def wanted(place: Place, cores: Sequence[Core], shard: int) -> Core | None:
    """Who should have the shard."""
    return next(iter(order(place, cores, shard)), None)


def _weight(core: Core, home: str, shard: int) -> bytes:
    return blake2b(f"{core.incarnation}.{home}.{shard}".encode(), digest_size=8).digest()
