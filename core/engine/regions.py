"""How the regions are, as this core knows it. `regions_out` is pure; `seen_by` gathers its data."""

from collections import Counter
from collections.abc import Mapping
from typing import cast

from msgspec import Struct

from core.contract.regions import CoreOut, CoreState, HomeOut, RegionOut, RegionsOut, RegionState
from core.contract.times import rfc3339
from core.engine.engine import Engine
from sync.placement import PlacementMap, regions_of
from sync.serving import RegionRow, ServingSet


class CoreSeen(Struct, frozen=True):
    """A core with an active lease."""

    incarnation: str
    region: str
    lease_counter: int
    map_version: int
    heard_s: float | None
    heard: bool
    draining: bool


class Seen(Struct, frozen=True):
    """What one core knows. `owners` are the owners of a home's shards, "" for nobody; `behind` the
    rows by region that are told and not read."""

    region: str
    incarnation: str
    now_ms: int
    isolated: bool
    placement: PlacementMap
    serving: ServingSet | None
    serving_age_s: float | None
    cores: list[CoreSeen]
    owners: Mapping[str, list[str]]
    behind: Mapping[str, int]


def seen_by(engine: Engine, now_ms: int, boot_s: float) -> Seen:
    """What this core knows now."""
    membership, where = engine.membership, engine.where
    cores, own = [], membership.incarnation
    for core in membership.members.cores(boot_s):
        lease = membership.members.leases[core.incarnation]
        age_s = membership.sightings.age_s(core.incarnation, boot_s)
        cores.append(
            CoreSeen(
                core.incarnation,
                core.region,
                lease.counter,
                lease.map_version,
                0.0 if core.incarnation == own else age_s,
                membership.hears(core.incarnation),
                membership.draining if core.incarnation == own else core.draining,
            )
        )
    alive = {core.incarnation for core in cores}
    owners = {
        home: [
            row.owner if row.owner in alive else "" for row in work.ownership.shards.rows.values()
        ]
        for home, work in engine.homes.items()
    }
    behind: Counter[str] = Counter()
    for work in engine.homes.values():
        for log, rows in work.clockwork.behind().items():
            behind[where.region_of_log(log)] += rows
    return Seen(
        membership.region,
        own,
        now_ms,
        membership.isolated,
        engine.placement,
        membership.serving.row,
        membership.serving.age_s,
        cores,
        owners,
        behind,
    )


def regions_out(seen: Seen) -> RegionsOut:
    """The answer of GET /v1/regions."""
    agreed = {} if seen.serving is None else seen.serving.regions
    named = [region for group in seen.placement.groups.values() for region in group]
    names = dict.fromkeys([*agreed, *named, *(core.region for core in seen.cores)])
    owned = Counter(owner for owners in seen.owners.values() for owner in owners)
    return RegionsOut(
        seen.region,
        seen.incarnation,
        rfc3339(seen.now_ms),
        seen.isolated,
        seen.placement.version,
        _rounded(seen.serving_age_s),
        [_region(seen, name, agreed.get(name), owned) for name in sorted(names)],
        [_home(seen, name) for name in sorted(seen.placement.homes)],
    )


def _region(seen: Seen, name: str, row: RegionRow | None, owned: Counter[str]) -> RegionOut:
    cores = [core for core in seen.cores if core.region == name]
    intended: RegionState = "serving" if row is None else row.state
    heard = name == seen.region or any(core.heard for core in cores)
    ages = [core.heard_s for core in cores if core.heard_s is not None]
    shards, total = sum(owned[core.incarnation] for core in cores), owned.total()
    return RegionOut(
        name,
        intended if heard or intended == "drained" else "silent",
        intended,
        "" if row is None else row.reason,
        100 if row is None else row.share_pct,
        shards,
        round(shards / total, 3) if total else 0.0,
        seen.behind.get(name),
        _rounded(min(ages, default=None)),
        [_core(core, owned[core.incarnation]) for core in cores],
    )


def _core(core: CoreSeen, shards: int) -> CoreOut:
    state = "draining" if core.draining else "active"
    return CoreOut(
        core.incarnation,
        cast("CoreState", state if core.heard else "silent"),
        _rounded(core.heard_s),
        core.lease_counter,
        core.map_version,
        shards,
    )


def _home(seen: Seen, name: str) -> HomeOut:
    region_of = {core.incarnation: core.region for core in seen.cores}
    owners = Counter(region_of.get(owner, "") for owner in seen.owners.get(name, ()))
    home = seen.placement.homes[name]
    return HomeOut(name, home.region, list(regions_of(seen.placement, name)), dict(owners))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
