"""Where messages are at home, by the placement map that the cores tell, and their ids (PROTOCOL 5).

A home follows from tenant and recipient's country alone, so two edges that know the same version
mint the same ids for the same keyed request. Where the map makes no difference between messages,
nothing is looked up for any of them. A message whose home this region may not journal is refused
here, with the regions that may: no core would take it.
"""

from collections.abc import Callable, Iterable
from itertools import repeat

from msgspec import Struct
from msgspec.structs import replace

from core.contract.frames import AcceptCall, HelloOk
from core.contract.ids import (
    NOTIFICATION_RANDOM_BYTES,
    UNKEYED_RANDOM_BYTES,
    mint_keyed,
    mint_unkeyed,
    notification_id,
    shard_of,
)
from core.contract.problems import ProblemError, problem
from core.contract.recipients import Recipient
from sync.placement import PlacementMap, home_of, may_act, regions_of, world_map


class Placement(Struct, frozen=True):
    """What is needed to mint ids. `only` is the home of every message, "" where the map has rules;
    `closed` are the homes that the edge's region may not journal."""

    region: str
    placement: PlacementMap
    only: str
    closed: frozenset[str]

    @property
    def shards(self) -> int:
        return self.placement.shards

    @property
    def version(self) -> int:
        return self.placement.version


def placement_by(region: str, given: PlacementMap) -> Placement:
    """The map as an edge of this region uses it."""
    ruled = given.countries or given.tenants
    closed = frozenset(home for home in given.homes if not may_act(given, home, region))
    return Placement(region, given, "" if ruled else given.default, closed)


def placement_of(hello: HelloOk) -> Placement:
    """What a core says. One of an older release names no map: its region is the only home."""
    given = hello.placement
    if given is None:
        alone = world_map((hello.region,), hello.shards)
        given = replace(alone, version=hello.map_version)
    return placement_by(hello.region, given)


class Minter:
    """Mints ids; clock and randomness come in from outside."""

    def __init__(self, wall_ms: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        self._wall_ms = wall_ms
        self._random_bytes = random_bytes

    def mint(
        self,
        placement: Placement,
        tenant: str,
        key: str | None,
        recipients: list[Recipient],
        countries: list[str],
    ) -> tuple[list[str], str]:
        """The messages' ids and the notification's; ProblemError `home_elsewhere`."""
        only = placement.only
        homes = repeat(only) if only else _homes(placement, tenant, countries)
        if placement.closed:
            _check(placement, [only] if only else homes)
        shards = placement.placement.shards
        if key is not None:
            ids = [
                mint_keyed(home, shard_of(tenant, one.address, shards), tenant, key, one.index)
                for one, home in zip(recipients, homes, strict=False)
            ]
            return ids, notification_id(tenant, key, b"")
        minute = self._wall_ms() // 60_000
        wanted = NOTIFICATION_RANDOM_BYTES + UNKEYED_RANDOM_BYTES * len(recipients)
        rnd = self._random_bytes(wanted)
        ids = []
        at = NOTIFICATION_RANDOM_BYTES
        for one, home in zip(recipients, homes, strict=False):
            shard = shard_of(tenant, one.address, shards)
            ids.append(mint_unkeyed(home, shard, minute, rnd[at : at + UNKEYED_RANDOM_BYTES]))
            at += UNKEYED_RANDOM_BYTES
        return ids, notification_id(tenant, None, rnd)

    def mint_again(
        self, placement: Placement, call: AcceptCall, recipients: list[Recipient]
    ) -> AcceptCall:
        """The call by a newer map, for one that no core has taken; its notification stays."""
        ids, _ = self.mint(placement, call.tenant, call.key, recipients, call.countries)
        return replace(call, ids=ids, map_version=placement.version)


def _homes(placement: Placement, tenant: str, countries: list[str]) -> list[str]:
    given = placement.placement
    return [home_of(given, tenant, country) for country in countries]


def _check(placement: Placement, homes: Iterable[str]) -> None:
    for home in homes:
        if home in placement.closed:
            raise home_elsewhere(home, regions_of(placement.placement, home))


def home_elsewhere(home: str, regions: Iterable[str]) -> ProblemError:
    """This region may not take what is at home there."""
    names = list(regions)
    detail = f"Messages of home {home} are taken in {' or '.join(names)} only. Send it there."
    return problem("home_elsewhere", detail, headers={"Retry-After": "1"}, home=home, regions=names)
